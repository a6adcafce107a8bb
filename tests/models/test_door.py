"""The door: one call for equal requests, exact caps, a true account, whatever happens to the callers."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentsym.errors import BudgetExceeded, ModelError, StoreError, UsageError
from agentsym.models.budget import Budget
from agentsym.models.cache import ResponseCache
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel, rate_limit
from agentsym.models.protocol import Reply, Request
from agentsym.network.records import Message, Usage
from tests.virtual_time import run_virtual


def request(text: str = "hello", **more: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), **more)


async def gathered(*calls: Any) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


def test_32_identical_concurrent_requests_reach_the_model_once() -> None:
    async def main() -> None:
        model, door = ScriptedModel(["hi"], latency=0.05), Door(concurrency=4)
        replies = await gathered(*(door.complete(model, request(), phase="forward") for _ in range(32)))
        assert [reply.text for reply in replies] == ["hi"] * 32
        assert len(model.calls) == 1
        assert sum(reply.usage.calls for reply in replies) == door.ledger.total().calls == 1
        assert sum(reply.usage.cached for reply in replies) == door.ledger.total().cached == 31

    assert run_virtual(main()).seconds == pytest.approx(0.05)


@pytest.mark.parametrize("other", [{"rollout": 1}, {"temperature": 0.5}, {"schema_": {"type": "object"}}])
def test_requests_that_differ_are_asked_each_on_its_own(other: dict[str, Any]) -> None:
    async def main() -> None:
        model, door = ScriptedModel(["hi"], latency=0.05), Door()
        await gathered(*(door.complete(model, request(**more), phase="forward") for more in ({}, other)))
        assert len(model.calls) == 2

    run_virtual(main())


@pytest.mark.parametrize("remote", [True, False])
def test_a_cap_of_10_calls_lets_exactly_10_of_50_concurrent_callers_through(remote: bool) -> None:
    async def main() -> None:
        model, door = ScriptedModel(["hi"], latency=0.05, remote=remote), Door(budget=Budget(max_calls=10))
        asked = (door.complete(model, request(f"{n}"), phase="forward") for n in range(50))
        replies = await gathered(*asked)
        assert len(model.calls) == door.ledger.total().calls == 10
        refused = [reply for reply in replies if isinstance(reply, BudgetExceeded)]
        assert len(refused) == 40
        assert "10 model calls" in str(refused[0]) and "--max-calls" in str(refused[0])

    run_virtual(main())


def test_failed_calls_count_too() -> None:
    async def main() -> None:
        model = ScriptedModel([Rule(rate_limit(), times=2), "hi"], latency=0.05)
        door = Door(budget=Budget(max_calls=3))
        for n in range(2):
            with pytest.raises(ModelError, match="429"):
                await door.complete(model, request(f"{n}"), phase="forward")
        await door.complete(model, request("2"), phase="forward")
        with pytest.raises(BudgetExceeded):
            await door.complete(model, request("3"), phase="forward")
        assert door.ledger.total().calls == 3
        assert door.ledger.total().seconds == pytest.approx(0.15)

    run_virtual(main())


def test_no_call_is_started_after_the_cap_on_seconds() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        model = ScriptedModel(["hi"], latency=1.0)
        door = Door(concurrency=1, budget=Budget(max_seconds=2.5, clock=clock))
        replies = await gathered(*(door.complete(model, request(f"{n}"), phase="forward") for n in range(6)))
        assert len(model.calls) == 3  # at 0, 1 and 2 seconds; the others had been waiting for a slot
        assert "2.5 seconds" in str(replies[3]) and "--max-seconds" in str(replies[3])
        assert all(isinstance(reply, BudgetExceeded) for reply in replies[3:])

    run_virtual(main())


def test_cancelling_the_caller_who_asked_first_leaves_the_others_their_reply() -> None:
    async def main() -> None:
        model, door = ScriptedModel(["hi"], latency=0.05), Door()
        callers = [asyncio.create_task(door.complete(model, request(), phase="forward")) for _ in range(3)]
        await asyncio.sleep(0.01)
        callers[0].cancel()
        cancelled, *others = await gathered(*callers)
        assert isinstance(cancelled, asyncio.CancelledError)
        assert [reply.text for reply in others] == ["hi", "hi"]
        assert len(model.calls) == door.ledger.total().calls == 1

    run_virtual(main())


def test_when_every_caller_is_cancelled_the_call_stops_and_the_next_one_asks_anew() -> None:
    async def main() -> None:
        model, door = ScriptedModel(["hi"], latency=0.05), Door(concurrency=1, budget=Budget(max_calls=2))
        callers = [asyncio.create_task(door.complete(model, request(), phase="forward")) for _ in range(3)]
        await asyncio.sleep(0.01)
        for caller in callers:
            caller.cancel()
        assert all(isinstance(each, asyncio.CancelledError) for each in await gathered(*callers))
        assert (await door.complete(model, request(), phase="forward")).text == "hi"
        assert len(model.calls) == door.ledger.total().calls == 2
        assert door.budget.held == Usage()

    assert run_virtual(main()).seconds == pytest.approx(0.06)


def test_a_caller_who_is_cancelled_while_waiting_for_a_slot_costs_nothing() -> None:
    async def main() -> None:
        model, door = ScriptedModel(["hi"], latency=0.05), Door(concurrency=1, budget=Budget(max_calls=2))
        first, second = (asyncio.create_task(door.complete(model, request(text), phase="forward")) for text in "ab")
        await asyncio.sleep(0.01)
        second.cancel()
        await gathered(first, second)
        await door.complete(model, request("c"), phase="forward")
        assert [call.text for call in model.calls] == ["a", "c"]
        assert (door.budget.used.calls, door.budget.held) == (2, Usage())

    run_virtual(main())


def test_those_who_wait_for_a_call_that_fails_get_its_error_and_the_next_one_asks_anew() -> None:
    async def main() -> None:
        model, door = ScriptedModel([Rule(rate_limit(), times=1), "hi"], latency=0.05), Door()
        replies = await gathered(*(door.complete(model, request(), phase="forward") for _ in range(3)))
        assert all(isinstance(reply, ModelError) for reply in replies)
        assert len(model.calls) == 1
        assert (await door.complete(model, request(), phase="forward")).text == "hi"

    run_virtual(main())


def test_8_calls_of_50_ms_run_at_once_and_never_more_than_the_limit() -> None:
    async def main(concurrency: int) -> int:
        model, door = ScriptedModel(["hi"], latency=0.05), Door(concurrency=concurrency)
        await gathered(*(door.complete(model, request(f"{n}"), phase="forward") for n in range(8)))
        return model.peak

    at_once = run_virtual(main(8))
    assert at_once.seconds <= 2 * 0.05 and at_once.result == 8
    few = run_virtual(main(3))
    assert few.seconds == pytest.approx(3 * 0.05) and few.result == 3


def test_the_account_is_kept_by_phase_and_node() -> None:
    async def main() -> None:
        said = Reply(text="hi", usage=Usage(calls=1, prompt_tokens=7, completion_tokens=2, usd=0.25))
        model, door = ScriptedModel([said]), Door()
        await door.complete(model, request("a"), phase="forward", node="triage")
        await door.complete(model, request("b"), phase="forward", node="reply")
        await door.complete(model, request("c"), phase="backward", node="triage")
        assert {phase: usage.calls for phase, usage in door.ledger.by_phase().items()} == {
            "forward": 2,
            "backward": 1,
        }
        assert {entry: usage.tokens for entry, usage in door.ledger.entries().items()} == {
            ("forward", "reply"): 9,
            ("forward", "triage"): 9,
            ("backward", "triage"): 9,
        }
        assert door.ledger.total().usd == 0.75

    run_virtual(main())


async def test_a_reply_from_the_cache_costs_nothing_and_is_counted_as_cached(tmp_path: Path) -> None:
    model = ScriptedModel([Reply(text="hi", usage=Usage(calls=1, prompt_tokens=7, usd=0.25))])
    with ResponseCache(tmp_path / "cache.db") as cache:
        await Door(cache=cache).complete(model, request(), phase="forward")
        door = Door(cache=cache, budget=Budget(max_calls=0))
        reply = await door.complete(model, request(), phase="loss", node="triage")
        assert (reply.text, reply.usage) == ("hi", Usage(cached=1))
        assert door.ledger.by_phase() == {"loss": Usage(cached=1)}
        assert len(model.calls) == 1


async def test_another_model_or_another_question_is_no_hit(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "cache.db") as cache:
        door = Door(cache=cache)
        one, other = ScriptedModel(["one"]), ScriptedModel(["other"], name="scripted@elsewhere")
        assert (await door.complete(one, request(), phase="forward")).text == "one"
        assert (await door.complete(other, request(), phase="forward")).text == "other"
        assert (await door.complete(other, request(rollout=1), phase="forward")).usage.calls == 1


async def test_a_failed_call_is_not_kept(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "cache.db") as cache:
        model, door = ScriptedModel([Rule(rate_limit(), times=1), "hi"]), Door(cache=cache)
        with pytest.raises(ModelError):
            await door.complete(model, request(), phase="forward")
        assert (await door.complete(model, request(), phase="forward")).text == "hi"


def test_a_second_process_finds_the_first_ones_reply(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from agentsym.models.cache import ResponseCache
from agentsym.models.door import Door
from agentsym.models.doubles import ScriptedModel
from agentsym.models.protocol import Request
from agentsym.network.records import Message

async def main():
    with ResponseCache(sys.argv[1]) as cache:
        door = Door(cache=cache)
        asked = Request(messages=(Message(role="user", content="ça va? 😀"),))
        reply = await door.complete(ScriptedModel([sys.argv[2]]), asked, phase="forward")
        print(reply.text, reply.usage.calls, reply.usage.cached)

asyncio.run(main())
"""
    said = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "cache.db"), answer],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for answer in ("first", "second")
    ]
    assert said == ["first 1 0", "first 0 1"]


