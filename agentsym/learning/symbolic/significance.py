"""When to believe a noisy student: comparisons are repeated until chance is an unlikely explanation, and no longer.

A student that always answers the same is asked once (`most` = 1), so certainty costs it nothing.
"""

from __future__ import annotations

from math import comb
from typing import Literal

MOST = 5
LEVEL = 0.1


def first_rollout(step: int, most: int) -> int:
    """Return the first number of the rollouts that a step runs: what chance decided in one must not bind the next.

    A step has `most` numbers for candidates, one for a second look at a failure, and `most` for the base. Where answers
    do not vary (`most` = 1) all is rollout 0, which is answered once.
    """
    return 0 if most == 1 else step * (2 * most + 1)


def sign_test(better: int, worse: int) -> float:
    """Return the chance of at least so many better ones among the changed pairs, were better and worse equally likely.

    This is the exact one-sided sign test; pairs that did not change say nothing. Without any changed pair it is 1.
    """
    changed = better + worse
    return sum(comb(changed, count) for count in range(better, changed + 1)) / (1 << changed)


def verdict(
    better: int, worse: int, pairs: int, repeats: int, *, most: int = MOST, level: float = LEVEL
) -> Literal["accept", "reject", "again"]:
    """Say whether a candidate is better, is not, or must be compared once more.

    It is accepted as soon as the sign test falls below the level. It is rejected as soon as the same holds for being
    worse, or all pairs that are still to come could not be enough, or they have all come. Where a comparison is not to
    be repeated at all, more better than worse pairs are enough.

    Args:
        better: pairs in which the candidate scored higher than the base on the same row.
        worse: pairs in which it scored lower.
        pairs: all pairs so far, the unchanged ones too.
        repeats: how often the rows were run so far; each time gave equally many pairs.
        most: repeats at most.
        level: of the sign test, in (0, 1).
    """
    if most == 1:
        return "accept" if better > worse else "reject"
    if sign_test(better, worse) < level:
        return "accept"
    to_come = pairs // repeats * (most - repeats)
    if sign_test(worse, better) < level or sign_test(better + to_come, worse) >= level:
        return "reject"
    return "again"


def lost(failed: int, runs: int, *, most: int = MOST) -> Literal["lost", "held", "again"]:
    """Say whether a row that passed with the base fails with a candidate, passes, or must be run once more.

    A pass at the first run is believed. A failure is not: the row is lost when more than half of `most` runs fail,
    which is often known earlier.

    Args:
        failed: runs of the candidate that failed.
        runs: its runs so far, one or more.
        most: runs at most.
    """
    if failed == 0 or 2 * (failed + most - runs) <= most:
        return "held"
    return "lost" if 2 * failed > most else "again"
