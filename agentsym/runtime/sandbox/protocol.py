"""What a sandbox does, within which limits, and what it raises: all that the rest of agentsym needs to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

from agentsym.errors import NodeError

Reason = Literal["exception", "source", "result", "timeout", "cpu", "memory", "output", "died"]


class Limits(NamedTuple):
    """What one call may use.

    Attributes:
        cpu_s: seconds of processor time, rounded up to whole ones.
        memory_mb: MiB of address space; the interpreter itself needs about 100 of them.
        file_mb: MiB in one file of its own.
        output_kb: KiB of its answer as JSON.
        open_files: files open at once.
    """

    cpu_s: float = 2.0
    memory_mb: int = 512
    file_mb: int = 1
    output_kb: int = 200
    open_files: int = 32


USUAL = Limits()


class LearnedCodeError(NodeError):
    """Learned code gave no result; the message says why, and where in its source.

    Attributes:
        reason: `exception`: it raised one; `source`: it has no such function; `result`: what it returned is no JSON;
            `timeout`, `cpu`, `memory`, `output`: it went over that limit; `died`: its process ended without an answer.
        exception: the type of its exception, if it raised one.
        line: the line of its source, counted from 1, where there is one.
    """

    def __init__(self, message: str, reason: Reason, exception: str | None = None, line: int | None = None) -> None:
        self.reason, self.exception, self.line = reason, exception, line
        super().__init__(message)


class Checked(NamedTuple):
    """One test of a candidate: its name, whether it passed, else what was wrong and in which line of the tests."""

    name: str
    passed: bool
    message: str = ""
    line: int | None = None


class CheckReport(NamedTuple):
    """The tests of a candidate."""

    tests: tuple[Checked, ...]

    @property
    def passed(self) -> bool:
        """Whether there are tests and all of them passed."""
        return bool(self.tests) and all(test.passed for test in self.tests)

    @property
    def failures(self) -> tuple[Checked, ...]:
        """The tests that failed."""
        return tuple(test for test in self.tests if not test.passed)


class Sandbox(Protocol):
    """Runs learned code apart from this process, each call in a fresh process that ends with it."""

    async def call(
        self,
        source: str,
        function: str,
        arguments: Mapping[str, Any],
        *,
        timeout_s: float,
        limits: Limits = USUAL,
    ) -> Any:
        """Return what a function of a module returns for JSON-like arguments, itself JSON-like.

        An async function is run to its end; it cannot wait for anything.

        Args:
            source: the module.
            function: a function that it defines.
            arguments: its keyword arguments.
            timeout_s: seconds from the start of the call until it is given up.
            limits: what it may use.

        Raises:
            LearnedCodeError: the code gave no result.
            NodeError: the arguments are no JSON.
            SandboxError: there is no sandbox, or it broke down.
        """
        ...

    async def run_tests(self, source: str, tests: str, *, timeout_s: float, limits: Limits = USUAL) -> CheckReport:
        """Run tests of a module, which they can import as `tool` and whose names they have anyway.

        Every function `test_…` of `tests` is a test; without one, the module's own body is. That the code stops the
        tests (by its limits, or by ending its process) is one failed test more.

        Args:
            source: the module to test.
            tests: a module of plain functions and assertions.
            timeout_s: seconds for all of them.
            limits: what they may use, all together.

        Raises:
            SandboxError: there is no sandbox, or it broke down.
        """
        ...
