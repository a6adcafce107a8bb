"""What writes does not write where something stands in for it: tool nodes, tools of a model, function nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from agentsym import Agent, FunctionNode, PromptNode, ToolNode, as_tool
from agentsym.errors import NodeError
from agentsym.models.door import Door
from agentsym.models.doubles import ScriptedModel
from agentsym.models.protocol import Reply, Request
from agentsym.network.records import ToolCall
from agentsym.runtime.context import Context, student_model
from agentsym.runtime.forward import forward

sent: list[str] = []


def send(text: str) -> str:
    """Send a text."""
    sent.append(text)
    return f"sent {text}"


def look(text: str) -> str:
    """Look a text up."""
    return f"found {text}"


async def instead(name: str, arguments: Mapping[str, Any]) -> Any:
    if arguments["text"] == "unknown":
        raise NodeError(f"nobody knows what {name} would return")
    return f"{name} would send {arguments['text']}"


@pytest.fixture(autouse=True)
def nothing_sent() -> None:
    sent.clear()


def context(**changes: Any) -> Context:
    return replace(Context(student=student_model("embedded"), door=Door()), **changes)


async def test_a_tool_node_that_writes_gets_what_stands_in_for_it() -> None:
    agent = Agent("mailer", nodes=[ToolNode("mail", as_tool(send, effect="write"), output="answer")])
    seen = await forward(agent, {"text": "hello"}, context(writes=instead))
    assert seen.output == {"answer": "send would send hello"}
    assert seen.steps[0].tool_calls[0].result == "send would send hello"
    assert sent == []
    assert (await forward(agent, {"text": "hello"}, context())).output == {"answer": "sent hello"}
    assert sent == ["hello"]


async def test_a_tool_that_reads_runs_all_the_same() -> None:
    agent = Agent("reader", nodes=[ToolNode("look", as_tool(look, effect="read"), output="answer")])
    assert (await forward(agent, {"text": "a"}, context(writes=instead))).output == {"answer": "found a"}


async def test_an_unknown_result_fails_the_example_and_writes_nothing() -> None:
    agent = Agent("mailer", nodes=[ToolNode("mail", as_tool(send, effect="write"), output="answer")])
    seen = await forward(agent, {"text": "unknown"}, context(writes=instead))
    assert seen.status == "error" and "nobody knows what send would return" in str(seen.error)
    assert sent == []


async def test_a_function_node_that_writes_gets_what_stands_in_for_it() -> None:
    agent = Agent("mailer", nodes=[FunctionNode("mail", send, output="answer", effect="write")])
    assert (await forward(agent, {"text": "a"}, context(writes=instead))).output == {"answer": "mail would send a"}
    assert sent == []


async def test_a_tool_that_a_model_calls_gets_what_stands_in_for_it() -> None:
    def brain(request: Request) -> Reply:
        told = [message for message in request.messages if message.role == "tool"]
        if told:
            return Reply(text=json.dumps({"answer": json.loads(told[-1].content)}))
        return Reply(tool_calls=(ToolCall(tool="send", id="1", arguments={"text": "b"}),))

    node = PromptNode("mail", "Send {{text}}.", output={"answer": str}, tools=[as_tool(send, effect="write")])
    seen = await forward(
        Agent("mailer", nodes=[node]), {"text": "b"}, context(student=ScriptedModel([brain]), writes=instead)
    )
    assert seen.error is None
    assert seen.output == {"answer": "send would send b"}
    assert sent == []
