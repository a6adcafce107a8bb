"""Rows of a comparison in a file, so that one that was stopped after minutes goes on where it was.

The file is what `evals.peers.table --json` prints; it is written anew after every run, whole or not at all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evals.peers.catalog import Peer
from evals.peers.results import Row
from evals.peers.task import Task


class Planned(NamedTuple):
    """One run of the comparison."""

    measure: str
    peer: Peer
    task: Task
    seed: int


def read(file: Path) -> list[Row]:
    """Return the rows that a file keeps, without those of runs that failed; none where there is no such file.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else than rows.
    """
    if not file.exists():
        return []
    rows = json.loads(file.read_text("utf-8"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "measure" in row for row in rows):
        raise ValueError("no list of rows")
    return [row for row in rows if "failed" not in row]


def write(file: Path, rows: Sequence[Row]) -> None:
    """Put rows into a file in place of those that it has kept.

    Raises:
        OSError: it cannot be written.
    """
    draft = file.with_name(f"{file.name}.part")
    draft.write_text(json.dumps(rows, indent=1), "utf-8")
    draft.replace(file)


def fit(rows: Iterable[Row], seeds: Sequence[int], latency_ms: float) -> bool:
    """Say whether rows are of a comparison with these settings."""
    return all(
        (row["seeds"], row["latency_ms"]) == (len(seeds), latency_ms)
        if row["measure"] == "machine"
        else row["measure"] != "learn" or row["seed"] in seeds
        for row in rows
    )


def missing(runs: Iterable[Planned], rows: Iterable[Row]) -> Iterator[Planned]:
    """Yield the runs of which there are no rows yet; where one is planned several times, as often as it is missing."""
    done = Counter(_key(row["measure"], row.get("peer"), row.get("mode"), row.get("seed")) for row in rows)
    for run in runs:
        key = _key(run.measure, run.peer.name, run.task.mode, run.seed)
        if not done[key]:
            yield run
        done[key] -= bool(done[key])


def _key(measure: str, peer: Any, mode: Any, seed: Any) -> tuple[Any, ...]:
    """Return what tells runs apart: all but those that learn are of one task and one seed."""
    return (measure, peer, mode, seed) if measure == "learn" else (measure, peer)
