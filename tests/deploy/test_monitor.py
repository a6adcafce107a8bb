"""The monitor alone: how often it takes a good version back, and how soon it sees a bad one."""

from __future__ import annotations

import random

import pytest

from agentsym.deploy.evolution.monitor import FEWEST, LOOKS, error_looks, fisher, score_looks

SEEDS = 1000


def bernoulli(p: float, n: int, rng: random.Random) -> list[float]:
    return [float(rng.random() < p) for _ in range(n)]


def first_alarm(p: float, now: float, seed: int) -> int | None:
    """Return the number of the look, from 1, that gives the alarm; None without one."""
    rng = random.Random(seed)
    looks = score_looks(bernoulli(p, 200, rng), bernoulli(now, 160, rng))
    return next((number for number, look in enumerate(looks, start=1) if look.alarm), None)


@pytest.mark.parametrize("p", [0.6, 0.8, 0.95])
def test_a_drop_by_a_quarter_is_seen_in_time_and_noise_gives_few_alarms(p: float) -> None:
    dropped = [first_alarm(p, p - 0.25, seed) for seed in range(SEEDS)]
    steady = [first_alarm(p, p, seed + SEEDS) for seed in range(SEEDS)]
    assert sum(look is not None and look <= 3 for look in dropped) >= 0.92 * SEEDS
    assert sum(look is not None for look in dropped) >= 0.985 * SEEDS
    assert sum(look is not None for look in steady) <= 0.06 * SEEDS


def test_it_looks_only_when_a_look_is_due() -> None:
    baseline = [1.0] * 200
    assert score_looks(baseline, [0.0] * 19) == []
    assert [look.n for look in score_looks(baseline, [0.0] * 79)] == [20, 40]
    assert [look.n for look in score_looks(baseline, [0.0] * 500)] == list(LOOKS)


def test_few_scores_before_say_nothing() -> None:
    assert score_looks([1.0] * (FEWEST - 1), [0.0] * 160) == []
    assert error_looks([False] * (FEWEST - 1), [True] * 160) == []


def test_the_latest_scores_before_are_the_baseline() -> None:
    look = score_looks([0.0] * 1000 + [1.0] * 200, [1.0] * 20)[0]
    assert look.before == 1.0 and not look.alarm


def test_an_agent_that_was_always_right_may_fail_now_and_then() -> None:
    assert not score_looks([1.0] * 200, [1.0] * 16 + [0.0] * 4)[0].alarm
    assert score_looks([1.0] * 200, [1.0] * 15 + [0.0] * 5)[0].alarm


def test_errors_give_an_alarm_when_they_are_many_and_unlikely() -> None:
    assert error_looks([False] * 200, [True] * 5 + [False] * 15)[0].alarm
    assert not error_looks([False] * 200, [True] * 4 + [False] * 16)[0].alarm
    assert not error_looks([True] * 60 + [False] * 140, [True] * 8 + [False] * 12)[0].alarm


def test_fisher_is_the_exact_test() -> None:
    scipy = pytest.importorskip("scipy.stats")
    for failed, n, base_failed, base_n in [(5, 20, 4, 200), (8, 40, 10, 200), (0, 20, 5, 60), (20, 20, 0, 60)]:
        table = [[failed, n - failed], [base_failed, base_n - base_failed]]
        expected = scipy.fisher_exact(table, alternative="greater").pvalue
        assert fisher(failed, n, base_failed, base_n) == pytest.approx(expected, rel=1e-9)
