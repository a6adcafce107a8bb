"""Culprits are looked for with a trial function that counts, so every claim on cost is a count and no time."""

from collections.abc import Sequence
from itertools import product
from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsym.learning.symbolic.culprits import culprits


class Trial:
    """Breaks when one of the sets is tried as a whole, and notes what was tried."""

    def __init__(self, *harmful: set[int]) -> None:
        self.harmful = harmful
        self.tried: list[tuple[int, ...]] = []

    def harms(self, items: Sequence[int]) -> bool:
        return any(part <= set(items) for part in self.harmful)

    async def __call__(self, items: Sequence[int]) -> bool:
        self.tried.append(tuple(items))
        return self.harms(items)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 100])
async def test_one_culprit_costs_the_logarithm_and_one_look_at_the_rest(count: int) -> None:
    for culprit in range(count):
        trial = Trial({culprit})
        assert await culprits(range(count), trial) == [culprit]
        assert len(trial.tried) <= ceil(log2(count)) + 1


async def test_a_lone_item_is_the_culprit_without_any_trial() -> None:
    trial = Trial({0})
    assert await culprits([0], trial) == [0]
    assert trial.tried == []


async def test_of_two_that_only_harm_together_the_later_one_goes() -> None:
    assert await culprits(range(10), Trial({2, 7})) == [7]
    assert await culprits([7, 5, 2], Trial({2, 7})) == [2]


async def test_an_item_that_harms_alone_does_not_take_its_innocent_partner_along() -> None:
    assert await culprits(range(8), Trial({3}, {3, 6})) == [3]


@given(st.lists(st.sets(st.integers(0, 11), min_size=1, max_size=3), min_size=1, max_size=6))
async def test_nothing_breaks_without_the_culprits_and_each_of_them_was_needed(harmful: list[set[int]]) -> None:
    trial = Trial(*harmful)
    found = await culprits(range(12), trial)
    rest = [item for item in range(12) if item not in found]
    assert not trial.harms(rest)
    assert found == sorted(found)
    for culprit in found:  # with those that stay and the ones before it, each does harm
        assert trial.harms([item for item in range(culprit + 1) if item == culprit or item not in found])


@given(st.sets(st.integers(0, 15), min_size=1))
async def test_culprits_that_act_alone_are_found_exactly_and_at_their_price(harmful: set[int]) -> None:
    trial = Trial(*({item} for item in harmful))
    assert await culprits(range(16), trial) == sorted(harmful)
    assert len(trial.tried) <= len(harmful) * (4 + 1)


@pytest.mark.parametrize("count", [2, 3, 4])
async def test_whatever_the_trials_say_it_ends_within_its_price(count: int) -> None:
    """All functions of the starts and rests of a list: also those where one item undoes another's harm."""
    parts = [tuple(i for i in range(count) if bits >> i & 1) for bits in range(1, 2**count - 1)]
    for answers in product((False, True), repeat=len(parts)):
        table = dict(zip(parts, answers, strict=True))
        tried: list[tuple[int, ...]] = []

        async def breaks(
            items: Sequence[int], table: dict[tuple[int, ...], bool] = table, tried: list[tuple[int, ...]] = tried
        ) -> bool:
            tried.append(tuple(items))
            return table[tuple(items)]

        found = await culprits(range(count), breaks)
        rest = tuple(item for item in range(count) if item not in found)
        assert not rest or not table[rest]
        assert len(tried) == len(set(tried)) <= count * ceil(log2(count))


async def test_every_trial_keeps_the_order_of_the_items() -> None:
    trial = Trial({9}, {4}, {1, 6})
    items = [9, 3, 4, 0, 1, 8, 6]
    assert await culprits(items, trial) == [9, 4, 6]
    assert all(list(part) == [item for item in items if item in part] for part in trial.tried)
