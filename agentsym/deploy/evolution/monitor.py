"""Is the new version worse than the one before? Looked at after 20, 40, 80 and 160 answers, and at no other time.

Whoever looks after every answer takes back one good version in six; with four looks and the bounds below it is one in
thirty, and a drop by a quarter is seen by the third look all the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

LOOKS = (20, 40, 80, 160)
BOUND = 2.24
"""One-sided, 0.0125 a look."""
BASELINE = 200
FEWEST = 60
"""Scores of the version before, below which nothing can be said."""
ERRORS = 5
ERROR_P = 0.0025


class Look(NamedTuple):
    """What one look saw.

    Attributes:
        n: answers of the new version.
        before: mean score, or share of errors, of the version before.
        after: of the new one.
        statistic: the z value, or Fisher's p for errors.
        alarm: whether the new version is to be taken back.
        what: `score` or `errors`.
    """

    n: int
    before: float
    after: float
    statistic: float
    alarm: bool
    what: str

    def __str__(self) -> str:
        if self.what == "errors":
            shares = f"{self.after:.1%} failed, before {self.before:.1%}"
            return f"after {self.n} requests {shares} (p = {self.statistic:.4f})"
        means = f"the mean score is {self.after:.3f}, before {self.before:.3f}"
        return f"after {self.n} judged answers {means} (z = {self.statistic:.2f})"


def score_looks(baseline: Sequence[float], scores: Sequence[float]) -> list[Look]:
    """Return the looks at scores that are due: (mean_b - mean_n) / sqrt(v/n + v_b/n_b), v the larger variance.

    Args:
        baseline: the last scores of the version before; fewer than `FEWEST` give no look.
        scores: those of the new version, in the order in which they were judged.
    """
    base = list(baseline)[-BASELINE:]
    if len(base) < FEWEST:
        return []
    before, spread = _moments(base)
    looks = []
    for n in LOOKS:
        if len(scores) < n:
            break
        after, own = _moments(scores[:n])
        error = math.sqrt(max(spread, own) / n + spread / len(base))
        drop = before - after
        z = drop / error if error else math.copysign(math.inf, drop) if drop else 0.0
        looks.append(Look(n, before, after, z, z > BOUND, "score"))
    return looks


def error_looks(baseline: Sequence[bool], errors: Sequence[bool]) -> list[Look]:
    """Return the looks at failed requests that are due (True = failed): at least 5, and Fisher's exact p ≤ .0025."""
    base = list(baseline)[-BASELINE:]
    if len(base) < FEWEST:
        return []
    failed = sum(base)
    looks = []
    for n in LOOKS:
        if len(errors) < n:
            break
        now = sum(errors[:n])
        p = fisher(now, n, failed, len(base))
        looks.append(Look(n, failed / len(base), now / n, p, now >= ERRORS and p <= ERROR_P, "errors"))
    return looks


def fisher(failed: int, n: int, base_failed: int, base_n: int) -> float:
    """Return the one-sided exact p: that so many of `n` or more fail, if all were drawn from one urn (Fisher 1922)."""
    total, bad = n + base_n, failed + base_failed
    ways = sum(math.comb(bad, k) * math.comb(total - bad, n - k) for k in range(failed, min(n, bad) + 1))
    return ways / math.comb(total, n)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and (population) variance."""
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values) / len(values)
