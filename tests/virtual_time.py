"""An event loop whose clock jumps when nothing is left to do, so that waiting costs no time in a test.

`asyncio.sleep`, timeouts and `loop.time()` all follow it; a minute of latency passes in a millisecond and the
figures come out the same on a slow machine.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
R = TypeVar("R")
STUCK_AFTER = 10.0  # real seconds


class Virtual(NamedTuple, Generic[T]):
    """What a coroutine returned and how many virtual seconds it took."""

    result: T
    seconds: float


class _JumpingSelector(selectors.DefaultSelector):
    """Asks for events without waiting; where there are none, the loop's clock jumps to its next timer."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.loop.threads:
            return super().select(0.01 if timeout is None else min(timeout, 0.01))  # threads work in real time
        if timeout is None:
            if not (events := super().select(STUCK_AFTER)):
                raise RuntimeError("the virtual loop is stuck: everyone waits and nothing is scheduled")
            return events
        if not (events := super().select(0)):
            self.loop.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop that starts at 0 virtual seconds. Its clock stands still while a thread of it works."""

    def __init__(self) -> None:
        self.now = 0.0
        self.threads = 0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., R], *args: Any
    ) -> asyncio.Future[R]:
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: object) -> None:
        self.threads -= 1


def run_virtual(main: Coroutine[Any, Any, T]) -> Virtual[T]:
    """Run a coroutine on a loop of its own in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        result = runner.run(main)
        return Virtual(result, runner.get_loop().time())
