"""A runner as a program: it is told on its command line what to do, and prints one line of JSON.

`python -m evals.peers.runners.NAME learn ASSIGNMENT` optimizes the task's agent with a library, `forward` in its place
only runs it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from evals.peers.assignment import CONCURRENCY, Assignment, measured
from evals.peers.forward import timed
from evals.peers.rollouts import Prompts, answers, score
from evals.peers.task import Ticket

KEY = "none"  # the server takes any


class Learned(NamedTuple):
    """What a library has come to.

    Attributes:
        val: the validation score, as the library reports it.
        stopped: why it stopped.
        prompts: node → the best prompt, in the order of the chain.
    """

    val: float
    stopped: str
    prompts: Prompts


Learn = Callable[[Assignment], Learned]
Answer = Callable[[Assignment, Sequence[Ticket], int], list[str]]


def main(learn: Learn, answer: Answer) -> None:
    """Do what the command line says.

    Args:
        learn: optimizes the task's agent until the target or a cap is reached.
        answer: runs tickets through the agent as it is before learning, so many at once.
    """
    job, assignment = sys.argv[1], Assignment.from_json(sys.argv[2])
    os.environ |= {"OPENAI_BASE_URL": assignment.url, "OPENAI_API_KEY": KEY}
    out, sys.stdout = sys.stdout, sys.stderr  # libraries chat
    if job == "learn":
        row = _learn(assignment, learn)
    else:
        row = timed(assignment, lambda tickets, workers: answer(assignment, tickets, workers))
    print(json.dumps(row), file=out)


def _learn(assignment: Assignment, learn: Learn) -> dict[str, object]:
    found: list[Learned] = []

    def learned() -> tuple[float, str]:
        found.append(learn(assignment))
        return found[0].val, found[0].stopped

    def rescored() -> float:
        tickets = assignment.task.tickets("val")
        return score(assignment.task, answers(assignment.url, found[0].prompts, tickets, CONCURRENCY), tickets)

    row = measured(assignment, learned, rescored)
    return {**row, "result": dict(found[0].prompts)}
