"""Whole programs of HumanEval: a completion freed of its fences, put together with its tests, and run in the sandbox.

Each program runs in a process of its own in agentsym's sandbox for learned code, since a model wrote a part of it; as
many run at once as the machine has processors.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import NamedTuple

from agentsym.runtime.sandbox.find import find_sandbox
from agentsym.runtime.sandbox.protocol import LearnedCodeError, Limits
from evals.symbolic_learning.task import Problem

LIMITS = Limits(cpu_s=10.0, memory_mb=1024)
TIMEOUT_S = 30.0  # of the clock; the limit on the processor comes first, unless a program sleeps
_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_VERDICT, _PASSED = "agentsym_verdict", "passed"


class Ran(NamedTuple):
    """Whether a program passed its tests, and else why not."""

    passed: bool
    why: str = ""


def unfenced(completion: str, entry_point: str) -> str:
    """Return the code of a completion: the fenced block that defines the function, else the first one, else all."""
    blocks = [found[1] for found in _FENCED.findall(completion)]
    defining = re.compile(rf"^[ \t]*(?:async )?def {re.escape(entry_point)}\b", re.MULTILINE)
    return next((block for block in blocks if defining.search(block)), blocks[0] if blocks else completion)


def program(problem: Problem, completion: str) -> str:
    """Return a program whose last function returns a word when the tests have passed."""
    code = unfenced(completion, problem["entry_point"])
    verdict = f"def {_VERDICT}():\n    check({problem['entry_point']})\n    return {_PASSED!r}\n"
    return f"{problem['prompt']}{code}\n{problem['test']}\n{verdict}"


async def run(problem: Problem, completion: str, *, limits: Limits = LIMITS, timeout_s: float = TIMEOUT_S) -> Ran:
    """Run a completion with the tests of its problem.

    Raises:
        SandboxError: this machine has no sandbox.
    """
    try:
        said = await find_sandbox().call(program(problem, completion), _VERDICT, {}, timeout_s=timeout_s, limits=limits)
    except LearnedCodeError as error:
        return Ran(False, str(error))
    return Ran(True) if said == _PASSED else Ran(False, "the tests did not come to their end")


async def run_all(attempts: Iterable[tuple[Problem, str]]) -> list[Ran]:
    """Run completions, as many at once as there are processors; the results are in their order."""
    return await asyncio.gather(*(run(problem, completion) for problem, completion in attempts))
