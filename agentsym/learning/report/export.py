"""A run as tables for analysis: steps, edits, runs of rows, calls, curve and versions, as JSONL, CSV or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from agentsym.errors import AgentsymError, UsageError
from agentsym.learning.course import VersionRecord
from agentsym.learning.report.reading import fate
from agentsym.learning.run import Run
from agentsym.network.shown import as_json
from agentsym.store.store import Store

Format = Literal["parquet", "jsonl", "csv"]
Table = list[dict[str, Any]]
Columns = Mapping[str, type]
_EXTRA = "install it with: pip install 'agentsym[data]'"

COLUMNS: Mapping[str, Columns] = {
    "steps": {
        "step": int,
        "rows": int,
        "train": float,
        "val": float,
        "accepted": bool,
        "before": float,
        "after": float,
        "reason": str,
        "validated": bool,
        "updates": int,
        "edits": int,
        "calls": int,
        "base": str,
        "candidate": str,
    },
    "edits": {
        "step": int,
        "update": int,
        "parameter": str,
        "fate": str,
        "credit": float,
        "earlier": bool,
        "answers": str,
        "errors": str,
        "op": str,
        "why": str,
        "edit": str,
    },
    "trajectories": {
        "id": str,
        "row": str,
        "version": str,
        "phase": str,
        "step": int,
        "score": float,
        "status": str,
        "error": str,
        "inputs": str,
        "output": str,
        "calls": int,
        "tokens": int,
        "usd": float,
        "seconds": float,
    },
    "calls": {
        "phase": str,
        "node": str,
        "calls": int,
        "cached": int,
        "prompt_tokens": int,
        "completion_tokens": int,
        "usd": float,
        "seconds": float,
        "estimated": bool,
        "tokens": int,
    },
    "curve": {"step": int, "calls": int, "best": str, "val": float},
    "versions": {"hash": str, "parent": str, "how": str, "step": int, "val": float},
}
"""The columns of each table and what they hold; every cell may be empty. The same for every run, so that tables of
several runs can be put under one another."""


def tables(store: Store, run: Run[Any]) -> dict[str, Table]:
    """Return every table by its name; what is no number or text stands in it as JSON."""
    return {
        "steps": steps(run),
        "edits": list(_edits(run)),
        "trajectories": list(_trajectories(store, run)),
        "calls": [
            {**entry, "tokens": entry["prompt_tokens"] + entry["completion_tokens"]} for entry in run.ledger.to_json()
        ],
        "curve": [point._asdict() for point in run.course.points],
        "versions": [_version(version) for version in run.course.versions],
    }


def _version(version: VersionRecord) -> dict[str, Any]:
    """Return a version as a row, its step counted from 1 as in every table."""
    row = version._asdict()
    return {**row, "step": None if row["step"] is None else row["step"] + 1}


def steps(run: Run[Any]) -> Table:
    """Return one row a step; steps count from 1, as everywhere on the screen."""
    return [
        {
            "step": step.step + 1,
            "rows": step.rows,
            "train": step.score,
            "val": step.val,
            "accepted": step.accepted,
            "before": None if step.decision is None else step.decision.before,
            "after": None if step.decision is None else step.decision.after,
            "reason": "" if step.decision is None else step.decision.reason,
            "validated": None if step.validated is None else step.validated.accept,
            "updates": len(step.proposal.updates),
            "edits": len(step.proposal.edits),
            "calls": step.calls,
            "base": step.base,
            "candidate": step.candidate,
        }
        for step in run.steps
    ]


def frame(run: Run[Any]) -> Any:
    """Return the steps as a pandas data frame; raises UsageError where there is no pandas."""
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise UsageError(f"a data frame needs pandas; {_EXTRA}") from error
    return DataFrame(steps(run), columns=list(COLUMNS["steps"]))


def export(found: Mapping[str, Table], folder: Path, form: Format) -> list[Path]:
    """Write tables into a folder, one file each, and return the files.

    Args:
        found: what `tables` returned.
        folder: where they go; it is made.
        form: the kind of files.

    Raises:
        UsageError: Parquet is asked for and pyarrow is not installed.
        AgentsymError: nothing can be written there.
    """
    write: Callable[[Path, Table, Columns], None] = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}[form]
    if form == "parquet":
        _pyarrow()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name, rows in found.items():
            file = folder / f"{name}.{form}"
            write(file, rows, COLUMNS[name])
            files.append(file)
        return files
    except OSError as error:
        raise AgentsymError(
            f"{folder}: the tables cannot be written there ({error.strerror or error}); name another with --out"
        ) from error


def _edits(run: Run[Any]) -> Iterator[dict[str, Any]]:
    for step in run.steps:
        for at, update in enumerate(step.proposal.updates):
            common = {
                "step": step.step + 1,
                "update": at,
                "parameter": update.parameter,
                "fate": fate(step, at),
                "credit": step.credit.get(at),
                "earlier": update.earlier,
                "answers": as_json(update.groups),
                "errors": as_json(update.errors),
            }
            for edit in update.edits:
                yield {**common, "op": edit.op, "why": edit.why, "edit": as_json(edit.model_dump(mode="json"))}
            if not update.edits:
                yield {**common, "op": None, "why": "", "edit": None}


def _trajectories(store: Store, run: Run[Any]) -> Iterator[dict[str, Any]]:
    for recorded in store.trajectories(run.id):
        trajectory, data = recorded.trajectory, recorded.data
        yield {
            "id": trajectory.id,
            "row": trajectory.example_id,
            "version": trajectory.version,
            "phase": data.get("phase"),
            "step": None if data.get("step") is None else data["step"] + 1,
            "score": data.get("score"),
            "status": trajectory.status,
            "error": trajectory.error,
            "inputs": as_json(trajectory.inputs),
            "output": as_json(trajectory.output),
            "calls": trajectory.usage.calls,
            "tokens": trajectory.usage.tokens,
            "usd": trajectory.usage.usd,
            "seconds": trajectory.seconds,
        }


def _jsonl(file: Path, rows: Table, columns: Columns) -> None:
    with file.open("w", encoding="utf-8", errors="replace") as out:
        out.writelines(f"{as_json({name: row[name] for name in columns})}\n" for row in rows)


def _csv(file: Path, rows: Table, columns: Columns) -> None:
    with file.open("w", encoding="utf-8", errors="replace", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(columns))
        writer.writeheader()
        writer.writerows(rows)


def _parquet(file: Path, rows: Table, columns: Columns) -> None:
    pyarrow = _pyarrow()
    from pyarrow import parquet

    types = {int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_(), str: pyarrow.string()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    clean = [{name: _encodable(value) for name, value in row.items()} for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist(clean, schema=schema), file)


def _encodable(value: Any) -> Any:
    """Return a cell without half a pair of code units, which is no character; the other formats replace it, too."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise UsageError(f"Parquet needs pyarrow; {_EXTRA}, or take --format jsonl or csv") from error
    return pyarrow
