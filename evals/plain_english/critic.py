"""The critic's double: it does the sums of a run again, and blames the step behind which no sum is right.

It knows no rule of the student and needs none: where some operation on the numbers that were listed gives the wanted
answer, the second step could have given it; where none does, the first one listed the wrong numbers.
"""

from __future__ import annotations

from typing import NamedTuple

from evals.plain_english.arithmetic import calculated, numbers_in
from evals.plain_english.evidence import Shown
from evals.plain_english.meanings import OPERATIONS, Step


class Finding(NamedTuple):
    """What is wrong with a run: the step to blame, and why in words."""

    step: Step
    text: str


def finding(run: Shown) -> Finding | None:
    """Return what is wrong with a run; None where nothing is, or where too little is shown to say."""
    if run.wanted is None or run.numbers is None or run.answer == str(run.wanted):
        return None
    numbers = numbers_in(run.numbers)
    if any(calculated(operation, numbers) == run.wanted for operation in OPERATIONS):
        reason = f"The numbers {run.numbers} lead to the answer, but the wrong thing was done with them"
        return Finding("solve", f"{reason}: {run.wanted} was wanted.")
    listed = run.numbers or "(none)"
    return Finding("read", f"The numbers {listed} do not lead to the answer: {run.wanted} was wanted.")
