"""The Pareto front over validation rows: versions that are the best at something, not only the best on average.

Learning that always goes on from the best mean gets stuck where that version is; one that is best at other rows may
hold what it lacks. The rule is that of GEPA (arXiv 2507.19457, Algorithm 2).
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from agentsym.learning.gate import TIE, mean
from agentsym.learning.symbolic.significance import LEVEL, sign_test

Pool = Mapping[str, Mapping[str, float]]


def front(pool: Pool, *, cost: Mapping[str, float] | None = None) -> dict[str, int]:
    """Return the candidates that are not dominated, each with the number of rows that it wins.

    A row is won by the candidate with the highest score on it; of equals by the cheaper one, and where they cost the
    same, by each of them. A candidate is dominated when it wins nothing, or when another one wins all that it wins,
    and more rows besides, or has the higher mean.

    Args:
        pool: candidate → row → score; only rows that a candidate has count for it.
        cost: candidate → tokens a run.
    """
    won = _won(pool, cost or {})
    means = {name: mean(scores.values()) for name, scores in pool.items()}

    def dominated(name: str) -> bool:
        return any(
            won[name] < won[other] or (won[name] == won[other] and means[name] < means[other] - TIE) for other in won
        )

    return {name: len(rows) for name, rows in won.items() if rows and not dominated(name)}


def plausible(pool: Pool, incumbent: str) -> dict[str, Mapping[str, float]]:
    """Return the candidates that may be as good as the incumbent; where answers vary, chance wins a row for any other.

    Left out are those that lose so many more rows to the incumbent than they win that the sign test excludes chance.
    """
    best = pool.get(incumbent, {})

    def beaten(scores: Mapping[str, float]) -> bool:
        gains = [best[row] - score for row, score in scores.items() if row in best]
        return sign_test(sum(gain > TIE for gain in gains), sum(gain < -TIE for gain in gains)) < LEVEL

    return {name: scores for name, scores in pool.items() if name == incumbent or not beaten(scores)}


def parent(
    pool: Pool,
    incumbent: str,
    *,
    explore: float,
    draw: random.Random,
    cost: Mapping[str, float] | None = None,
) -> str:
    """Return the candidate to go on from: the incumbent, or now and then one of the front.

    Args:
        pool: candidate → row → score.
        incumbent: the candidate with the best mean.
        explore: how often one is drawn from the front instead, each with the rows that it wins as its weight.
        draw: decides.
        cost: candidate → tokens a run.
    """
    if draw.random() >= explore or not (candidates := front(pool, cost=cost)):
        return incumbent
    return draw.choices(list(candidates), weights=list(candidates.values()))[0]


def _won(pool: Pool, cost: Mapping[str, float]) -> dict[str, frozenset[str]]:
    """Return the rows that each candidate wins."""
    best: dict[str, float] = {}
    for scores in pool.values():
        for row, score in scores.items():
            best[row] = max(score, best.get(row, score))
    tied = {
        row: [name for name, scores in pool.items() if scores.get(row, -1.0) >= score - TIE]
        for row, score in best.items()
    }
    winners: dict[str, set[str]] = {name: set() for name in pool}
    for row, names in tied.items():
        cheapest = min(cost.get(name, 0.0) for name in names)
        for name in names:
            if cost.get(name, 0.0) <= cheapest:
                winners[name].add(row)
    return {name: frozenset(rows) for name, rows in winners.items()}
