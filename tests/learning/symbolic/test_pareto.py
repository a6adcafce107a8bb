"""The front is arithmetic on score tables; parents are drawn with seeded generators."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from agentsym.learning.symbolic.pareto import front, parent


def table(**scores: tuple[float, ...]) -> dict[str, dict[str, float]]:
    return {name: {f"row {at}": score for at, score in enumerate(own)} for name, own in scores.items()}


def test_each_row_goes_to_its_best_candidate_and_ties_count_for_all() -> None:
    pool = table(first=(1.0, 0.0, 1.0), second=(0.0, 1.0, 1.0))
    assert front(pool) == {"first": 2, "second": 2}


def test_a_candidate_with_a_worse_mean_stays_when_it_is_best_at_something() -> None:
    assert front(table(steady=(0.8, 0.8, 0.8), odd=(0.0, 0.0, 1.0))) == {"steady": 2, "odd": 1}


def test_a_candidate_is_dropped_when_another_wins_all_that_it_wins_and_more() -> None:
    assert front(table(less=(1.0, 0.5, 0.9), more=(1.0, 1.0, 0.0), third=(0.0, 0.0, 1.0))) == {"more": 2, "third": 1}


def test_a_candidate_that_wins_nothing_is_dropped() -> None:
    assert front(table(second_best=(0.9, 0.9), left=(1.0, 0.0), right=(0.0, 1.0))) == {"left": 1, "right": 1}


def test_of_two_that_win_the_same_rows_the_higher_mean_stays_and_twins_share() -> None:
    pool = table(low=(1.0, 0.0, 0.1), high=(1.0, 0.0, 0.2), other=(0.0, 1.0, 1.0))
    assert front(pool) == {"high": 1, "other": 2}
    assert front(table(one=(1.0, 0.0), twin=(1.0, 0.0))) == {"one": 2, "twin": 2}


def test_float_noise_makes_no_winner() -> None:
    assert front(table(one=(0.1 + 0.2,), twin=(0.3,))) == {"one": 1, "twin": 1}


def test_of_equals_the_cheaper_wins_and_a_better_score_is_worth_any_price() -> None:
    pool = table(dear=(1.0, 1.0, 1.0), cheap=(1.0, 1.0, 0.0))
    assert front(pool, cost={"dear": 900.0, "cheap": 300.0}) == {"dear": 1, "cheap": 2}
    assert front(pool, cost={"dear": 300.0, "cheap": 300.0}) == {"dear": 3}


def test_rows_that_a_candidate_was_not_scored_on_are_not_lost_by_it() -> None:
    assert front({"half": {"a": 1.0}, "whole": {"a": 0.5, "b": 0.0}}) == {"half": 1, "whole": 1}


def test_an_empty_pool_has_an_empty_front_and_leaves_the_incumbent() -> None:
    assert front({}) == front({"new": {}}) == {}
    assert parent({}, "best", explore=1.0, draw=random.Random(0)) == "best"


def test_the_parent_is_the_incumbent_unless_chance_explores() -> None:
    pool = table(best=(1.0, 1.0, 1.0, 0.0), odd=(0.0, 0.0, 0.0, 1.0))
    drawn = Counter(parent(pool, "best", explore=0.25, draw=random.Random(seed)) for seed in range(4000))
    assert abs(drawn["odd"] / 4000 - 0.25 * 1 / 4) < 0.02  # it wins one row of four
    assert {parent(pool, "best", explore=0.0, draw=random.Random(seed)) for seed in range(100)} == {"best"}
    assert {parent(pool, "gone", explore=1.0, draw=random.Random(seed)) for seed in range(100)} == {"best", "odd"}


def test_a_dominated_candidate_is_never_a_parent() -> None:
    pool = table(less=(1.0, 0.0), more=(1.0, 1.0))
    assert {parent(pool, "more", explore=1.0, draw=random.Random(seed)) for seed in range(100)} == {"more"}


def test_equal_seeds_draw_equal_parents() -> None:
    pool = table(a=(1.0, 0.0), b=(0.0, 1.0))
    draws = [[parent(pool, "a", explore=0.5, draw=random.Random(seed)) for seed in range(50)] for _ in range(2)]
    assert draws[0] == draws[1]


scores = st.sampled_from([0.0, 0.5, 1.0])


@given(st.lists(st.tuples(scores, scores, scores, scores), min_size=1, max_size=6))
def test_every_row_has_a_winner_on_the_front_and_the_order_of_the_pool_decides_nothing(rows: list[tuple]) -> None:
    pool = table(**{f"candidate {at}": row for at, row in enumerate(rows)})
    found = front(pool)
    for row in ("row 0", "row 1", "row 2", "row 3"):
        best = max(own[row] for own in pool.values())
        assert any(pool[name][row] == best for name in found)
    assert front(dict(reversed(pool.items()))) == found
    assert front({name: pool[name] for name in found}) == found
