"""Is the new version better, or was it luck? Paired comparisons of scores on the same rows.

Pure functions on sequences of scores; the gates and the report use nothing else to decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from agentsym.errors import DataError

BLOCK = 4_000_000
"""Numbers drawn at once; it bounds the memory of a bootstrap to some 64 MB."""


class Interval(NamedTuple):
    """A mean difference and its confidence interval; one-sided, `high` is infinite."""

    mean: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Whether no difference is within the interval."""
        return self.low <= 0.0 <= self.high


class McNemar(NamedTuple):
    """Rows that went from fail to pass, from pass to fail, and the p-values of as clear an outcome by chance.

    Attributes:
        fixed: fail → pass.
        broken: pass → fail.
        p: two-sided.
        p_better: one-sided: at least as many of the changed rows fixed.
    """

    fixed: int
    broken: int
    p: float
    p_better: float


def mean(values: Sequence[float]) -> float:
    """Return the mean; raises DataError for no values."""
    if not values:
        raise DataError("there is no mean of no scores")
    return math.fsum(values) / len(values)


def paired_bootstrap(
    before: Sequence[float],
    after: Sequence[float],
    *,
    confidence: float = 0.95,
    one_sided: bool = False,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return the mean of `after - before` with its percentile bootstrap interval (Efron & Tibshirani 1993).

    Rows are drawn with replacement, each with both its scores; the same seed gives the same interval.

    Args:
        before: scores of the old version, one a row.
        after: scores of the new version on the same rows, in the same order.
        confidence: of the interval, in (0, 1).
        one_sided: give the lower bound only (`high` is infinite), at the whole error probability.
        resamples: how often all rows are drawn anew.
        seed: of the draws.

    Raises:
        DataError: no scores, or not as many before as after.
    """
    import numpy as np

    _paired(before, after)
    differences = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    rows = len(differences)
    generator = np.random.default_rng(seed)
    per_block = max(1, BLOCK // rows)
    means = np.concatenate(
        [
            differences[generator.integers(0, rows, size=(min(per_block, resamples - start), rows))].mean(axis=1)
            for start in range(0, resamples, per_block)
        ]
    )
    error = 1.0 - confidence
    center = mean([float(value) for value in differences])
    if one_sided:
        return Interval(center, float(np.quantile(means, error)), math.inf)
    low, high = np.quantile(means, [error / 2, 1.0 - error / 2])
    return Interval(center, float(low), float(high))


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> McNemar:
    """Compare passes and failures on the same rows exactly (McNemar 1947, the binomial form).

    Only rows that changed count: if nothing but chance changed them, fixed and broken are equally likely.

    Raises:
        DataError: no rows, or not as many before as after.
    """
    _paired(before, after)
    pairs = list(zip(before, after, strict=True))
    fixed = sum(1 for old, new in pairs if new and not old)
    broken = sum(1 for old, new in pairs if old and not new)
    changed = fixed + broken
    tail = sum(math.comb(changed, k) for k in range(min(fixed, broken) + 1))
    better = sum(math.comb(changed, k) for k in range(fixed, changed + 1))
    return McNemar(fixed, broken, min(1.0, 2 * tail / 2**changed), better / 2**changed)


def _paired(before: Sequence[object], after: Sequence[object]) -> None:
    if len(before) != len(after) or not len(before):
        raise DataError(f"{len(before)} scores before and {len(after)} after are no pairs; score the same rows twice")
