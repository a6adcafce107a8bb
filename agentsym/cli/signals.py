"""Ctrl-C and SIGTERM: what is under way is cancelled once and writes itself down, and nothing cuts into the saving.

A second Ctrl-C often comes at once (a key that bounces, a shell that passes it on), so only one that comes later
counts as impatience.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import threading
import time
from collections.abc import Coroutine
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from agentsym.errors import RunStopped

T = TypeVar("T")

BOUNCE = 2.0  # seconds for which a further signal says nothing new
STOPS = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Holds back the signals that stop a command while it is open; use it as a context manager.

    Before anything runs a signal raises KeyboardInterrupt, while something runs it is cancelled, and afterwards a
    signal is ignored, so that what was reached can be saved in peace.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._first: float | None = None
        self._over = self._leaving = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            self._before = {number: signal.signal(number, self._stop) for number in STOPS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = self._first is not None  # the command is on its way out then, and a bounce must not kill it
        if self._leaving:
            atexit.register(_ignore)
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end.

        Raises:
            KeyboardInterrupt: a signal came; the coroutine was cancelled.
        """
        from agentsym.runtime.loop import with_threads

        async def noted() -> T:
            self._task = asyncio.current_task()
            return await with_threads(work)

        try:
            return asyncio.run(noted())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            self._over = True

    def _stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        bounced = self._first is not None and now - self._first < BOUNCE
        if self._leaving and not bounced:
            os._exit(RunStopped.exit_code)  # all is saved; what still runs is a thread of the user's code
        if self._over or bounced:
            return
        if self._task is None or self._first is not None:
            raise KeyboardInterrupt
        self._first = now
        self._task.cancel()
        self._task.get_loop().call_soon_threadsafe(lambda: None)  # wakes a loop that waits for the network


def _ignore() -> None:
    """Ignore what comes while the interpreter takes itself down: it gives up handlers of ours before its end."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
