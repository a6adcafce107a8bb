"""What can be asked of the store: runs, versions, trajectories and events, as plain values.

Long lists are read page by page, each in a short transaction of its own: a slow reader holds up nobody.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, exists, select

from agentsym.errors import StoreError
from agentsym.network.canonical import Frozen
from agentsym.network.records import Trajectory
from agentsym.store.database import explained
from agentsym.store.events import Event, hashes_of, unpack_trajectory
from agentsym.store.place import Place
from agentsym.store.schema import events, runs, texts, trajectories, versions

PAGE = 200
_NEWEST = (runs.c.created.desc(), runs.c.id.desc())


class RunInfo(Frozen):
    """One run as it stands.

    Attributes:
        status: `running` until a `stop` event says otherwise.
        steps: update steps done.
        usd: US dollars; None where a price is unknown.
    """

    id: str
    agent: str
    created: str
    status: str
    steps: int
    best_version: str | None
    val_before: float | None
    val_after: float | None
    test_before: float | None
    test_after: float | None
    calls: int
    tokens: int
    usd: float | None
    seconds: float
    config: dict[str, Any]


class VersionInfo(Frozen):
    """One version of an agent in one run; `Store.version_content` has what is in it."""

    run_id: str
    hash: str
    parent: str | None
    created: str


class Recorded(Frozen):
    """A stored trajectory, and what its event says besides it (`phase`, `step`, `score` …)."""

    run_id: str
    seq: int
    trajectory: Trajectory
    data: dict[str, Any]


class Reader:
    """The read side of a store, on an engine that cannot write."""

    def __init__(self, path: Place, engine: Engine) -> None:
        self.path = path
        self._engine = engine

    def events(self, run_id: str, after: int = 0, kind: str | Collection[str] | None = None) -> Iterator[Event]:
        """Yield the events of a run in order, those behind `after`, only those of the kind or kinds that are named."""
        query = select(events).where(events.c.run_id == run_id).order_by(events.c.seq)
        if kind is not None:
            query = query.where(events.c.kind.in_([kind] if isinstance(kind, str) else kind))
        for page in self._pages(query, after):
            yield from map(as_event, page)

    def last_event(self, run_id: str, kind: str | None = None) -> Event | None:
        """Return the last event of a run, or the last of a kind; None if there is none."""
        query = select(events).where(events.c.run_id == run_id).order_by(events.c.seq.desc()).limit(1)
        rows = self._rows(query if kind is None else query.where(events.c.kind == kind))
        return as_event(rows[0]) if rows else None

    def runs(self) -> tuple[RunInfo, ...]:
        """Return all runs, the newest first."""
        return self._run_infos(select(runs).order_by(*_NEWEST))

    def ended_runs(self, agent: str, *, having: str, lacking: str, most: int) -> tuple[RunInfo, ...]:
        """Return runs that have ended, those of an agent before all others, of each the newest first.

        Args:
            agent: the agent's name.
            having: a kind of event that they have.
            lacking: a kind of event that they do not have.
            most: how many are returned at most.
        """

        def told(kind: str) -> Any:
            return exists().where(events.c.run_id == runs.c.id, events.c.kind == kind)

        found = select(runs).where(runs.c.status != "running", told(having), ~told(lacking))
        return self._run_infos(found.order_by(runs.c.agent != agent, *_NEWEST).limit(most))

    def run(self, run_id: str = "last") -> RunInfo:
        """Return one run by its id or the beginning of it, or the newest by `last`.

        Raises:
            StoreError: there is no such run, or there are several.
        """
        everything = self.runs()
        if not everything:
            raise StoreError(f"{self.path}: there are no runs yet; `agentsym optimize AGENT` makes one")
        if run_id == "last":
            return everything[0]
        exact = [run for run in everything if run.id == run_id]
        found = exact or [run for run in everything if run_id and run.id.startswith(run_id)]
        if len(found) == 1:
            return found[0]
        names = [run.id for run in found] or difflib.get_close_matches(run_id, [run.id for run in everything], n=3)
        hint = f"is it one of {', '.join(names[:5])}?" if names else "`agentsym runs list` shows all."
        raise StoreError(f"{self.path}: {'several runs begin with' if found else 'there is no run'} {run_id!r}; {hint}")

    def versions(self, run_id: str) -> tuple[VersionInfo, ...]:
        """Return the versions of a run in the order in which they came to be."""
        columns = (versions.c.run_id, versions.c.hash, versions.c.parent, versions.c.created)
        rows = {row["hash"]: row for row in self._rows(select(*columns).where(versions.c.run_id == run_id))}
        order = dict.fromkeys(event.data["hash"] for event in self.events(run_id, kind="version"))
        return tuple(VersionInfo.model_validate(dict(rows[known])) for known in order if known in rows)

    def version_content(self, version: str) -> dict[str, Any]:
        """Return the content of a version, by its hash or the beginning of it (at least 8 digits).

        Raises:
            StoreError: no run has that version, or several begin so.
        """
        where = (
            versions.c.hash == version if len(version) == 64 else versions.c.hash.startswith(version, autoescape=True)
        )
        query = select(versions.c.hash, texts.c.text).join(texts, texts.c.hash == versions.c.content).where(where)
        found = {row["hash"]: row["text"] for row in self._rows(query)} if len(version) >= 8 else {}
        if len(found) != 1:
            reason = "several versions begin with" if found else "no run has the version"
            raise StoreError(f"{self.path}: {reason} {version!r}; `agentsym runs show RUN` lists the versions of a run")
        content: dict[str, Any] = json.loads(next(iter(found.values())))
        return content

    def trajectory(self, trajectory_id: str) -> Trajectory:
        """Return a trajectory by its id, the last one if several bear it.

        Raises:
            StoreError: there is none.
        """
        query = _stored_trajectories().where(trajectories.c.id == trajectory_id).order_by(events.c.id.desc()).limit(1)
        for recorded in self._unpacked(self._rows(query), {}):
            return recorded.trajectory
        raise StoreError(f"{self.path}: there is no trajectory {trajectory_id!r}")

    def trajectories(self, run_id: str, after: int = 0, **where: str | int | None) -> Iterator[Recorded]:
        """Yield the trajectories of a run in order, those behind the event `after`.

        Args:
            run_id: the run.
            after: the number of an event.
            where: columns that must have a value: `version`, `example_id`, `phase`, `step`, `status`.
        """
        query = _stored_trajectories().where(events.c.run_id == run_id).order_by(events.c.seq)
        for name, value in where.items():
            if name not in trajectories.c:
                raise StoreError(f"trajectories have no column {name!r}; they have {', '.join(trajectories.c.keys())}")
            query = query.where(trajectories.c[name] == value)
        known: dict[str, str] = {}
        for page in self._pages(query, after):
            yield from self._unpacked(page, known)

    def forward_versions(self, run_id: str) -> dict[int, str]:
        """Return step → the version that its rows of train were run with."""
        of_run = (trajectories.c.run_id == run_id) & (trajectories.c.phase == "forward")
        query = select(trajectories.c.step, trajectories.c.version).where(of_run).distinct()
        return {row["step"]: row["version"] for row in self._rows(query)}

    def _run_infos(self, query: Select[Any]) -> tuple[RunInfo, ...]:
        rows = self._rows(query)
        return tuple(RunInfo.model_validate({**row, "config": json.loads(row["config"])}) for row in rows)

    def _unpacked(self, page: list[RowMapping], known: dict[str, str]) -> Iterator[Recorded]:
        """Yield a page's trajectories; `known` keeps the texts of this page, which the next one may share."""
        packed = [as_event(row) for row in page]
        needed = set().union(*(hashes_of(event.data["trajectory"]) for event in packed))
        for unneeded in known.keys() - needed:
            del known[unneeded]
        missing = sorted(needed - known.keys())
        for start in range(0, len(missing), 500):
            query = select(texts).where(texts.c.hash.in_(missing[start : start + 500]))
            known.update((row["hash"], row["text"]) for row in self._rows(query))
        for event in packed:
            trajectory = unpack_trajectory(event.data["trajectory"], known)
            rest = {key: value for key, value in event.data.items() if key != "trajectory"}
            yield Recorded(run_id=event.run_id, seq=event.seq, trajectory=trajectory, data=rest)

    def _pages(self, query: Select[Any], after: int) -> Iterator[list[RowMapping]]:
        while page := self._rows(query.where(events.c.seq > after).limit(PAGE)):
            yield page
            after = page[-1]["seq"]

    def _rows(self, query: Select[Any]) -> list[RowMapping]:
        with explained(self.path), self._engine.begin() as connection:
            return rows_of(connection, query)


def rows_of(connection: Connection, query: Select[Any]) -> list[RowMapping]:
    """Return the rows of a query as mappings."""
    return list(connection.execute(query).mappings())


def as_event(row: Mapping[Any, Any]) -> Event:
    """Make an event from a row of the table."""
    names = ("run_id", "seq", "kind", "at")
    return Event(**{name: row[name] for name in names}, data=json.loads(row["data"]))


def _stored_trajectories() -> Select[Any]:
    same = (trajectories.c.run_id == events.c.run_id) & (trajectories.c.seq == events.c.seq)
    return select(events).join(trajectories, same)
