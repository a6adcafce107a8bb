"""Related tasks: agents of one structure with other names and prompts, on other mixes of word problems.

Two of them share most of what must be learned and not all of it, so a lesson of one may help with the next or not.
Problems that need two rules come only where those that need one of them do, else chance alone finds both at once.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agentsym import Agent
from evals.plain_english import task
from evals.plain_english.ours import READ, SOLVE, agent
from evals.plain_english.task import RESULTS, Part, Result
from evals.plain_english.templates import WORDINGS

KINDS = 8  # of the simple kinds of problem that a task has, beside the one that is right from the beginning
_NAMES = ("shop", "school", "harbour", "kitchen", "farm", "theatre", "museum", "garden", "workshop", "station")
_READS = (
    READ,
    "Write down the numbers that matter for the problem, in their order.",
    "Which numbers does the problem give? List them in the order of the text.",
    "Take the numbers that the problem is about out of its text.",
)
_SOLVES = (
    SOLVE,
    "Calculate the answer to the problem from the numbers that were listed.",
    "Give the answer to the problem; its numbers are listed for you.",
    "Find out what the problem asks for, by its numbers.",
)
CONTRARY: Mapping[str, Result] = {
    "total": RESULTS["total"],
    "words": lambda n: n.b,
    "unused": lambda n: n.a + n.b + n.c,
    "ages": lambda n: n.a + n.b + n.c,
    "dozen": lambda n: 10 * n.a + n.b,
    "pair": lambda n: 3 * n.a + n.b,
    "hours": lambda n: 100 * n.a + n.b,
    "left": lambda n: n.a * n.b,
    "each": lambda n: abs(n.a - n.b),
    "share": lambda n: n.a * n.b,
    "more": lambda n: n.a * n.b,
    "fit": lambda n: n.a // n.b,
    "words and left": lambda n: n.b,
    "dozen and each": lambda n: abs(10 * n.a - n.b),
}
"""Kind → what is right in a world that looks the same: all that is learned there is wrong here."""


class Related(NamedTuple):
    """One task: an agent that has not learned yet, and rows of a mix of problems."""

    agent: Agent
    mix: tuple[str, ...]
    seed: int
    results: Mapping[str, Result] = RESULTS

    def rows(self, part: Part, seed: int) -> list[dict[str, str | int]]:
        """Return the rows of a part of its data."""
        return task.rows(part, seed, self.mix, self.results)


def related(seed: int, count: int, results: Mapping[str, Result] = RESULTS) -> Sequence[Related]:
    """Return so many related tasks, drawn with their order by a seed."""
    rng = random.Random(f"related {seed}")
    simple = [kind for kind in WORDINGS if kind != "total" and " and " not in kind]
    tasks = []
    for at in range(count):
        kinds = rng.sample(simple, KINDS)
        both = [kind for kind in WORDINGS if " and " in kind and {*kind.split(" and ")} <= {*kinds}]
        base = agent(f"{rng.choice(_NAMES)}-{at}", rng.choice(_READS), rng.choice(_SOLVES))
        tasks.append(Related(base, (*kinds, *both, "total", "total"), 100 * seed + at, results))
    return tasks
