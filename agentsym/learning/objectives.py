"""Several objectives: what a version is worth in score, cost and time, which versions none beats, and which is taken.

The rule of the choice is stated and small: of the versions whose score is within a margin of the best, the one that
costs least or takes least time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from agentsym.learning.gate import TIE, mean
from agentsym.network.canonical import Frozen
from agentsym.network.records import LossReport

Prefer = Literal["score", "cheapest", "fastest"]


class Measured(Frozen):
    """What a version is worth, as means over rows.

    Attributes:
        score: in [0, 1].
        tokens: of prompts and replies that one run takes, answers from the cache counted in full.
        usd: US dollars that one run costs; None where a model's price is unknown.
        seconds: that one run waits for models and code, one after the other.
    """

    score: float
    tokens: float = 0.0
    usd: float | None = 0.0
    seconds: float = 0.0

    @classmethod
    def of(cls, reports: Sequence[LossReport]) -> Measured:
        """Take the means of what some runs were worth."""
        usd = [report.worth.usd for report in reports]
        return cls(
            score=mean(report.score for report in reports),
            tokens=mean(report.worth.tokens for report in reports),
            usd=None if None in usd else mean(cost or 0.0 for cost in usd),
            seconds=mean(report.worth.seconds for report in reports),
        )


Field = Mapping[str, Measured]


def front(field: Field) -> tuple[str, ...]:
    """Return the versions that no other one beats (is as good in everything and better in something), best score first.

    Cost counts in dollars where all prices are known, else in tokens. Where answers are free, time alone is left.
    """
    points = {name: (-found.score, _cost(field, found), found.seconds) for name, found in field.items()}

    def beaten(name: str) -> bool:
        own = points[name]
        return any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in points.values())

    return tuple(sorted((name for name in points if not beaten(name)), key=lambda name: points[name]))


def picked(field: Field, incumbent: str, *, prefer: Prefer, within: float) -> str:
    """Return the version to take: of those within a margin of the best score, the cheapest or the fastest.

    Args:
        field: version → what it is worth; the incumbent is one of them.
        incumbent: the version that stays where none is better by the rule.
        prefer: the rule; `score` takes the incumbent.
        within: the margin, in score.
    """
    if prefer == "score":
        return incumbent
    least = max(found.score for found in field.values()) - within - TIE

    def price(name: str) -> tuple[float, float, bool]:
        found = field[name]
        first = _cost(field, found) if prefer == "cheapest" else found.seconds
        return first, -found.score, name != incumbent

    return min((name for name, found in field.items() if found.score >= least), key=price)


def _cost(field: Field, found: Measured) -> float:
    """Return what a run costs: dollars where everyone's are known and not all are 0, else tokens."""
    usd = [other.usd for other in field.values()]
    return found.tokens if None in usd or not any(usd) else found.usd or 0.0
