"""Processes that do one job after the other: a job is a line of JSON on stdin, its result one on stdout.

Clients and the direct loop are such processes, so that neither pays for the other's CPU, and imports are paid for once.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from evals.deployed.figures import cpu_s


class Worker:
    """A module's process; `with` ends it.

    Args:
        module: the module that calls `work`.
        environment: its variables; those of this process by default.
    """

    def __init__(self, module: str, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=None if environment is None else dict(environment),
        )

    @property
    def cpu_s(self) -> float:
        """The CPU seconds that it has used."""
        return cpu_s(self._process.pid)

    def send(self, job: Mapping[str, Any]) -> None:
        """Give it a job; `result` waits for the end."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """Wait for the job that was sent.

        Raises:
            RuntimeError: the process has ended; what it said went to stderr.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} has ended; what it said stands above")
        found: dict[str, Any] = json.loads(line)
        return found

    def do(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Give it a job and wait for the end."""
        self.send(job)
        return self.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


async def work(do: Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]) -> None:
    """Do the jobs that come on stdin, until it ends."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await do(json.loads(line))), flush=True)
