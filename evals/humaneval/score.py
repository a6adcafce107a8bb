"""pass@1 and pass@k, and the metric that learning goes by: whether a completion passes its problem's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

from agentsym.learning.protocols import Row, Verdict
from agentsym.learning.run import Tested
from evals.humaneval.programs import run
from evals.symbolic_learning.task import Problem

KS = (1, 5, 10, 100)


class PassesTests:
    """Scores 1 where a completion passes the tests of its problem, else 0 with what went wrong.

    Args:
        problems: all that rows may be of; a row's id is the `task_id`.
    """

    name = "passes tests"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems = {str(problem["task_id"]): problem for problem in problems}

    async def __call__(self, row: Row, output: Mapping[str, Any]) -> Verdict:
        ran = await run(self._problems[row.id], str(output.get("code", "")))
        return Verdict(score=float(ran.passed), text="All tests pass." if ran.passed else f"A test failed: {ran.why}")


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Return the chance that one of k samples passes, estimated without bias: 1 - C(n - c, k) / C(n, k).

    Args:
        samples: how many were run (n).
        passed: how many of them passed (c).
        k: at most n.

    Raises:
        ValueError: the three do not fit together.
    """
    if not 0 <= passed <= samples or not 1 <= k <= samples:
        raise ValueError(f"pass@{k} of {passed} right ones in {samples} samples: it needs c ≤ n and 1 ≤ k ≤ n")
    return 1 - comb(samples - passed, k) / comb(samples, k)


def figures(tested: Tested, samples: int) -> dict[str, tuple[float, float]]:
    """Return pass@k in percent, before and after, for every usual k that the samples allow."""
    return {
        f"pass@{k}": (_mean(tested.before, samples, k), _mean(tested.after, samples, k)) for k in KS if k <= samples
    }


def _mean(scores: Sequence[float], samples: int, k: int) -> float:
    """Return pass@k over problems, each given by the share of its samples that passed."""
    return 100 * sum(pass_at_k(samples, round(score * samples), k) for score in scores) / len(scores)
