"""An event loop in a thread of its own: how code without a loop, or inside one that is running, calls async code.

The async method is always the real one; the sync one beside it waits for it here.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from agentsym.errors import UsageError

T = TypeVar("T")
THREADS = 64  # for sync code of users that waits: Python's own default is four more than there are cores


class LoopThread:
    """Runs coroutines for callers in other threads until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="agentsym", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the caller's context, wait for it, and return its result; Ctrl-C cancels it.

        Raises:
            UsageError: when called from the loop itself, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise UsageError("called from inside the session's own event loop; await the async method instead")
        done: Future[T] = Future()
        context = contextvars.copy_context()

        def start() -> None:
            task = self._loop.create_task(work, context=context)
            tasks.append(task)
            task.add_done_callback(lambda task: _hand_over(task, done))

        tasks: list[asyncio.Task[T]] = []
        self._loop.call_soon_threadsafe(start)
        try:
            return done.result()
        except BaseException:
            self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
            raise

    def close(self) -> None:
        """Cancel what is still under way and end the thread."""
        if self._loop.is_closed():
            return
        self.run(_cancel_others())
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """Let the thread end soon, without waiting for it."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _serve(self) -> None:
        threads = ThreadPoolExecutor(THREADS)
        self._loop.set_default_executor(threads)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())  # closes clients' connections
            threads.shutdown(wait=False)
            self._loop.close()


def _hand_over(task: asyncio.Task[T], done: Future[T]) -> None:
    if task.cancelled():
        done.cancel()
        done.set_running_or_notify_cancel()
    elif (error := task.exception()) is not None:
        done.set_exception(error)
    else:
        done.set_result(task.result())


async def with_threads(work: Coroutine[Any, Any, T]) -> T:
    """Do work in a loop that has threads enough for sync code of users; for the first task of a loop."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    return await work


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end: on a loop of its own here, or in a thread where a loop is running already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(with_threads(work))
    thread = LoopThread()
    try:
        return thread.run(work)
    finally:
        thread.close()
