"""The sandbox of one level: its templates, one an event loop, and what the end of a call means.

Nobody closes sandboxes, so each loop gets a template at first use, and the loop's own shutdown ends it.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from agentsym.errors import NodeError, SandboxError
from agentsym.runtime.sandbox.answers import read_result, read_tests
from agentsym.runtime.sandbox.inside.frames import CONFINED
from agentsym.runtime.sandbox.levels import Level, environment
from agentsym.runtime.sandbox.protocol import USUAL, Checked, CheckReport, LearnedCodeError, Limits
from agentsym.runtime.sandbox.worker import Answer, Worker


class _OnLoop:
    """What one event loop has: its template, and the turns to call it; `keeper` ends the template with the loop."""

    def __init__(self, keeper: AsyncGenerator[None, None], at_once: int) -> None:
        self.keeper = keeper
        self.turns = asyncio.Semaphore(at_once)
        self.starting = asyncio.Lock()
        self.worker: Worker | None = None


class ProcessSandbox:
    """A `Sandbox` whose calls are children of a process that gave up its rights; for any number of loops and threads.

    Args:
        level: how that process is started.
        at_once: calls at the same time, on one loop; by default one a processor, since tools only compute.
    """

    def __init__(self, level: Level, at_once: int | None = None) -> None:
        self.level = level
        self._at_once = at_once or max(2, os.cpu_count() or 1)
        self._held: dict[asyncio.AbstractEventLoop, _OnLoop] = {}

    async def call(
        self,
        source: str,
        function: str,
        arguments: Mapping[str, Any],
        *,
        timeout_s: float,
        limits: Limits = USUAL,
    ) -> Any:
        body = await self._run(
            {"source": source, "function": function, "arguments": dict(arguments)}, timeout_s, limits
        )
        return read_result(body)

    async def run_tests(self, source: str, tests: str, *, timeout_s: float, limits: Limits = USUAL) -> CheckReport:
        try:
            return read_tests(await self._run({"source": source, "tests": tests}, timeout_s, limits))
        except LearnedCodeError as error:
            return CheckReport((Checked("run", False, str(error), error.line),))

    async def found(self) -> dict[str, Any]:
        """Return what the template says of the machine: Landlock's version, its user, whether it has namespaces.

        Raises:
            SandboxError: there is no such level here, or its process does not start.
        """
        held = await self._on_loop()
        return (await self._worker(held)).found

    async def _run(self, request: Mapping[str, Any], timeout_s: float, limits: Limits) -> bytes:
        try:
            payload = json.dumps(request, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise NodeError(f"learned code takes JSON values only: {error}") from error
        header = {
            "timeout_s": timeout_s,
            "most": limits.output_kb << 10,
            "limits": (math.ceil(limits.cpu_s), limits.memory_mb << 20, limits.file_mb << 20, limits.open_files),
        }
        held = await self._on_loop()
        async with held.turns:
            worker = await self._worker(held)
            return _checked(await worker.ask(header, payload), timeout_s, limits)

    async def _worker(self, held: _OnLoop) -> Worker:
        async with held.starting:
            if held.worker is None or held.worker.ended:
                if held.worker is not None:
                    held.worker.kill()
                held.worker = await Worker.start(self.level.command(), environment())
            return held.worker

    async def _on_loop(self) -> _OnLoop:
        """Return what the running loop has, made at first use."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is None:
            self._end_orphans()
            keeper = self._keep(loop)
            held = self._held[loop] = _OnLoop(keeper, self._at_once)
            await anext(keeper)  # does not wait: nobody comes in between
        return held

    async def _keep(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
        """Hold a loop's template until the loop shuts its asynchronous generators down."""
        try:
            yield
        finally:
            held = self._held.pop(loop, None)
            if held is not None and held.worker is not None:
                await held.worker.close()

    def _end_orphans(self) -> None:
        """End the templates of loops that ended without shutting their generators down."""
        for loop in [loop for loop in self._held if loop.is_closed()]:
            orphan = self._held.pop(loop, None)
            if orphan is not None and orphan.worker is not None:
                orphan.worker.kill()


def _checked(answer: Answer, timeout_s: float, limits: Limits) -> bytes:
    """Return what learned code answered.

    Raises:
        LearnedCodeError: it went over a limit, or its process died.
        SandboxError: it was not run, since its process could not be confined.
    """
    header, body = answer
    end = header["end"]
    if not body.startswith(CONFINED) and (body or end == "answer"):
        why = body.decode("utf-8", "replace") or "it ended before"
        raise SandboxError(f"the call's process could not be confined, so nothing was run ({why})")
    if end == "timeout":
        raise LearnedCodeError(
            f"the learned code took longer than {timeout_s:g} seconds; make it do less, or raise timeout_s", "timeout"
        )
    if end == "output":
        raise LearnedCodeError(f"the learned code answered more than {limits.output_kb} KiB", "output")
    if len(body) > len(CONFINED):
        return body[len(CONFINED) :]
    raise _died(header["status"], header["cpu_s"], limits)


def _died(status: int, cpu_s: float, limits: Limits) -> LearnedCodeError:
    late = status == -signal.SIGKILL and cpu_s >= math.ceil(limits.cpu_s) - 0.1  # it did not heed SIGXCPU
    if late or status == -signal.SIGXCPU:
        most = math.ceil(limits.cpu_s)
        return LearnedCodeError(f"the learned code used more than {most} seconds of processor time", "cpu")
    if status >= 0:
        how = f"with exit code {status}"
    else:
        known = {number.value: number.name for number in signal.Signals}
        how = f"by {known.get(-status, f'signal {-status}')}"
    return LearnedCodeError(f"the learned code's process ended {how}, without an answer", "died")
