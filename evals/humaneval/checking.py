"""The proof that the tests are run and can fail: canonical solutions pass, bodies that return None do not."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentsym.cli.screen import emit
from evals.humaneval.programs import run_all
from evals.symbolic_learning.task import Problem

COMPLETIONS: Mapping[str, Callable[[Problem], str]] = {
    "canonical": lambda problem: str(problem["canonical_solution"]),
    "empty": lambda problem: "    return None\n",
    "fenced": lambda problem: f"Here it is:\n\n```python\n{problem['canonical_solution']}```\nIt is right.",
}
"""Name → the completion of a problem: what must pass, what must fail, and what passes once its fences are off."""


def add_check(parser: argparse.ArgumentParser) -> None:
    """Add the flag of the check."""
    parser.add_argument("--check", action="store_true", help="only run known completions with the tests, and count")


def checked(options: argparse.Namespace, problems: Sequence[Problem]) -> int | None:
    """Run the check if it is asked for, and return its exit code: 1 where a count is not as it must be."""
    if not options.check:
        return None
    found = asyncio.run(counts(problems))
    right = found["canonical"]["passed"] == found["fenced"]["passed"] == len(problems) and not found["empty"]["passed"]
    if options.json:
        emit({"problems": len(problems), **found, "right": right})
    else:
        for name, counted in found.items():
            print(f"{name:10} {counted['passed']:4} of {len(problems)} pass, {counted['seconds']:.1f} s")
            for task, why in counted["failures"].items():
                if name != "empty":
                    print(f"  {task}: {why}")
    return int(not right)


async def counts(problems: Sequence[Problem]) -> dict[str, dict[str, Any]]:
    """Return for each kind of completion how many pass, how long it took, and why the others did not."""
    found: dict[str, dict[str, Any]] = {}
    for name, completion in COMPLETIONS.items():
        began = time.monotonic()
        ran = await run_all((problem, completion(problem)) for problem in problems)
        found[name] = {
            "passed": sum(each.passed for each in ran),
            "seconds": round(time.monotonic() - began, 2),
            "failures": {
                problem["task_id"]: each.why for problem, each in zip(problems, ran, strict=True) if not each.passed
            },
        }
    return found
