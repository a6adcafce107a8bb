"""What follows from an event: small pure functions, one a kind, that say which rows change.

The store applies them in the transaction that appends the event, and again in `rebuild`: the same comes out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Table, bindparam, insert

from agentsym.errors import StoreError
from agentsym.store.events import Event
from agentsym.store.inserting import insert_new
from agentsym.store.schema import DERIVED, runs, steps, trajectories, versions

SUMMARY = frozenset(column.name for column in runs.columns) - {"id", "agent", "created", "config"}
"""The columns of a run that a `summary` may set."""


class Change(NamedTuple):
    """One row to write: `insert`, insert unless it is there (`keep`), or `update` by `id`."""

    how: Literal["insert", "keep", "update"]
    table: Table
    row: dict[str, Any]


Projection = Callable[[Event], Iterable[Change]]


def start_run(event: Event) -> Iterator[Change]:
    """`run`: agent, config, and optionally a summary: a run begins."""
    row = {
        "status": "running",
        "steps": 0,
        "calls": 0,
        "tokens": 0,
        "usd": 0.0,
        "seconds": 0.0,
        **_summary(event),
    }
    config = json.dumps(event.data.get("config", {}), sort_keys=True, ensure_ascii=True)
    names = dict.fromkeys(("best_version", "val_before", "val_after", "test_before", "test_after"))
    head = {"id": event.run_id, "agent": event.data["agent"], "created": event.at, "config": config}
    yield Change("insert", runs, {**names, **row, **head})


def update_run(event: Event) -> Iterator[Change]:
    """`checkpoint`: the columns in `summary` change."""
    if summary := _summary(event):
        yield Change("update", runs, {"id": event.run_id, **summary})


def resume_run(event: Event) -> Iterator[Change]:
    """`resume`: the run goes on."""
    yield Change("update", runs, {"id": event.run_id, "status": "running", **_summary(event)})


def stop_run(event: Event) -> Iterator[Change]:
    """`stop`: the run ended with `status` (done, budget, interrupted, failed)."""
    yield Change("update", runs, {"id": event.run_id, "status": event.data["status"], **_summary(event)})


def add_version(event: Event) -> Iterator[Change]:
    """`version`: hash, parent (None for the first one), content: a version came to be."""
    row = {"run_id": event.run_id, "created": event.at, "parent": event.data.get("parent")}
    yield Change("keep", versions, {**row, "hash": event.data["hash"], "content": event.data["content"]})


def add_trajectory(event: Event) -> Iterator[Change]:
    """`trajectory`: the trajectory, and optionally phase, step and score: one example was run."""
    trajectory, key = event.data["trajectory"], {"run_id": event.run_id, "seq": event.seq}
    yield Change(
        "insert",
        trajectories,
        {
            **key,
            "id": trajectory["id"],
            "version": trajectory["version"],
            "example_id": trajectory.get("example_id", ""),
            "phase": event.data.get("phase"),
            "step": event.data.get("step"),
            "score": event.data.get("score"),
            "status": trajectory.get("status", "ok"),
            "error": trajectory.get("error"),
            **_costs(trajectory),
        },
    )
    for step in trajectory.get("steps", ()):
        row = {name: step.get(name) for name in ("index", "node", "route", "error")}
        yield Change("insert", steps, {**key, **row, "visit": step.get("visit", 0), **_costs(step)})


PROJECTIONS: Mapping[str, Projection] = {
    "run": start_run,
    "checkpoint": update_run,
    "resume": resume_run,
    "stop": stop_run,
    "version": add_version,
    "trajectory": add_trajectory,
}
"""Kind of event → what follows from it; from other kinds nothing follows, they are only kept."""


def project(events: Iterable[Event]) -> list[Change]:
    """Return all changes that follow from some events, in their order.

    Raises:
        StoreError: an event lacks a key that its kind must have, or sets a column that runs do not have.
    """
    changes: list[Change] = []
    for event in events:
        try:
            changes.extend(PROJECTIONS[event.kind](event) if event.kind in PROJECTIONS else ())
        except KeyError as error:
            raise StoreError(
                f"run {event.run_id}: an event {event.kind!r} needs {error.args[0]!r} in its data"
            ) from error
    return changes


def apply(connection: Connection, changes: Sequence[Change]) -> None:
    """Write changes: table by table, parents first; inside a table in their order, many rows at once."""
    for table in DERIVED:
        for (how, _), group in groupby((c for c in changes if c.table is table), key=lambda c: (c.how, tuple(c.row))):
            rows = [change.row for change in group]
            if how == "update":
                statement = table.update().where(table.c.id == bindparam("key"))
                connection.execute(statement, [{"key": row.pop("id"), **row} for row in map(dict, rows)])
            else:
                connection.execute(insert_new(connection, table) if how == "keep" else insert(table), rows)


def _summary(event: Event) -> dict[str, Any]:
    summary: dict[str, Any] = event.data.get("summary", {})
    if unknown := sorted(summary.keys() - SUMMARY):
        raise StoreError(
            f"run {event.run_id}: a summary cannot set {', '.join(unknown)}; it may set {', '.join(sorted(SUMMARY))}"
        )
    return summary


def _costs(record: Mapping[str, Any]) -> dict[str, Any]:
    usage = record.get("usage", {})
    tokens = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
    seconds = record.get("seconds", 0.0)
    return {
        "calls": usage.get("calls", 0),
        "tokens": tokens,
        "usd": usage.get("usd", 0.0),
        "seconds": seconds,
    }
