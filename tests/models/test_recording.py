"""Recordings: exact in what they replay, free of keys, and readable whenever whoever wrote them was stopped."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentsym.errors import DataError, ModelError, Unavailable, UsageError
from agentsym.models.budget import Budget
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.protocol import Reply, Request
from agentsym.models.recording import ABOUT, PROMPTS, TRAFFIC, RecordedModel, Recorder, read_about, read_traffic
from agentsym.models.structured import RETRY_PROMPT, ask, parse_json
from agentsym.network.records import Message, ToolCall, Usage

KEY = "sk-proj-abcdefghijklmnopqrstuvwx"


def request(*texts: str, rollout: int = 0) -> Request:
    return Request(messages=tuple(Message(role="user", content=text) for text in texts), rollout=rollout)


def recorder(folder: Path, *, how: str = "", prompt: str = "Judge the run.\n") -> Recorder:
    """Return a recorder whose requests are made with one prompt file."""
    source = folder.parent / "source"
    source.mkdir(exist_ok=True)
    (source / "loss.md").write_text(prompt)
    return Recorder(folder, prompts=[source / "loss.md"], how=how)


def keep(recording: Recorder, asked: Request, said: Reply | str = "hi", *, model: str = "house/large") -> None:
    reply = Reply(text=said) if isinstance(said, str) else said
    recording.record(model, asked, reply, phase="loss", node="")


def lines(folder: Path) -> list[str]:
    return (folder / TRAFFIC).read_text("utf-8").split("\n")[:-1]


async def test_a_recording_is_replayed_without_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    asked = [request("a"), request("b"), request("a", rollout=1), request("a")]
    with ScriptedModel([lambda asked: f"{asked.messages[0].content}{asked.rollout} ça\u2028\n"]) as model:
        door = Door(recorder=recorder(folder))
        live = [await door.complete(model, each, phase="loss") for each in asked]
        assert len(model.calls) == 4
    assert len(lines(folder)) == 3
    for place in (folder, folder / TRAFFIC):
        replay = RecordedModel(place)
        assert [(await replay.complete(each)).text for each in asked] == [reply.text for reply in live]


async def test_many_calls_at_once_write_whole_lines_each_once(tmp_path: Path) -> None:
    model = ScriptedModel([lambda asked: asked.messages[0].content * 10_000])
    door = Door(recorder=recorder(tmp_path / "first"), concurrency=50)
    asked = [request(str(number % 40)) for number in range(200)]
    await asyncio.gather(*(door.complete(model, each, phase="gate", node="sort") for each in asked))
    found = read_traffic(tmp_path / "first" / TRAFFIC)
    assert sorted(int(item.request.messages[0].content) for item in found) == list(range(40))
    assert {(item.model, item.phase, item.node) for item in found} == {("scripted", "gate", "sort")}


def test_it_says_how_it_was_made_by_whom_and_with_which_prompts(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    recording = recorder(folder, how="a language model answered through files")
    for model in ("relay:there", "house/large", "relay:there"):
        keep(recording, request(model), model=model)
    about = read_about(folder)
    assert about.how == "a language model answered through files"
    assert about.models == ("relay:there", "house/large")
    assert about.agentsym and about.begun[:2] == "20"
    assert (folder / PROMPTS / "loss.md").read_text() == "Judge the run.\n"


def test_a_recording_is_gone_on_with_under_the_same_prompts_only(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    for text, how in (("a", "by hand"), ("b", ""), ("a", "by hand"), ("c", "by a server")):
        keep(recorder(folder, how=how), request(text))
    assert len(lines(folder)) == 3
    assert read_about(folder).how == "by hand; by a server"
    with pytest.raises(UsageError, match=r"recorded with other prompts \(loss\.md\).*record into a new folder"):
        recorder(folder, prompt="Judge the run strictly.\n")
    with pytest.raises(UsageError, match=r"other prompts \(loss\.md, retry\.md\)"):
        Recorder(folder, prompts=[RETRY_PROMPT])


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty and no recording"):
        recorder(folder)
    with pytest.raises(UsageError, match=r"notes\.txt: no recording can be written there"):
        Recorder(folder / "notes.txt", prompts=[RETRY_PROMPT])
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


async def test_keys_are_in_no_file_and_the_request_is_found_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSE_API_KEY", "correct horse battery")
    call = ToolCall(tool="fetch", arguments={"headers": [{"api_key": "plainvalue123", "limit": 3}]}, result=KEY)
    asked = Request(
        messages=(
            Message(role="user", content=f"Why is {KEY} refused? It is not correct horse battery."),
            Message(role="assistant", content="", tool_calls=(call,)),
        )
    )
    folder = tmp_path / "first"
    recording = recorder(folder, how=f"asked with {KEY}")
    for _ in range(2):
        keep(recording, asked, f"{KEY} has expired", model=f"house/large at http://me:{KEY}@here/")
    keep(recorder(folder), asked)
    assert len(lines(folder)) == 1
    written = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert not any(key in written for key in (KEY, "correct horse battery", "plainvalue123"))
    assert '"limit": 3' in written
    replay = RecordedModel(folder)
    assert (await replay.complete(asked)).text == "[secret] has expired"
    with pytest.raises(ModelError, match="holds no such request") as caught:
        await replay.complete(request(f"Why is {KEY} refused?"))
    assert KEY not in str(caught.value)


async def test_a_replay_counts_the_tokens_again_but_neither_money_nor_calls(tmp_path: Path) -> None:
    used = Usage(calls=3, prompt_tokens=70, completion_tokens=9, usd=0.5, seconds=12.0)
    keep(recorder(tmp_path / "first"), request("a"), Reply(text="x", usage=used))
    door = Door(budget=Budget(max_usd=0.01))
    reply = await door.complete(RecordedModel(tmp_path / "first"), request("a"), phase="loss")
    assert (reply.usage.calls, reply.usage.tokens, reply.usage.usd) == (1, 79, 0.0)
    assert reply.usage.seconds < 12.0


async def test_a_replay_may_have_other_caps(tmp_path: Path) -> None:
    capped, free = Door(recorder=recorder(tmp_path / "first"), budget=Budget(max_tokens=10**6)), Door()
    model = ScriptedModel(["hi"])
    await capped.complete(model, request("a"), phase="loss")
    assert model.calls[0].request.max_tokens
    assert (await free.complete(RecordedModel(tmp_path / "first"), request("a"), phase="loss")).text == "hi"


async def test_an_error_that_names_the_model_names_another_one_in_a_replay(tmp_path: Path) -> None:
    recording = recorder(tmp_path / "first")
    keep(recording, request("a"), model="house/small")
    keep(recording, request("house/large gave no usable answer; try again"), "sorry", model="house/large")
    replay = RecordedModel(tmp_path / "first")
    assert (await replay.complete(request(f"{replay.name} gave no usable answer; try again"))).text == "sorry"


async def test_a_refused_answer_is_replayed_with_the_retry_prompt_of_its_time(tmp_path: Path) -> None:
    """The shipped retry prompt stands for a later one: the recording keeps the words that it was asked with."""
    then = tmp_path / "retry.md"
    then.write_text("In vain, for\n{{error}}\n\nOnce more.\n")
    recording = Recorder(tmp_path / "first", prompts=[then])
    schema = {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}
    asked = request("a").model_copy(update={"schema_": schema})
    complaint = (
        Message(role="assistant", content="{}"),
        Message(role="user", content="In vain, for\nthe answer lacks the field `kind`\n\nOnce more."),
    )
    keep(recording, asked, "{}")
    keep(recording, asked.model_copy(update={"messages": (*asked.messages, *complaint)}), '{"kind": "fruit"}')
    replay = RecordedModel(tmp_path / "first")
    answer = await ask(Door(), replay, asked, lambda text: parse_json(text, schema), phase="forward")
    assert (answer.value, answer.attempts) == ({"kind": "fruit"}, 2)
    with pytest.raises(Unavailable, match=r"number 2 of 2: its message 3 \(user\) has 'In vain.*', not 'Your answer"):
        alone = RecordedModel(tmp_path / "first" / TRAFFIC)
        await ask(Door(), alone, asked, lambda text: parse_json(text, schema), phase="forward")


def test_a_recording_cut_off_anywhere_can_be_read_and_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    recording = recorder(folder)
    keep(recording, request("a"), "ça\ud800")
    keep(recording, request("b"), "ça")
    whole = (folder / TRAFFIC).read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        (folder / TRAFFIC).write_bytes(whole[:end])
        assert [item.reply.text for item in read_traffic(folder / TRAFFIC)] == ["ça\ud800"]
    keep(recorder(folder), request("b"), "ça")
    assert (folder / TRAFFIC).read_bytes() == whole


def test_a_killed_writer_leaves_whole_lines(tmp_path: Path) -> None:
    script = (
        "import itertools, sys\n"
        "from pathlib import Path\n"
        "from tests.models.test_recording import keep, recorder, request\n"
        "recording = recorder(Path(sys.argv[1]))\n"
        "for number in itertools.count():\n"
        "    keep(recording, request(str(number)), 'x' * 100_000)\n"
        "    print(number, flush=True)\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", script, str(tmp_path / "first")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as writer:
        assert writer.stdout is not None
        said = [int(next(writer.stdout)) for _ in range(3)]
        writer.kill()
        said += [int(line) for line in writer.stdout]
    assert writer.returncode == -signal.SIGKILL
    found = read_traffic(tmp_path / "first" / TRAFFIC)
    assert len(found) >= len(said)
    assert [item.request.messages[0].content for item in found] == [str(number) for number in range(len(found))]


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: a full disk, as far as a writer can see."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_the_run_and_leaves_no_piece_behind(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    recording = recorder(folder)
    keep(recording, request("a"), "x" * 10_000)
    size = (folder / TRAFFIC).stat().st_size
    with files_at_most(size + 100), pytest.raises(Unavailable, match=r"traffic\.jsonl cannot be written.*make room"):
        keep(recording, request("b"), "x" * 10_000)
    assert (folder / TRAFFIC).stat().st_size == size
    keep(recording, request("b"), "x" * 10_000)
    assert len(read_traffic(folder / TRAFFIC)) == 2


async def test_an_unknown_request_ends_the_run_and_names_the_nearest_recorded_one(tmp_path: Path) -> None:
    recording = recorder(tmp_path / "first")
    for text in ("where is my parcel", "please refund my card at once", "cancel"):
        keep(recording, request(text))
    replay = RecordedModel(tmp_path / "first")
    with pytest.raises(Unavailable, match=r"number 2 of 3: its message 1 \(user\) has '.*card at.*', not '.*cards at"):
        await replay.complete(request("please refund my cards at once"))
    with pytest.raises(Unavailable, match=r"number 3 of 3: its message 1 \(user\) has 'cancel', not 'cancel it'"):
        await replay.complete(request("cancel it"))
    with pytest.raises(Unavailable, match="number 3 of 3: its rollout is 0, not 4"):
        await replay.complete(request("cancel", rollout=4))
    with pytest.raises(Unavailable, match="number 3 of 3: it has 1 messages, not 2"):
        await replay.complete(request("cancel", "now"))


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        (Message(role="user", content="look"), r"message 1 \(assistant\) is the user's here"),
        (Message(role="assistant", content="look"), r"message 1 \(assistant\) calls \[\{'tool': 'find'"),
    ],
)
async def test_messages_differ_in_role_and_tool_calls_too(tmp_path: Path, changed: Message, where: str) -> None:
    calls = (ToolCall(tool="find", arguments={"what": "parcel"}, seconds=2.0),)
    said = Message(role="assistant", content="look", tool_calls=calls)
    keep(recorder(tmp_path / "first"), Request(messages=(said,)))
    replay = RecordedModel(tmp_path / "first")
    faster = said.model_copy(update={"tool_calls": (calls[0].model_copy(update={"seconds": 1.0}),)})
    assert (await replay.complete(Request(messages=(faster,)))).text == "hi"
    with pytest.raises(Unavailable, match=where):
        await replay.complete(Request(messages=(changed,)))


async def test_an_empty_recording_says_so(tmp_path: Path) -> None:
    recorder(tmp_path / "first")
    with pytest.raises(Unavailable, match="empty"):
        await RecordedModel(tmp_path / "first").complete(request("a"))


@pytest.mark.parametrize(
    "line", ["no json", "[]", "{}", json.dumps({"request": {}, "reply": {"text": "x"}}), "\x80 no UTF-8"]
)
def test_a_broken_recording_names_file_and_line(tmp_path: Path, line: str) -> None:
    recording = recorder(tmp_path / "first")
    keep(recording, request("a"))
    with (tmp_path / "first" / TRAFFIC).open("a", encoding="latin-1") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=r"traffic\.jsonl, line 2"):
        RecordedModel(tmp_path / "first")
    with pytest.raises(DataError, match=r"traffic\.jsonl, line 2"):
        recorder(tmp_path / "first")


def test_a_broken_about_is_named(tmp_path: Path) -> None:
    recorder(tmp_path / "first")
    (tmp_path / "first" / ABOUT).write_text("how: [no\n")
    with pytest.raises(DataError, match=r"about\.yaml"):
        recorder(tmp_path / "first")


def test_a_missing_recording_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--record FOLDER"):
        RecordedModel(tmp_path / "none")


async def test_failures_are_not_recorded(tmp_path: Path) -> None:
    door = Door(recorder=recorder(tmp_path / "first"))
    with pytest.raises(ModelError):
        await door.complete(ScriptedModel([Rule(ModelError("no"))]), request("a"), phase="loss")
    assert lines(tmp_path / "first") == []
