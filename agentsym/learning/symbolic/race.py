"""Validation as a race against the best version so far: it is broken off as soon as it can no longer be won.

Most candidates lose, and validation is most of what an optimization costs; so rows are run in slices, and what is
still in flight when the race is lost is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from agentsym.errors import UsageError
from agentsym.learning.gate import TIE
from agentsym.learning.protocols import Row

SLICE = 8


class Raced(NamedTuple):
    """How a race went: the scores by row id up to where it was decided, and whether those are all rows."""

    scores: dict[str, float]
    finished: bool


async def race(
    rows: Sequence[Row],
    score: Callable[[Row], Awaitable[float]],
    *,
    beat: float,
    concurrency: int,
    slice_size: int = SLICE,
) -> Raced:
    """Score rows until all are scored, or even perfect scores on the rest would leave the mean below `beat`.

    Whether it goes on is decided at the end of each slice, from the scores of that slice and those before it; so the
    result depends on the scores alone, whoever answers first. Rows that are needed whatever the others score start at
    once, and one slice beyond them on trial: if the race is lost, that one is cancelled and not counted.

    Args:
        rows: in the order in which they start.
        score: scores a row, in [0, 1].
        beat: the mean to reach.
        concurrency: rows in flight at most.
        slice_size: rows between two decisions.

    Raises:
        UsageError: concurrency or slice size is below 1.
        Exception: the first error of `score`; what is in flight is cancelled.
    """
    if concurrency < 1 or slice_size < 1:
        raise UsageError(f"concurrency ({concurrency}) and slice size ({slice_size}) of a race must be 1 or more")
    try:
        async with asyncio.TaskGroup() as group:
            return await _run(group, rows, score, beat=beat, concurrency=concurrency, slice_size=slice_size)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _run(
    group: asyncio.TaskGroup,
    rows: Sequence[Row],
    score: Callable[[Row], Awaitable[float]],
    *,
    beat: float,
    concurrency: int,
    slice_size: int,
) -> Raced:
    slots = asyncio.Semaphore(concurrency)

    async def run(row: Row) -> float:
        async with slots:
            return await score(row)

    runs: list[asyncio.Task[float]] = []
    scores: dict[str, float] = {}
    for end in range(slice_size, len(rows) + slice_size, slice_size):
        room = sum(scores.values()) + len(rows) * (1.0 - beat + TIE)  # the race goes on at least so far
        certain = int(room) // slice_size * slice_size + slice_size  # a slice that starts there is needed
        runs += [group.create_task(run(row)) for row in rows[len(runs) : max(end, certain) + slice_size]]
        decisive = runs[len(scores) : end]
        await asyncio.wait(decisive)  # awaiting one run would, when cancelled, end that one first and start another
        scores |= {row.id: task.result() for row, task in zip(rows[len(scores) : end], decisive, strict=True)}
        if end < len(rows) and (sum(scores.values()) + len(rows) - end) / len(rows) < beat - TIE:
            for task in runs[end:]:
                task.cancel()
            return Raced(scores, finished=False)
    return Raced(scores, finished=True)
