"""The rule for noisy students: its figures by hand, and what it is worth where a student's answers flip by chance."""

import random
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import pytest

from agentsym.learning.symbolic.significance import lost, sign_test, verdict

FLIP = 0.1  # chance that a noisy student's answer turns from right to wrong, or from wrong to right


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [(0, 0, 1.0), (1, 0, 1 / 2), (0, 1, 1.0), (3, 0, 1 / 8), (4, 0, 1 / 16), (5, 1, 7 / 64), (8, 2, 56 / 1024)],
)
def test_the_sign_test_is_the_binomial_tail_of_the_changed_pairs(better: int, worse: int, p: float) -> None:
    assert sign_test(better, worse) == p


def test_the_sign_test_can_take_thousands_of_pairs() -> None:
    assert sign_test(1500, 1400) == pytest.approx(0.033, abs=0.001)


@pytest.mark.parametrize(
    ("better", "worse", "pairs", "repeats", "said"),
    [
        (3, 0, 3, 1, "again"),
        (4, 0, 4, 1, "accept"),
        (8, 2, 10, 1, "accept"),
        (5, 1, 6, 1, "again"),  # 7/64 is above the level
        (0, 0, 8, 1, "again"),  # 32 pairs to come
        (0, 4, 8, 1, "reject"),  # as clearly worse as four better ones would be better
        (0, 0, 1, 1, "again"),  # four to come, and four of four would do
        (0, 0, 2, 2, "reject"),  # three to come
        (3, 0, 3, 3, "again"),
        (3, 1, 4, 4, "reject"),  # five of six is not enough
        (4, 1, 5, 5, "reject"),  # all have come, undecided
        (0, 0, 0, 1, "reject"),  # nothing to compare
    ],
)
def test_pairs_are_repeated_while_it_can_still_be_decided(
    better: int, worse: int, pairs: int, repeats: int, said: str
) -> None:
    assert verdict(better, worse, pairs, repeats) == said


def test_a_chance_of_exactly_the_level_is_not_below_it() -> None:
    assert verdict(4, 0, 4, 1, level=1 / 16) == "again"
    assert verdict(5, 0, 5, 1, level=1 / 16) == "accept"


def test_one_comparison_asks_for_more_better_than_worse_and_for_no_significance() -> None:
    assert verdict(1, 0, 8, 1, most=1) == "accept"
    assert verdict(1, 1, 8, 1, most=1) == "reject"
    assert verdict(0, 0, 8, 1, most=1) == "reject"


def test_no_rejected_candidate_could_have_been_accepted_later_but_for_being_worse() -> None:
    """Rejection for want of pairs is no loss: every course of the pairs to come would have ended the same."""
    for better, worse in product(range(6), repeat=2):
        for repeats in range(max(1, better + worse), 5):
            if verdict(better, worse, repeats, repeats) == "reject" and sign_test(worse, better) >= 0.1:
                assert all(sign_test(better + more, worse) >= 0.1 for more in range(5 - repeats + 1))


def test_a_row_that_passes_at_once_is_held_and_one_that_fails_is_run_again() -> None:
    assert lost(0, 1) == "held"
    assert lost(1, 1) == "again"


@pytest.mark.parametrize(
    ("failed", "runs", "said"),
    [(2, 2, "again"), (3, 3, "lost"), (1, 3, "again"), (1, 4, "held"), (2, 4, "again"), (3, 5, "lost"), (2, 5, "held")],
)
def test_a_row_is_lost_when_most_of_five_runs_fail_and_no_run_is_made_after_that_is_known(
    failed: int, runs: int, said: str
) -> None:
    assert lost(failed, runs) == said


@pytest.mark.parametrize("most", range(1, 8))
def test_whatever_the_runs_say_they_end_and_the_majority_decides(most: int) -> None:
    for course in product((True, False), repeat=most):
        said = [lost(sum(course[:runs]), runs, most=most) for runs in range(1, most + 1)]
        end = next(at for at, word in enumerate(said) if word != "again")
        assert said[end] == ("lost" if course[0] and sum(course) > most / 2 else "held")


def test_a_student_without_noise_loses_a_row_at_the_first_failure() -> None:
    assert lost(1, 1, most=1) == "lost"


class Share(NamedTuple):
    """Share of trials that ended one way, and the mean number of repeats."""

    of: float
    repeats: float


def test_the_rule_lets_few_null_edits_in_where_one_comparison_lets_a_third_in() -> None:
    once, rule = accepted(most=1, helps=False), accepted(most=5, helps=False)
    assert once.of > 0.3
    assert rule.of < 0.1
    assert once.of > 2 * rule.of


def test_the_rule_does_not_keep_real_mends_out_and_decides_them_quickly() -> None:
    found = accepted(most=5, helps=True)
    assert found.of > 0.98
    assert found.repeats < 1.5


def test_rows_that_fail_by_chance_are_seldom_taken_for_lost_and_broken_ones_are_found() -> None:
    assert taken_for_lost(most=1, passes=True).of > 0.08
    assert taken_for_lost(most=5, passes=True).of < 0.02
    assert taken_for_lost(most=5, passes=False).of > 0.85


def accepted(*, most: int, helps: bool) -> Share:
    """Compare on eight failing rows, all of which the candidate mends, or none."""
    chance = random.Random(1)

    def trial() -> tuple[bool, int]:
        better = worse = 0
        for repeat in range(1, most + 1):
            for _ in range(8):
                before, after = answer(chance, right=False), answer(chance, right=helps)
                better += after and not before
                worse += before and not after
            if (said := verdict(better, worse, 8 * repeat, repeat, most=most)) != "again":
                return said == "accept", repeat
        raise AssertionError("undecided")

    return share(trial)


def taken_for_lost(*, most: int, passes: bool) -> Share:
    """Run one row that passes with the candidate, or does not, but for chance."""
    chance = random.Random(2)

    def trial() -> tuple[bool, int]:
        failed = 0
        for run in range(1, most + 1):
            failed += not answer(chance, right=passes)
            if (said := lost(failed, run, most=most)) != "again":
                return said == "lost", run
        raise AssertionError("undecided")

    return share(trial)


def answer(chance: random.Random, *, right: bool) -> bool:
    return right != (chance.random() < FLIP)


def share(trial: Callable[[], tuple[bool, int]], trials: int = 2000) -> Share:
    outcomes = [trial() for _ in range(trials)]
    return Share(sum(yes for yes, _ in outcomes) / trials, sum(repeats for _, repeats in outcomes) / trials)
