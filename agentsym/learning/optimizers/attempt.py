"""One answer of a teacher, tried on what earlier answers of the step have made.

Whatever the answer is about, it is taken as a whole or not at all: it must apply, keep within the learning rate, and
its code must pass its tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from agentsym.errors import ModelError, NetworkError, Unavailable
from agentsym.learning.optimizers import limits
from agentsym.learning.optimizers.code_check import check_code
from agentsym.network.edits import Edit
from agentsym.network.network import Network

Answer = tuple[Edit, ...] | ModelError


async def answered(edits: Awaitable[Sequence[Edit]]) -> Answer:
    """Wait for an answer; that there is no legal one is an answer too.

    Raises:
        Unavailable: no request to the model can succeed.
    """
    try:
        return tuple(await edits)
    except Unavailable:
        raise
    except ModelError as error:
        return error


async def attempt(work: Network, answer: Answer, *, lr: float, spent: int) -> tuple[Network, str]:
    """Apply one answer and check it; returns the network, and what is wrong with the answer ("": nothing).

    Args:
        work: what earlier answers have made of the base.
        answer: the edits, or why there are none.
        lr: the learning rate.
        spent: structural operations that earlier answers of the step have done.
    """
    if isinstance(answer, ModelError):
        return work, str(answer)
    try:
        candidate = work.apply(answer)
    except NetworkError as error:
        return work, str(error)
    left = max(0, limits.moves_allowed(lr) - spent)
    asked, after = limits.moves(answer), candidate.parameters()
    too_many = f"{asked} structural operations, the learning rate {lr:.2g} leaves {left} in this step"
    problems = [too_many] if asked > left else []
    for path in work.parameters():
        if path in after:
            problems += limits.violations(work, candidate, path, lr)
    problems = problems or await check_code(work, candidate)
    return (work, "; ".join(problems)) if problems else (candidate, "")
