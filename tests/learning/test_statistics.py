"""Paired comparisons against figures worked out by hand."""

import math
import random

import pytest

from agentsym.errors import DataError
from agentsym.learning.statistics import mcnemar, mean, paired_bootstrap


def test_the_mean_is_exact_where_adding_up_is_not() -> None:
    assert mean([0.1] * 10) == 0.1
    with pytest.raises(DataError, match="no scores"):
        mean([])


def test_equal_differences_leave_no_doubt() -> None:
    assert paired_bootstrap([0.25] * 8, [0.75] * 8) == (0.5, 0.5, 0.5)


def test_of_two_rows_the_interval_holds_both() -> None:
    # Resamples of (0, 1): mean 0 and mean 1 come a quarter of the time each.
    assert paired_bootstrap([0.0, 0.0], [0.0, 1.0]) == (0.5, 0.0, 1.0)


def test_the_interval_is_that_of_the_normal_approximation_for_many_rows() -> None:
    # 400 rows, a quarter fixed: sd of the mean = sqrt(.25 * .75 / 400) = .02165.
    before, after = [0.0] * 400, [1.0] * 100 + [0.0] * 300
    found = paired_bootstrap(before, after)
    assert found.mean == 0.25
    assert found.low == pytest.approx(0.25 - 1.96 * 0.02165, abs=0.004)
    assert found.high == pytest.approx(0.25 + 1.96 * 0.02165, abs=0.004)
    one_sided = paired_bootstrap(before, after, one_sided=True)
    assert one_sided.low == pytest.approx(0.25 - 1.645 * 0.02165, abs=0.004)
    assert one_sided.high == math.inf


def test_pairing_sees_what_two_separate_means_would_not() -> None:
    numbers = random.Random(1)
    before = [numbers.random() * 0.9 for _ in range(60)]
    assert not paired_bootstrap(before, [score + 0.05 for score in before]).holds_zero
    shuffled = numbers.sample(before, len(before))
    assert paired_bootstrap(before, [score + 0.05 for score in shuffled]).holds_zero


def test_the_seed_decides_the_interval() -> None:
    numbers = random.Random(2)
    before, after = [numbers.random() for _ in range(99)], [numbers.random() for _ in range(99)]
    assert paired_bootstrap(before, after) == paired_bootstrap(before, after)
    assert paired_bootstrap(before, after) != paired_bootstrap(before, after, seed=1)


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = [index / 50 for index in range(50)]
    whole = paired_bootstrap([0.5] * 50, scores)
    monkeypatch.setattr("agentsym.learning.statistics.BLOCK", 1000)
    assert paired_bootstrap([0.5] * 50, scores) == whole


@pytest.mark.parametrize(
    ("fixed", "broken", "p", "p_better"),
    [
        (0, 0, 1.0, 1.0),
        (1, 0, 1.0, 0.5),
        (6, 0, 2 / 64, 1 / 64),
        (0, 6, 2 / 64, 1.0),
        (5, 1, 2 * 7 / 64, 7 / 64),
        (8, 2, 2 * 56 / 1024, 56 / 1024),
        (3, 3, 1.0, 42 / 64),
    ],
)
def test_mcnemar_is_the_binomial_tail_of_the_changed_rows(fixed: int, broken: int, p: float, p_better: float) -> None:
    before = [False] * fixed + [True] * broken + [True, False] * 4
    after = [True] * fixed + [False] * broken + [True, False] * 4
    assert mcnemar(before, after) == (fixed, broken, p, p_better)


def test_mcnemar_can_take_thousands_of_rows() -> None:
    found = mcnemar([False] * 1500 + [True] * 1400, [True] * 1500 + [False] * 1400)
    assert found.p == pytest.approx(0.066, abs=0.001)  # z = (100 - 1) / sqrt(2900) = 1.838


@pytest.mark.parametrize("compare", [paired_bootstrap, mcnemar])
def test_scores_that_are_no_pairs_are_refused(compare) -> None:
    with pytest.raises(DataError, match="2 scores before and 1 after"):
        compare([1, 0], [1])
    with pytest.raises(DataError, match="0 scores before"):
        compare([], [])
