"""What a rule can mean: in which case, what is done; the same for whoever reads rules and whoever writes them.

Sentences are English and come in any wording; a meaning is what two of them share when they say the same.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Step = Literal["read", "solve"]

ALWAYS = "always"
"""The case of a rule that names none."""
READ_CASES = ("unused", "ages", "words", "dozen", "pair", "hours", "prices", "small")
"""Which quantity of a problem a rule of the first step is about, the most specific first."""
SOLVE_CASES = ("fit", "share", "more", "left", "each")
"""Which question a rule of the second step is about, the most specific first."""
SWEEPING = (ALWAYS, "prices", "small")
"""Cases so wide that a rule about them is rarely right."""
UNITS = {"dozen": 12, "pair": 2, "hours": 60}
"""Case → what one of it is: single things, or minutes."""
OPERATIONS = ("add", "subtract", "multiply", "divide", "round up")


class Meaning(NamedTuple):
    """What one rule says.

    Attributes:
        case: when it applies.
        action: `count` or `ignore` a quantity, or take it times a number; of the second step, one of `OPERATIONS`.
        holds: false where the sentence says not to do so.
    """

    case: str
    action: str | int
    holds: bool = True


def cases_of(step: Step) -> tuple[str, ...]:
    """Return the cases that the rules of a step tell apart, the most specific first."""
    return READ_CASES if step == "read" else SOLVE_CASES
