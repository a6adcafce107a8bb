"""What is measured of the contestants: learning, the forward pass, its overhead, equal requests and runs, imports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from evals.peers.assignment import Assignment
from evals.peers.catalog import BARE, PEERS, Peer
from evals.peers.forward import Load
from evals.peers.processes import import_row, run
from evals.peers.task import Task

Row = dict[str, Any]
LATENCY_MS = 50.0
REPEATS = 4  # of one seed
LOADS = {
    "forward": (Load(), LATENCY_MS),
    "overhead": (Load(tickets=300, workers=1), 0.0),
    "identical": (Load(tickets=32, same=True), 10 * LATENCY_MS),  # none is answered before the last one is asked
}
"""Measure of the forward pass → what is sent through, and the server's latency."""
MEASURES = ("learn", *LOADS, "repeat", "import")


def contestants(measure: str, names: Sequence[str] = ()) -> list[Peer]:
    """Return who takes part in a measure, in the order of the table.

    Without names that is everyone whose runs can differ in it: what is the same for all optimizers of a library is
    measured with one of them, the forward pass also with langgraph and aiohttp alone, and who shows no failures to an
    optimizer need not be repeated.
    """
    chosen = [PEERS[name] for name in names or PEERS]
    if measure == "learn" or (names and measure == "repeat"):
        return chosen
    if measure == "repeat":
        return [peer for peer in chosen if peer.seeds is None]
    return [*([BARE] if measure in LOADS else []), *_one_a_library(chosen)]


def measured(
    measure: str, peer: Peer, url: str, task: Task, seeds: Sequence[int] = (0,), latency_ms: float = 0.0
) -> Iterator[Row]:
    """Yield the rows of one contestant.

    Args:
        measure: one of `MEASURES`.
        peer: the contestant.
        url: base URL of the server.
        task: the task.
        seeds: of `learn`; `repeat` takes the first one several times.
        latency_ms: of `learn` and `repeat`; the measures of the forward pass have their own.

    Raises:
        RunFailed: a run came to no row.
    """
    if measure == "import":
        yield import_row(peer)
        return
    if measure in LOADS:
        load, latency = LOADS[measure]
        task = replace(task, chain=1) if load.same else task  # of two nodes, the second would ask later
        assignments = [Assignment(url, task, 0, latency, {**peer.options, **asdict(load)})]
    else:
        drawn = [seeds[0]] * REPEATS if measure == "repeat" else seeds[: peer.seeds]
        assignments = [Assignment(url, task, seed, latency_ms, peer.options) for seed in drawn]
    for assignment in assignments:
        yield {"measure": measure, **run(peer, "forward" if measure in LOADS else "learn", assignment)}


def _one_a_library(peers: Sequence[Peer]) -> list[Peer]:
    found: dict[str, Peer] = {}
    for peer in peers:
        found.setdefault(peer.environment, peer)
    return list(found.values())
