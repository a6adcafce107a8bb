"""Agents and tools over stdio, asked by the SDK's own client; and what stands on the wire, byte by byte."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters

from tests.deploy.mcp.conftest import COMMAND, environment, served

HELLO = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
]
CALL = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "words", "arguments": {"text": "tea"}}}


async def test_each_agent_and_tool_is_listed_with_its_schemas_and_hints(stdio: StdioServerParameters) -> None:
    async with Client(stdio) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == ["words", "naps", "failing", "writing", "sorting", "deadline"]
    words = tools["words"]
    assert words.description == "Counts and shouts.\n\nTakes text (string); gives length (integer), loud (string)."
    assert words.input_schema["properties"] == {"text": {"type": "string"}}
    assert words.input_schema["required"] == ["text"]
    assert words.output_schema is not None
    assert words.output_schema["properties"] == {"length": {"type": "integer"}, "loud": {"type": "string"}}
    team = (tools["sorting"].output_schema or {})["properties"]["team"]
    assert team["enum"] == ["plumbing", "heating"]
    hints = {name: tool.annotations for name, tool in tools.items()}
    reads = {name: hint is not None and hint.read_only_hint for name, hint in hints.items()}
    # What a function node does nobody knows; asking a model changes nothing.
    assert reads == {
        "words": True,
        "naps": False,
        "failing": True,
        "writing": False,
        "sorting": True,
        "deadline": True,
    }
    assert hints["writing"] is not None and hints["writing"].destructive_hint


async def test_an_agent_and_a_tool_answer_with_structured_content_and_text(stdio: StdioServerParameters) -> None:
    async with Client(stdio) as client:
        words = await client.call_tool("words", {"text": "tea"})
        team = await client.call_tool("sorting", {"text": "my radiator is cold"})
        due = await client.call_tool("deadline", {"urgency": "now", "arrived": "2026-11-23T09:30"})
    assert words.structured_content == {"length": 3, "loud": "TEA"}
    assert json.loads(words.content[0].text) == words.structured_content  # type: ignore[union-attr]
    assert team.structured_content == {"team": "heating"}
    assert team.content[0].text == "heating"  # type: ignore[union-attr]
    assert due.structured_content == {"result": "2026-11-23T10:30"}


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("words", {}, "agent 'words' takes text; missing: text"),
        ("words", {"text": "tea", "textt": "x"}, "agent 'words' takes text; unknown: textt"),
        ("words", {"text": 3}, "agent 'words': input 'text' must be of type string, got 3 (int)"),
        ("deadline", {"urgency": "now"}, "tool 'deadline' needs arrived, which nobody gives it"),
        ("failing", {"text": "7"}, "node 'look': ValueError: there is no order 7"),
    ],
)
async def test_what_goes_wrong_is_said_in_the_result(
    stdio: StdioServerParameters, name: str, arguments: dict[str, Any], said: str
) -> None:
    async with Client(stdio) as client:
        result = await client.call_tool(name, arguments)
    assert result.is_error
    assert [block.text for block in result.content] == [said]  # type: ignore[union-attr]


async def test_an_unknown_tool_is_an_error_that_names_the_known_ones(stdio: StdioServerParameters) -> None:
    async with Client(stdio) as client:
        with pytest.raises(MCPError, match=r"there is no tool 'word' here; there are: words, naps, "):
            await client.call_tool("word", {"text": "tea"})


async def test_each_node_is_progress_for_whoever_asks(stdio: StdioServerParameters) -> None:
    told: list[tuple[float, str | None]] = []

    async def tell(done: float, total: float | None, message: str | None) -> None:
        told.append((done, message))

    async with Client(stdio) as client:
        await client.call_tool("words", {"text": "tea"}, progress_callback=tell)
    assert told == [(1.0, "count"), (2.0, "shout")]


async def test_a_cancelled_call_stops_the_run(stdio: StdioServerParameters, tmp_path: Path) -> None:
    async with Client(stdio) as client:
        calling = asyncio.create_task(client.call_tool("naps", {"seconds": 60.0}))
        await until(tmp_path / "most")
        calling.cancel()
        await until(tmp_path / "cancelled")
        assert (await client.call_tool("words", {"text": "tea"})).structured_content == {"length": 3, "loud": "TEA"}


async def test_nothing_but_the_protocol_is_on_stdout(tmp_path: Path) -> None:
    wanted = "".join(json.dumps(message) + "\n" for message in [*HELLO, CALL])
    with start(tmp_path, *served("words")) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(wanted.encode())
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(2)]
        process.stdin.close()
        rest, said = process.stdout.read(), process.stderr.read().decode()
        assert process.wait(30) == 0
    assert [json.loads(line)["id"] for line in lines] == [1, 2] and rest == b""
    assert json.loads(lines[1])["result"]["structuredContent"] == {"length": 3, "loud": "TEA"}
    for printed in ("this file prints", "and so does a child", "and so does a node"):
        assert printed in said


def test_it_ends_when_the_client_goes(tmp_path: Path) -> None:
    process = start(tmp_path, *served("words"))
    output, said = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, b"")
    assert b"Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_at_once_though_a_terminal_keeps_its_stdin_open(tmp_path: Path, number: int) -> None:
    terminal, end = pty.openpty()
    process = start(tmp_path, *served("words"), stdin=end)
    os.write(terminal, (json.dumps(HELLO[0]) + "\n").encode())
    assert process.stdout and b'"id":1' in process.stdout.readline()
    process.send_signal(number)
    before = time.monotonic()
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130 and time.monotonic() - before < 10
    assert b"Traceback" not in said and b"Fatal" not in said
    os.close(terminal)
    os.close(end)


def start(folder: Path, *arguments: str, stdin: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(folder),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def until(file: Path) -> None:
    async with asyncio.timeout(60):
        while not file.is_file():
            await asyncio.sleep(0.02)
