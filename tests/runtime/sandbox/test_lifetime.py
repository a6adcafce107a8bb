"""Nothing outlives its time: calls end when they are given up, templates with their loop, and nothing is left."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from agentsym.errors import SandboxError
from agentsym.runtime.sandbox.levels import Level
from agentsym.runtime.sandbox.process import ProcessSandbox
from agentsym.runtime.sandbox.protocol import Sandbox

SLEEPS = "import time\ndef f():\n    time.sleep(60)\n"
DOUBLES = "def f(x):\n    return x * 2\n"


def below(pid: int) -> list[int]:
    """The processes that a process started, and those that they did; also those that ended and were not waited for."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *below(child)]
    return found


@pytest.fixture
def fresh(sandbox: Sandbox) -> ProcessSandbox:
    """A sandbox of this machine's level that has not started anything."""
    assert isinstance(sandbox, ProcessSandbox)
    return ProcessSandbox(sandbox.level)


async def doubled(sandbox: Sandbox, x: int) -> Any:
    return await sandbox.call(DOUBLES, "f", {"x": x}, timeout_s=10)


async def test_a_cancelled_call_is_killed(fresh: ProcessSandbox) -> None:
    await doubled(fresh, 1)
    idle = below(os.getpid())
    task = asyncio.create_task(fresh.call(SLEEPS, "f", {}, timeout_s=60))
    while len(below(os.getpid())) == len(idle):
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await doubled(fresh, 4) == 8
    assert below(os.getpid()) == idle


async def test_calls_run_at_the_same_time_each_with_its_own_answer(fresh: ProcessSandbox) -> None:
    assert await asyncio.gather(*(doubled(fresh, x) for x in range(40))) == [x * 2 for x in range(40)]


async def test_no_more_calls_run_at_once_than_were_said(sandbox: Sandbox) -> None:
    assert isinstance(sandbox, ProcessSandbox)
    one = ProcessSandbox(sandbox.level, at_once=1)
    slow = asyncio.create_task(one.call("import time\ndef f():\n    time.sleep(0.2)\n", "f", {}, timeout_s=10))
    await asyncio.sleep(0.05)
    # What waits for its turn is not timed: this one would not be done in its time otherwise.
    assert await one.call(DOUBLES, "f", {"x": 1}, timeout_s=0.15) == 2
    assert slow.done()


def test_a_template_ends_with_its_loop(fresh: ProcessSandbox) -> None:
    before = below(os.getpid())
    assert asyncio.run(doubled(fresh, 2)) == 4
    assert below(os.getpid()) == before
    assert asyncio.run(doubled(fresh, 3)) == 6


def test_a_loop_that_ends_in_the_middle_of_a_call_leaves_nothing(fresh: ProcessSandbox) -> None:
    async def leaves() -> None:
        await doubled(fresh, 1)
        task = asyncio.create_task(fresh.call(SLEEPS, "f", {}, timeout_s=60))
        await asyncio.sleep(0.05)
        del task

    before = below(os.getpid())
    asyncio.run(leaves())
    assert below(os.getpid()) == before


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_loop_that_was_only_closed_leaves_its_template_to_the_next(fresh: ProcessSandbox) -> None:
    before = below(os.getpid())
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(doubled(fresh, 2)) == 4
    loop.close()
    assert len(below(os.getpid())) > len(before)
    assert asyncio.run(doubled(fresh, 3)) == 6
    assert below(os.getpid()) == before
    gc.collect()  # asyncio warns of the connection that was not closed


def test_loops_in_several_threads_do_not_disturb_each_other(fresh: ProcessSandbox) -> None:
    results: dict[int, Any] = {}
    threads = [
        threading.Thread(target=lambda x=x: results.update({x: asyncio.run(doubled(fresh, x))})) for x in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {x: x * 2 for x in range(4)}


async def test_a_template_that_dies_fails_its_calls_and_is_replaced(fresh: ProcessSandbox) -> None:
    await doubled(fresh, 1)
    (worker,) = (held.worker for held in fresh._held.values())
    assert worker is not None
    template = [worker._process.pid, *below(worker._process.pid)][-1]
    task = asyncio.create_task(fresh.call(SLEEPS, "f", {}, timeout_s=60))
    await asyncio.sleep(0.05)
    os.kill(template, signal.SIGKILL)
    with pytest.raises(SandboxError, match="ended in the middle of a call; the next call starts another one"):
        await task
    assert await doubled(fresh, 5) == 10


async def test_a_program_that_does_not_start_is_told_with_its_last_words() -> None:
    for command, message in (
        (("/nowhere/bwrap",), "/nowhere/bwrap cannot be started"),
        (("/bin/sh", "-c", "echo no permission >&2"), "it does not start: no permission"),
        (("/bin/true",), "it does not start: it ended without a word"),
    ):
        sandbox = ProcessSandbox(Level("broken", "", lambda command=command: command))
        with pytest.raises(SandboxError, match=message):
            await doubled(sandbox, 1)
