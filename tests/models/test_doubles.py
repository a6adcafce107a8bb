"""The scripted double: strict about its script, and honest about what it was asked."""

import asyncio

import pytest

from agentsym.errors import ModelError
from agentsym.models.doubles import (
    Rule,
    ScriptedModel,
    Unscripted,
    rate_limit,
    timeout,
)
from agentsym.models.protocol import Reply, Request
from agentsym.network.records import Message
from tests.virtual_time import run_virtual


def request(*texts: str, rollout: int = 0) -> Request:
    return Request(messages=tuple(Message(role="user", content=text) for text in texts), rollout=rollout)


async def test_the_first_rule_that_fits_answers() -> None:
    rules = [
        Rule("late", when="parcel"),
        Rule("twice", when=lambda asked: len(asked.messages) == 2),
        Rule(lambda asked: asked.messages[0].content.upper()),
    ]
    with ScriptedModel(rules) as model:
        said = [(await model.complete(asked)).text for asked in (request("my parcel"), request("a", "b"), request("c"))]
    assert said == ["late", "twice", "C"]
    assert [call.rule for call in model.calls] == [0, 1, 2]
    assert model.calls[1].text == "a\n\nb"


async def test_a_call_without_a_rule_is_a_failure_also_when_someone_swallows_the_error() -> None:
    model = ScriptedModel([Rule("late", when="parcel")])
    with pytest.raises(Unscripted, match="no rule fits this call:\nsomething else"):
        await model.complete(request("something else"))
    await model.complete(request("parcel"))
    with pytest.raises(Unscripted, match="something else"):
        model.verify()
    assert [call.rule for call in model.calls] == [None, 0]


async def test_an_unused_rule_is_a_failure() -> None:
    with (
        pytest.raises(Unscripted, match="rule 1 was used 1 times, not 2"),
        ScriptedModel([Rule("a", when="a"), Rule("b", times=2)]) as model,
    ):
        await model.complete(request("a"))
        await model.complete(request("b"))


async def test_a_test_that_fails_is_not_hidden_by_the_unused_rule() -> None:
    with pytest.raises(ZeroDivisionError), ScriptedModel(["never asked"]):
        raise ZeroDivisionError


async def test_failures_are_injected_in_turn() -> None:
    with ScriptedModel([Rule(rate_limit(), times=1), Rule(timeout(), times=1), "ok"]) as model:
        for reason in ("429", "60 seconds"):
            with pytest.raises(ModelError, match=reason):
                await model.complete(request("a"))
        assert await model.complete(request("a")) == Reply(text="ok")


def test_concurrent_calls_use_each_turn_once_and_their_peak_is_known() -> None:
    async def main() -> None:
        rules = [Rule(f"{n}", times=1, latency=1 + n) for n in range(20)]
        with ScriptedModel(rules) as model:
            replies = await asyncio.gather(*(model.complete(request("a")) for _ in range(20)))
        assert sorted(int(reply.text) for reply in replies) == list(range(20))
        assert model.peak == 20

    assert run_virtual(main()).seconds == pytest.approx(20)
