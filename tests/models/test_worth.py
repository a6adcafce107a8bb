"""A reply says what it is worth: what the answer has cost whoever got it first, whoever gets it now."""

import asyncio
from pathlib import Path

import pytest

from agentsym.errors import ServerFailed
from agentsym.models.cache import ResponseCache
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.prices import Prices
from agentsym.models.protocol import Reply, Request
from agentsym.models.retry import RetryPolicy
from agentsym.network.records import Message, Usage
from tests.virtual_time import run_virtual

REQUEST = Request(messages=(Message(role="user", content="hello"),))
ANSWER = Reply(text="hi", usage=Usage(calls=1, prompt_tokens=100, completion_tokens=10, usd=None))
COST = 100e-6 + 10 * 10e-6


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    file = tmp_path / "prices.yaml"
    file.write_text("scripted: {input: 1.0, output: 10.0}\n")
    return Prices(file)


def figures(worth: Usage) -> tuple[int, float | None, float]:
    return worth.tokens, None if worth.usd is None else pytest.approx(worth.usd), round(worth.seconds, 6)


def test_an_answer_is_worth_what_it_costs_and_one_from_the_cache_just_as_much(tmp_path: Path, prices: Prices) -> None:
    async def main() -> None:
        model = ScriptedModel([ANSWER], latency=2.0)
        with ResponseCache(tmp_path / "cache.db") as cache:
            doors = [Door(cache=cache, prices=prices) for _ in range(2)]
            paid, kept = [await door.complete(model, REQUEST, phase="forward") for door in doors]
        assert paid.worth == paid.usage and figures(paid.worth) == (110, COST, 2.0)
        assert kept.usage == Usage(cached=1) and figures(kept.worth) == (110, COST, 2.0)
        assert doors[1].ledger.total() == Usage(cached=1), "worth is in no account"

    run_virtual(main())


def test_each_of_those_who_wait_for_one_call_gets_its_worth(prices: Prices) -> None:
    async def main() -> None:
        door, model = Door(prices=prices), ScriptedModel([ANSWER], latency=1.0)
        replies = await asyncio.gather(*(door.complete(model, REQUEST, phase="forward") for _ in range(3)))
        assert [figures(reply.worth) for reply in replies] == [(110, COST, 1.0)] * 3
        assert sum(reply.usage.tokens for reply in replies) == 110

    run_virtual(main())


def test_attempts_that_failed_are_used_and_not_worth_anything(tmp_path: Path, prices: Prices) -> None:
    """What a run would cost anew has no need of the bad luck that it had."""

    async def main() -> None:
        model = ScriptedModel([Rule(ServerFailed("500"), times=2), ANSWER], latency=1.0)
        with ResponseCache(tmp_path / "cache.db") as cache:
            doors = [Door(cache=cache, prices=prices, retry=RetryPolicy(retries=2)) for _ in range(2)]
            paid, kept = [await door.complete(model, REQUEST, phase="forward") for door in doors]
        assert paid.usage.calls == 3 and paid.worth.calls == 1
        assert figures(paid.worth) == figures(kept.worth) == (110, COST, 1.0)

    run_virtual(main())


async def test_an_answer_that_was_kept_before_its_price_was_known_is_worth_the_price(
    tmp_path: Path, prices: Prices
) -> None:
    with ResponseCache(tmp_path / "cache.db") as cache:
        unknown = await Door(cache=cache).complete(ScriptedModel([ANSWER]), REQUEST, phase="forward")
        known = await Door(cache=cache, prices=prices).complete(ScriptedModel(["never"]), REQUEST, phase="forward")
    assert unknown.worth.usd is None and known.worth.usd == pytest.approx(COST)


async def test_a_local_answer_takes_tokens_and_no_money() -> None:
    model = ScriptedModel([ANSWER], remote=False)
    reply = await Door().complete(model, REQUEST, phase="forward")
    assert (reply.worth.tokens, reply.worth.usd, reply.worth.calls) == (110, 0.0, 1)
