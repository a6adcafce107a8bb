"""The one writer of traces and feedback: whatever waits is redacted and committed in one transaction.

Whoever hands something over is answered after the commit, so what a client was told of survives the process; many
clients share one commit, so that costs each of them little.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, TypeVar

from agentsym.deploy.failures import NotRecorded
from agentsym.deploy.redaction import Redactor
from agentsym.errors import StoreError
from agentsym.network.records import Trajectory
from agentsym.store.live.traces import Feedback, Trace, example_id_of
from agentsym.store.store import Store

MOST = 256  # items of one transaction
LONGEST_S = 30.0  # that anybody waits for a commit

log = logging.getLogger(__name__)


class _Item(NamedTuple):
    """Something to be written, and who waits for it."""

    record: Trace | Feedback
    keep: bool
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class Writer:
    """Writes from a thread of its own, from `start` to `close`.

    Args:
        store: where to.
        redactor: takes out what must not be kept.
    """

    def __init__(self, store: Store, redactor: Redactor) -> None:
        self._store = store
        self._redactor = redactor
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many items are not yet taken up."""
        return self._items.qsize()

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._write, name="agentsym-writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what waits, and end."""
        if self._thread is not None:
            self._items.put(None)
            self._thread.join()
            self._thread = None

    async def trace(self, trace: Trace, *, keep: bool) -> None:
        """Write a trace down, with its trajectory if that is to be kept, and wait for the commit.

        Raises:
            NotRecorded: it could not be written.
        """
        try:
            await self._handed_over(trace, keep)
        except StoreError as error:
            raise NotRecorded("the answer could not be recorded, so it is not given; try again later") from error

    async def feedback(self, feedback: Feedback) -> None:
        """Write feedback down and wait for the commit; raises NotRecorded like `trace`."""
        try:
            await self._handed_over(feedback, True)
        except StoreError as error:
            raise NotRecorded("the feedback could not be recorded; try again later") from error

    async def _handed_over(self, record: Trace | Feedback, keep: bool) -> None:
        if self._thread is None:
            raise StoreError("the writer has ended")
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._items.put(_Item(record, keep, loop, done))
        try:
            async with asyncio.timeout(LONGEST_S):
                await done
        except TimeoutError:
            raise StoreError(f"the store has not taken it within {LONGEST_S:g} seconds") from None

    def _write(self) -> None:
        while (item := self._items.get()) is not None:
            items = [item]
            ended = False
            while len(items) < MOST and not self._items.empty():
                following = self._items.get()
                if following is None:
                    ended = True
                    break
                items.append(following)
            self._commit(items)
            if ended:
                return

    def _commit(self, items: Sequence[_Item]) -> None:
        """Write a group; where one item of it cannot be written, all are written one by one."""
        error: Exception | None = None
        try:
            redactor = self._redactor
            found = [(item.record, item.keep) for item in items]
            traces = [redacted(record, redactor, keep=keep) for record, keep in found if isinstance(record, Trace)]
            said = [redacted(record, redactor) for record, _ in found if isinstance(record, Feedback)]
            self._store.traces.add(traces, said)
        except StoreError as failed:
            log.error("traces cannot be written: %s", failed)
            error = failed
        except Exception as failed:  # an item that is no JSON, or a detector that fails on it
            if len(items) > 1:
                for item in items:
                    self._commit([item])
                return
            log.error("a trace cannot be written: %s", type(failed).__name__)
            error = StoreError(f"it cannot be written ({type(failed).__name__})")
        _tell(items, error)


R = TypeVar("R", Trace, Feedback)


def redacted(record: R, redactor: Redactor, *, keep: bool = True) -> R:
    """Return what is written of a trace or of feedback: redacted, and nothing in it that a database refuses.

    Args:
        record: the trace, with its trajectory, or the feedback.
        redactor: takes out what must not be kept.
        keep: whether the trajectory of a trace is kept.
    """
    if isinstance(record, Feedback):
        label = None if record.label is None else redactor.value(record.label)
        return record.model_copy(update={"text": redactor.text(record.text), "label": label})
    assert record.trajectory is not None
    inputs = redactor.value(record.trajectory.inputs)
    example_id = example_id_of(inputs)
    kept: Trajectory | None = None
    if keep:
        kept = redactor.trajectory(record.trajectory).model_copy(update={"example_id": example_id})
    error = None if record.error is None else redactor.text(record.error)
    thread = _thread_id(record.thread, redactor)
    return record.model_copy(update={"trajectory": kept, "error": error, "thread": thread, "example_id": example_id})


def _thread_id(thread: str, redactor: Redactor) -> str:
    """Return a thread's id as it is kept: if it says who somebody is, its digest, so that threads stay apart."""
    return thread if redactor.text(thread) == thread else f"thread-{sha256(thread.encode()).hexdigest()[:16]}"


def _tell(items: Sequence[_Item], error: Exception | None) -> None:
    """Tell all that wait how it went, each loop once."""
    for loop in {item.loop for item in items}:
        waiting = [item.done for item in items if item.loop is loop]
        try:
            loop.call_soon_threadsafe(_settle, waiting, error)
        except RuntimeError:
            log.warning("nobody waits any more for %d traces", len(waiting))


def _settle(waiting: Sequence[asyncio.Future[None]], error: Exception | None) -> None:
    for done in waiting:
        if done.done():
            continue  # whoever waited was cancelled
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
