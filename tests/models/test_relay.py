"""`relay:DIR`: requests that people can read, answers from whoever writes a file, and nothing asked twice."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentsym.errors import BadReply, UsageError
from agentsym.models.door import Door
from agentsym.models.protocol import Request
from agentsym.models.relay import RelayModel
from agentsym.models.structured import ask, parse_json
from agentsym.network.records import Message, ToolCall

SCHEMA = {"type": "object", "properties": {"intent": {"type": "string"}}, "required": ["intent"]}


def request(text: str = "hello", **more: Any) -> Request:
    return Request(messages=(Message(role="system", content="Be\nbrief."), Message(role="user", content=text)), **more)


def relay(folder: Path) -> RelayModel:
    return RelayModel(folder, poll=0.01)


async def opened(folder: Path, count: int = 1) -> list[Path]:
    """Wait until so many requests are open, and return their files."""
    while len(found := sorted(folder.glob("*.request.yaml"))) < count:
        await asyncio.sleep(0.005)
    return found


def answer(asked: Path, text: str) -> None:
    asked.with_name(yaml.safe_load(asked.read_text())["answer_into"]).write_text(text)


async def test_a_request_is_a_file_that_a_person_can_read_and_its_answer_another(tmp_path: Path) -> None:
    model = relay(tmp_path)
    asking = asyncio.create_task(model.complete(request("What is due?", schema_=SCHEMA, max_tokens=50)))
    (file,) = await opened(tmp_path)
    asked = yaml.safe_load(file.read_text())
    assert asked["messages"][0] == {"role": "system", "content": "Be\nbrief."}
    assert asked["schema"] == SCHEMA and asked["longest_answer_in_tokens"] == 50 and "tools" not in asked
    assert "content: |-\n" in file.read_text()  # text of several lines stands there as such
    answer(file, '{"intent": "due"}\n')
    reply = await asking
    assert reply.text == '{"intent": "due"}'
    assert reply.usage.calls == 1 and reply.usage.estimated and reply.usage.usd is None
    assert "answer_into" in (tmp_path / "README.md").read_text()


async def test_many_requests_are_open_at_once_and_answered_in_any_order(tmp_path: Path) -> None:
    model, door = relay(tmp_path), Door(concurrency=32)
    calls = [asyncio.create_task(door.complete(model, request(f"number {n}"), phase="forward")) for n in range(32)]
    for file in reversed(await opened(tmp_path, 32)):
        answer(file, yaml.safe_load(file.read_text())["messages"][-1]["content"].upper())
    assert [reply.text for reply in await asyncio.gather(*calls)] == [f"NUMBER {n}" for n in range(32)]


async def test_an_answer_that_came_while_nobody_waited_is_found_and_not_asked_again(tmp_path: Path) -> None:
    asking = asyncio.create_task(relay(tmp_path).complete(request()))
    (file,) = await opened(tmp_path)
    asking.cancel()
    answer(file, "good day")
    file.unlink()
    assert (await relay(tmp_path).complete(request())).text == "good day"
    assert not list(tmp_path.glob("*.request.yaml"))


async def test_an_answer_that_was_read_counts_whatever_becomes_of_its_file(tmp_path: Path) -> None:
    asking = asyncio.create_task(relay(tmp_path).complete(request()))
    (file,) = await opened(tmp_path)
    answer(file, "good day")
    assert (await asking).text == "good day"
    answer(file, "good night")
    assert (await relay(tmp_path).complete(request())).text == "good day"
    file.with_name(yaml.safe_load(file.read_text())["answer_into"]).unlink()
    assert (await relay(tmp_path).complete(request())).text == "good day"


async def test_another_sample_of_the_same_request_is_asked_for_itself(tmp_path: Path) -> None:
    model = relay(tmp_path)
    asking = [asyncio.create_task(model.complete(request(rollout=rollout))) for rollout in (0, 1)]
    files = await opened(tmp_path, 2)
    assert sorted(yaml.safe_load(file.read_text()).get("sample", 0) for file in files) == [0, 1]
    for number, file in enumerate(files):
        answer(file, f"{number}")
    assert {reply.text for reply in await asyncio.gather(*asking)} == {"0", "1"}


async def test_an_answer_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    asking = asyncio.create_task(RelayModel(tmp_path, poll=0.1).complete(request()))
    (file,) = await opened(tmp_path)
    out = file.with_name(yaml.safe_load(file.read_text())["answer_into"])
    with out.open("w") as writing:
        for word in ("one ", "two ", "three ", "four"):
            writing.write(word)
            writing.flush()
            await asyncio.sleep(0.03)
    assert (await asking).text == "one two three four"


async def test_an_answer_of_the_wrong_form_comes_back_as_a_request_that_says_why(tmp_path: Path) -> None:
    asking = asyncio.create_task(
        ask(Door(), relay(tmp_path), request(), lambda text: parse_json(text, SCHEMA), phase="forward")
    )
    (first,) = await opened(tmp_path)
    answer(first, "I think it is due.")
    (second,) = set(await opened(tmp_path, 2)) - {first}
    assert "must be one JSON value" in second.read_text()
    answer(second, '{"intent": "due"}')
    assert (await asking).value == {"intent": "due"}


async def test_tools_are_called_by_a_yaml_file(tmp_path: Path) -> None:
    tools = ({"name": "weather", "description": "", "parameters": {"type": "object"}},)
    asking = asyncio.create_task(relay(tmp_path).complete(request(tools=tools)))
    (file,) = await opened(tmp_path)
    assert yaml.safe_load(file.read_text())["tools"] == list(tools)
    file.with_name(file.name.replace(".request.", ".answer.")).write_text(
        "tool_calls:\n  - tool: weather\n    arguments: {city: Oslo}\n"
    )
    assert (await asking).tool_calls == (ToolCall(tool="weather", arguments={"city": "Oslo"}, id="call_0"),)


async def test_an_answer_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    asking = asyncio.create_task(relay(tmp_path).complete(request()))
    (file,) = await opened(tmp_path)
    file.with_name(file.name.replace(".request.", ".answer.")).write_text("calls: [what]\n")
    with pytest.raises(BadReply, match=r"answer\.yaml: no answer can be read there"):
        await asking
    file.with_name(file.name.replace(".request.", ".answer.")).write_text("text: good day\n")
    assert (await relay(tmp_path).complete(request())).text == "good day"


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"relay:.*nothing can be written there"):
        RelayModel(tmp_path / "file" / "folder")
    if os.geteuid():
        tmp_path.chmod(0o500)
        with pytest.raises(UsageError, match="name another folder"):
            RelayModel(tmp_path / "folder")
