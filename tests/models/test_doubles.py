"""The doubles: strict about their script, honest about what they were asked, exact in what they replay."""

import asyncio
import json
from pathlib import Path

import pytest

from agentsym.errors import DataError, ModelError
from agentsym.models.doubles import (
    RecordedModel,
    Recorder,
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


async def test_a_recording_is_replayed_without_the_model(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with ScriptedModel([lambda asked: f"{asked.messages[0].content}{asked.rollout} ça\u2028\n"]) as model:
        recorder = Recorder(model, path)
        asked = [request("a"), request("b"), request("a", rollout=1), request("a")]
        live = [await recorder.complete(each) for each in asked]
    assert path.read_text().count("\n") == 3
    replay = RecordedModel(path)
    assert [await replay.complete(each) for each in asked] == live


async def test_a_recorder_goes_on_with_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for text in ("a", "b", "a"):
        await Recorder(ScriptedModel(["hi"]), path).complete(request(text))
    assert len(path.read_text().splitlines()) == 2


async def test_an_unknown_request_names_the_nearest_recorded_one(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorder = Recorder(ScriptedModel(["hi"]), path)
    for text in ("where is my parcel", "please refund my card at once", "cancel"):
        await recorder.complete(request(text))
    replay = RecordedModel(path)
    with pytest.raises(ModelError, match=r"number 2 of 3: its message 1 \(user\) has '.*card.*', not '.*cards"):
        await replay.complete(request("please refund my cards at once"))
    with pytest.raises(ModelError, match="number 3 of 3: its rollout is 0, not 4"):
        await replay.complete(request("cancel", rollout=4))
    with pytest.raises(ModelError, match="number 3 of 3: it has 1 messages, not 2"):
        await replay.complete(request("cancel", "now"))


async def test_an_empty_recording_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("")
    with pytest.raises(ModelError, match="empty"):
        await RecordedModel(path).complete(request("a"))


@pytest.mark.parametrize("line", ["no json", "[]", "{}", json.dumps({"request": {}, "reply": {"text": "x"}})])
def test_a_broken_recording_names_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "run.jsonl"
    good = {"request": request("a").model_dump(mode="json"), "reply": {"text": "x"}}
    path.write_text(json.dumps(good) + "\n" + line + "\n")
    with pytest.raises(DataError, match=r"run\.jsonl, line 2"):
        RecordedModel(path)


def test_a_missing_recording_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Recorder"):
        RecordedModel(tmp_path / "none.jsonl")
