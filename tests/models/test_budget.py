"""The budget: caps that say which one, how much was used and what to do."""

import pytest

from agentsym.errors import BudgetExceeded, UsageError
from agentsym.models.budget import Budget
from agentsym.network.records import Usage

ONE = Usage(calls=1)


def test_what_is_reserved_and_not_settled_counts() -> None:
    budget = Budget(max_calls=2)
    budget.reserve(ONE)
    budget.reserve(ONE)
    with pytest.raises(BudgetExceeded, match="0 used and 2 under way"):
        budget.reserve(ONE)
    budget.settle(ONE, Usage())  # nothing was sent after all
    budget.reserve(ONE)


def test_a_call_that_took_several_attempts_counts_each() -> None:
    budget = Budget(max_calls=4)
    budget.reserve(ONE)
    budget.settle(ONE, Usage(calls=3))
    budget.reserve(ONE)
    assert (budget.used_calls, budget.held_calls) == (3, 1)
    with pytest.raises(BudgetExceeded):
        budget.check(ONE)


def test_a_whole_step_can_be_checked_before_its_first_call() -> None:
    budget = Budget(max_calls=10)
    budget.check(Usage(calls=10))
    with pytest.raises(BudgetExceeded, match="no room for 11 more"):
        budget.check(Usage(calls=11))
    assert budget.held_calls == 0


def test_seconds_run_from_the_moment_the_budget_is_made() -> None:
    now = 100.0
    budget = Budget(max_seconds=5, clock=lambda: now)
    now = 104.9
    budget.reserve(ONE)
    now = 105.0
    with pytest.raises(BudgetExceeded, match=r"cap of 5 seconds is reached: 5\.0 used"):
        budget.reserve(ONE)


def test_without_caps_everything_fits() -> None:
    budget = Budget()
    for _ in range(1000):
        budget.reserve(ONE)
    assert budget.held_calls == 1000


@pytest.mark.parametrize("caps", [{"max_calls": -1}, {"max_seconds": -0.5}, {"max_seconds": float("nan")}])
def test_a_cap_below_zero_is_refused(caps: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(caps))):
        Budget(**caps)  # type: ignore[arg-type]