def test_a_local_model_is_asked_every_time_and_not_held_up(tmp_path: Path) -> None:
    async def main() -> None:
        model = ScriptedModel(["hi"], remote=False, latency=0.05)
        with ResponseCache(tmp_path / "cache.db") as cache:
            door = Door(concurrency=1, cache=cache)
            await gathered(*(door.complete(model, request(), phase="forward") for _ in range(8)))
        assert len(model.calls) == model.peak == door.ledger.total().calls == 8
        assert door.ledger.total().cached == 0

    assert run_virtual(main()).seconds == pytest.approx(0.05)


def test_a_model_that_does_not_count_itself_is_counted_as_one_call() -> None:
    async def main() -> None:
        door = Door()
        reply = await door.complete(ScriptedModel([Reply(text="hi")], latency=2.0), request(), phase="gate")
        assert reply.usage == door.ledger.total() == Usage(calls=1, seconds=2.0)

    run_virtual(main())


def test_a_limit_of_no_calls_at_once_is_refused() -> None:
    with pytest.raises(UsageError, match="1 or more"):
        Door(concurrency=0)


async def test_a_cache_that_breaks_loses_no_answer_and_is_said_once(tmp_path: Path) -> None:
    class Full(ResponseCache):
        def put(self, key: str, reply: Reply) -> None:
            raise StoreError("the response cache cannot be used (disk full)")

    with Full(tmp_path / "cache.db") as cache:
        model, door = ScriptedModel(["hi"]), Door(cache=cache)
        with pytest.warns(UserWarning, match="disk full.*going on without it"):
            assert (await door.complete(model, request("a"), phase="forward")).text == "hi"
        assert (await door.complete(model, request("b"), phase="forward")).text == "hi"
