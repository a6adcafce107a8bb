"""The door under caps on tokens and dollars, with models that fail: what is reserved, sent again, priced and told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentsym.errors import (
    BadReply,
    BudgetExceeded,
    Disconnected,
    KeyRefused,
    ModelError,
    RateLimited,
    ServerFailed,
    TimedOut,
    UsageError,
)
from agentsym.models.budget import REPLY_TOKENS, Budget
from agentsym.models.cache import ResponseCache
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.prices import Prices
from agentsym.models.protocol import Phase, Reply, Request
from agentsym.models.retry import RetryPolicy
from agentsym.network.records import Message, Usage
from tests.virtual_time import run_virtual

TWICE = RetryPolicy(retries=2)


def request(text: str = "hello", **more: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), **more)


def counted(prompt: int, completion: int) -> Reply:
    return Reply(
        text="hi", usage=Usage(calls=1, prompt_tokens=prompt, completion_tokens=completion, usd=None, seconds=0.0)
    )


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    file = tmp_path / "prices.yaml"
    file.write_text("scripted: {input: 1.0, output: 10.0}\n")
    return Prices(file)


@pytest.mark.parametrize("error", [ServerFailed("500"), RateLimited("429"), Disconnected("gone"), TimedOut("late")])
def test_what_may_go_better_is_sent_again_and_every_attempt_counts(error: ModelError) -> None:
    async def main() -> None:
        model = ScriptedModel([Rule(error, times=2), "hi"], latency=1.0)
        door = Door(retry=TWICE)
        reply = await door.complete(model, request(), phase="forward")
        assert reply.usage.calls == door.ledger.total().calls == len(model.calls) == 3

    assert 3.0 + 0.375 + 0.75 <= run_virtual(main()).seconds <= 3.0 + 0.5 + 1.0


@pytest.mark.parametrize(("error", "sent"), [(ServerFailed("500"), 3), (KeyRefused("401"), 1), (BadReply("<html>"), 1)])
def test_a_server_that_always_fails_gets_exactly_the_requests_that_the_policy_says(
    error: ModelError, sent: int
) -> None:
    async def main() -> None:
        model, door = ScriptedModel([error]), Door(retry=TWICE)
        with pytest.raises(type(error)):
            await door.complete(model, request(), phase="forward")
        assert len(model.calls) == door.ledger.total().calls == sent

    run_virtual(main())


def test_each_attempt_is_capped() -> None:
    async def main() -> None:
        model, door = ScriptedModel([ServerFailed("500")]), Door(budget=Budget(max_calls=2), retry=TWICE)
        with pytest.raises(BudgetExceeded):
            await door.complete(model, request(), phase="forward")
        assert len(model.calls) == 2

    run_virtual(main())


def test_a_rate_limit_holds_up_everyone_for_as_long_as_the_server_asks() -> None:
    async def main() -> None:
        model = ScriptedModel([Rule(RateLimited("429", retry_after=7.0), times=1), "hi"], latency=0.1)
        other, door = ScriptedModel(["hi"], name="other"), Door(concurrency=1)
        times: list[float] = []

        async def ask(who: ScriptedModel, text: str) -> None:
            await door.complete(who, request(text), phase="forward")
            times.append(asyncio.get_running_loop().time())

        await asyncio.gather(ask(model, "a"), ask(model, "b"), ask(other, "c"))
        assert sorted(times) == [pytest.approx(0.1), pytest.approx(7.2), pytest.approx(7.3)]

    run_virtual(main())


def test_a_server_that_asks_for_too_long_a_wait_has_failed() -> None:
    async def main() -> None:
        model, door = ScriptedModel([RateLimited("429", retry_after=3600.0)]), Door()
        with pytest.raises(RateLimited):
            await door.complete(model, request(), phase="forward")
        assert len(model.calls) == 1

    run_virtual(main())


def test_nobody_waits_for_a_server_beyond_the_cap_on_seconds() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        model = ScriptedModel([RateLimited("429", retry_after=50.0)])
        door = Door(budget=Budget(max_seconds=10, clock=clock))
        with pytest.raises(BudgetExceeded, match="10 seconds"):
            await door.complete(model, request(), phase="forward")

    assert run_virtual(main()).seconds == pytest.approx(10.0)


async def test_under_a_cap_on_tokens_every_request_says_how_long_its_reply_may_be() -> None:
    model = ScriptedModel([counted(3, 4)])
    for budget, asked in ((Budget(max_tokens=10_000), REPLY_TOKENS), (Budget(max_calls=9), None)):
        await Door(budget=budget).complete(model, request(), phase="forward")
        assert model.calls[-1].request.max_tokens == asked
    await Door(budget=Budget(max_tokens=10_000)).complete(model, request(max_tokens=50), phase="forward")
    assert model.calls[-1].request.max_tokens == 50


@pytest.mark.parametrize("concurrency", [1, 32])
def test_no_concurrency_gets_over_a_cap_on_tokens_and_most_of_it_is_spent(concurrency: int) -> None:
    async def main() -> None:
        model = ScriptedModel([counted(60, 40)], latency=0.05)
        door = Door(concurrency=concurrency, budget=Budget(max_tokens=3_000))
        asked = (door.complete(model, request(f"{n:06}" * 20, max_tokens=100), phase="forward") for n in range(100))
        refused = [each for each in await asyncio.gather(*asked, return_exceptions=True) if isinstance(each, Exception)]
        assert {type(each) for each in refused} == {BudgetExceeded}
        assert 2_400 <= door.ledger.total().tokens <= 3_000

    run_virtual(main())


async def test_the_door_prices_what_a_model_has_counted(prices: Prices) -> None:
    door = Door(prices=prices, budget=Budget(max_usd=1.0))
    reply = await door.complete(ScriptedModel([counted(1000, 100)]), request(), phase="forward")
    assert reply.usage.usd == door.budget.used.usd == pytest.approx(1000 * 1e-6 + 100 * 10e-6)


async def test_a_price_that_nobody_knows_is_unknown_and_no_cap_on_dollars_can_hold(prices: Prices) -> None:
    model = ScriptedModel([counted(1000, 100)], name="somebody/new")
    assert (await Door(prices=prices).complete(model, request(), phase="forward")).usage.usd is None
    with pytest.raises(UsageError, match=r"price of somebody/new.*AGENTSYM_PRICES"):
        await Door(prices=prices, budget=Budget(max_usd=1.0)).complete(model, request(), phase="forward")
    assert len(model.calls) == 1


def test_a_call_that_may_be_billed_unseen_counts_as_all_that_it_had_reserved(prices: Prices) -> None:
    async def main(end: str) -> None:
        model = ScriptedModel([TimedOut("late") if end == "late" else counted(1, 1)], latency=1.0)
        door = Door(prices=prices, budget=Budget(max_usd=1.0), retry=RetryPolicy(retries=0))
        call = asyncio.create_task(door.complete(model, request(max_tokens=50), phase="forward"))
        await asyncio.sleep(0.5)
        if end == "cancelled":
            call.cancel()
        with pytest.raises((TimedOut, asyncio.CancelledError)):
            await call
        await asyncio.sleep(1)
        used = door.ledger.total()
        assert used.estimated and used.completion_tokens == 50 and used.prompt_tokens > len("hello")
        assert used.usd == door.budget.used.usd == pytest.approx(used.prompt_tokens * 1e-6 + 50 * 10e-6)

    run_virtual(main("late"))
    run_virtual(main("cancelled"))


async def test_a_refused_request_costs_no_tokens() -> None:
    door = Door(budget=Budget(max_tokens=10_000))
    with pytest.raises(KeyRefused):
        await door.complete(ScriptedModel([KeyRefused("401")]), request(), phase="forward")
    assert door.budget.used == Usage(calls=1, seconds=door.budget.used.seconds)


class Streaming(ScriptedModel):
    """A scripted double that hands out its answer in two pieces."""

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        reply = await self.complete(request)
        half = len(reply.text) // 2
        for piece in (reply.text[:half], reply.text[half:]):
            yield piece
        yield reply


@pytest.mark.parametrize("kind", [Streaming, ScriptedModel])
async def test_the_text_is_handed_out_while_it_is_written(kind: type[ScriptedModel]) -> None:
    pieces: list[str] = []
    reply = await Door().complete(kind(["good day"]), request(), phase="forward", on_text=pieces.append)
    assert "".join(pieces) == reply.text == "good day"
    assert len(pieces) == (2 if kind is Streaming else 1)


def test_who_was_told_half_an_answer_is_not_told_another_one() -> None:
    class Breaking(Streaming):
        async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
            await self.complete(request)
            yield "good"
            raise Disconnected("gone")

    async def main() -> None:
        model, pieces = Breaking(["good day"]), []
        with pytest.raises(Disconnected):
            await Door().complete(model, request(), phase="forward", on_text=pieces.append)
        assert pieces == ["good"] and len(model.calls) == 1

    run_virtual(main())


async def test_a_recorder_sees_every_answer_of_remote_models_the_cached_ones_too(tmp_path: Path) -> None:
    seen: list[tuple[str, str, str]] = []

    class Seen:
        def record(self, model: str, request: Request, reply: Reply, *, phase: Phase, node: str) -> None:
            seen.append((model, reply.text, node))

    cache = ResponseCache(tmp_path / "cache.db")
    door = Door(recorder=Seen(), cache=cache)
    for remote in (True, True, False):
        await door.complete(ScriptedModel(["hi"], remote=remote), request(), phase="forward", node="triage")
    assert seen == [("scripted", "hi", "triage")] * 2
    cache.close()


async def test_a_price_list_that_cannot_be_read_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    model, door = ScriptedModel([counted(1, 1)]), Door(prices=Prices(tmp_path / "none.yaml"))
    with pytest.raises(UsageError, match="cannot be read"):
        await door.complete(model, request(), phase="forward")
    assert not model.calls


class Slow(ScriptedModel):
    """A scripted double that hands out one letter a second."""

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        reply = await self.complete(request)
        for letter in reply.text:
            await asyncio.sleep(1)
            yield letter
        yield reply


def test_all_who_listen_to_the_same_call_hear_all_of_it_and_one_who_has_gone_hears_no_more() -> None:
    async def main() -> None:
        model, door, heard = Slow(["abcd"]), Door(), dict[str, str]()

        def ask(who: str) -> asyncio.Task[Reply]:
            def hear(piece: str) -> None:
                heard[who] = heard.get(who, "") + piece

            return asyncio.create_task(door.complete(model, request(), phase="forward", on_text=hear))

        first = ask("first")
        await asyncio.sleep(1.5)
        second = ask("second")
        await asyncio.sleep(1)
        first.cancel()
        assert (await second).text == "abcd" and len(model.calls) == 1
        assert heard == {"first": "ab", "second": "abcd"}

    run_virtual(main())


async def test_a_listener_that_fails_fails_alone() -> None:
    def fails(piece: str) -> None:
        raise RuntimeError("no screen")

    model, door = Streaming(["good day"], latency=0.01), Door()
    first, second = await asyncio.gather(
        door.complete(model, request(), phase="forward", on_text=fails),
        door.complete(model, request(), phase="forward"),
        return_exceptions=True,
    )
    assert isinstance(first, RuntimeError) and isinstance(second, Reply) and second.text == "good day"
