"""Rows through a command one after the other: taken as they are needed, side by side, and never lost on the way.

A cap, a server that is gone, a row that cannot be read, a reader who has had enough, or Ctrl-C: no further row is
begun then, and those under way are finished and handed on before the reason is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

from agentsym.errors import AgentsymError, RunStopped

if TYPE_CHECKING:
    from agentsym.learning.protocols import Row
    from agentsym.runtime.executors.protocol import Executor

T = TypeVar("T")


class Enough(Exception):
    """Whoever takes the results wants no more of them."""


def stream(
    rows: Iterable[Row],
    work: Callable[[Row], Awaitable[T]],
    take: Callable[[Row, T], None],
    executor: Executor,
    concurrency: int,
) -> AgentsymError | None:
    """Work on rows and hand on (row, result) in their order.

    Args:
        rows: read as they are needed.
        work: does one row; what it raises ends the stream, and that row is not handed on.
        take: takes a result; raises Enough to end the stream.
        executor: where the work runs; it is entered for as long as that takes.
        concurrency: the most rows at once, as far as the executor does not want more.

    Returns:
        What ended the stream before the rows did; None where they were all done or `take` wanted no more.
    """
    from agentsym.cli.signals import Signals
    from agentsym.runtime.ordered import in_order

    ended: list[AgentsymError] = []
    unread: list[AgentsymError] = []
    finished: dict[int, tuple[Row, T]] = {}

    def waiting() -> Iterator[tuple[int, Row]]:
        try:
            for place, row in enumerate(rows):
                if ended:
                    return
                yield place, row
        except AgentsymError as error:
            unread.append(error)

    async def one(item: tuple[int, Row]) -> int:
        place, row = item
        if not ended:
            try:
                finished[place] = row, await work(row)
            except AgentsymError as error:
                ended.append(error)
        return place

    def hand_on(place: int) -> None:
        if place in finished:
            take(*finished.pop(place))

    async def everything() -> None:
        async with executor, aclosing(in_order(one, waiting(), executor.width(concurrency))) as places:
            async for place in places:
                hand_on(place)

    with Signals() as signals:
        try:
            try:
                signals.run(everything())
            except KeyboardInterrupt:
                ended.append(RunStopped("interrupted; what was done until then is written"))
                for place in sorted(finished):
                    hand_on(place)
        except Enough:
            return None
    return next(iter(ended + unread), None)
