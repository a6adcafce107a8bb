"""Many jobs side by side, their results in order, and never more in memory than a small window of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from agentsym.errors import UsageError

I = TypeVar("I")  # noqa: E741
T = TypeVar("T")

_AHEAD = 4
"""How many jobs may be under way or waiting to be handed out, for each that may run at once."""


async def in_order(
    work: Callable[[I], Awaitable[T]], items: Iterable[I] | AsyncIterable[I], concurrency: int
) -> AsyncGenerator[T, None]:
    """Yield `await work(item)` for each item in the order of the items, at most `concurrency` at once.

    Items are taken as they are needed. The first error cancels what is still under way and is raised.
    """
    if concurrency < 1:
        raise UsageError(f"the concurrency is {concurrency}; it must be 1 or more")
    slots = asyncio.Semaphore(concurrency)

    async def one(item: I) -> T:
        async with slots:
            return await work(item)

    pending: deque[asyncio.Task[T]] = deque()
    try:
        async for item in _each(items):
            pending.append(asyncio.create_task(one(item)))
            while pending and (len(pending) >= _AHEAD * concurrency or pending[0].done()):
                yield await pending.popleft()
        while pending:
            yield await pending.popleft()
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def _each(items: Iterable[I] | AsyncIterable[I]) -> AsyncIterator[I]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
