"""The budget: caps that say which one, how much was used and what to do, and that many callers share exactly."""

import asyncio
from typing import Any

import pytest

from agentsym.errors import BudgetExceeded, UsageError
from agentsym.models.budget import Budget
from agentsym.network.records import Usage
from tests.virtual_time import run_virtual

ONE = Usage(calls=1)


def tokens(prompt: int, completion: int = 0, **more: Any) -> Usage:
    return Usage(calls=1, prompt_tokens=prompt, completion_tokens=completion, **more)


async def test_what_is_reserved_and_not_settled_counts() -> None:
    budget = Budget(max_calls=2)
    first = await budget.reserve(ONE)
    await budget.reserve(ONE)
    with pytest.raises(BudgetExceeded, match="0 used and 2 under way"):
        budget.check(ONE)
    budget.settle(first, Usage())  # nothing was sent after all
    await budget.reserve(ONE)


async def test_a_call_that_took_several_attempts_counts_each() -> None:
    budget = Budget(max_calls=4)
    budget.settle(await budget.reserve(ONE), Usage(calls=3))
    await budget.reserve(ONE)
    assert (budget.used.calls, budget.held.calls) == (3, 1)
    with pytest.raises(BudgetExceeded):
        budget.check(ONE)


def test_what_does_not_fit_waits_for_calls_under_way_and_gets_what_they_leave_over() -> None:
    budget, order = Budget(max_tokens=100), []

    async def call(name: str, most: int, used: int, seconds: float) -> None:
        number = await budget.reserve(tokens(most))
        order.append(name)
        await asyncio.sleep(seconds)
        budget.settle(number, tokens(used))

    async def main() -> None:
        await asyncio.gather(call("first", 60, 10, 1.0), call("second", 60, 10, 1.0), call("third", 70, 70, 1.0))

    assert run_virtual(main()).seconds == pytest.approx(3.0)
    assert order == ["first", "second", "third"] and budget.used.tokens == 90


async def test_when_nothing_is_under_way_what_does_not_fit_is_refused() -> None:
    budget = Budget(max_tokens=100)
    number = await budget.reserve(tokens(60))
    waiting = asyncio.create_task(budget.reserve(tokens(60)))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.settle(number, tokens(50))
    with pytest.raises(BudgetExceeded, match=r"cap of 100 tokens leaves no room for 60 more: 50 used; .*--max-tokens"):
        await waiting
    assert budget.held == Usage()


async def test_a_caller_who_is_cancelled_while_waiting_holds_nothing() -> None:
    budget = Budget(max_tokens=100)
    number = await budget.reserve(tokens(60))
    waiting = asyncio.create_task(budget.reserve(tokens(60)))
    await asyncio.sleep(0)
    waiting.cancel()
    budget.settle(number, tokens(10))
    await budget.reserve(tokens(90))
    assert budget.held.tokens == 90


async def test_prompt_and_reply_count_together_and_dollars_apart() -> None:
    budget = Budget(max_tokens=100, max_usd=0.01)
    with pytest.raises(BudgetExceeded, match="100 tokens"):
        budget.check(tokens(60, 41, usd=0.001))
    with pytest.raises(BudgetExceeded, match=r"0\.01 dollars .*--max-usd"):
        budget.check(tokens(1, usd=0.011))
    with pytest.raises(BudgetExceeded, match="dollars"):
        budget.check(tokens(1, usd=None))  # a price that nobody knows fits no cap


async def test_a_reply_beyond_its_reservation_is_counted_as_it_was() -> None:
    budget = Budget(max_tokens=100)
    budget.settle(await budget.reserve(tokens(60)), tokens(60, 70))
    assert budget.used.tokens == 130 and budget.overruns == 1


def test_a_whole_step_can_be_checked_before_its_first_call() -> None:
    budget = Budget(max_calls=10)
    budget.check(Usage(calls=10))
    with pytest.raises(BudgetExceeded, match="no room for 11 more"):
        budget.check(Usage(calls=11))
    assert budget.held.calls == 0


async def test_seconds_run_from_the_moment_the_budget_is_made() -> None:
    now = 100.0
    budget = Budget(max_seconds=5, clock=lambda: now)
    now = 104.9
    await budget.reserve(ONE)
    now = 105.0
    with pytest.raises(BudgetExceeded, match=r"cap of 5 seconds is reached: 5\.0 used"):
        await budget.reserve(ONE)


async def test_without_caps_everything_fits() -> None:
    budget = Budget()
    for _ in range(1000):
        await budget.reserve(tokens(10_000, usd=None))
    assert budget.held.calls == 1000 and not budget.bounds_replies


@pytest.mark.parametrize(
    "caps", [{"max_calls": -1}, {"max_tokens": -1}, {"max_usd": float("nan")}, {"max_seconds": -0.5}]
)
def test_a_cap_below_zero_is_refused(caps: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(caps))):
        Budget(**caps)
