"""Learned tools: their code runs in the sandbox, wherever a tool can be called, and nowhere else."""

import os
from typing import Any

import pytest

from agentsym.errors import SandboxError
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.protocol import Reply
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode, ToolNode
from agentsym.network.parameters import Code, Number
from agentsym.network.records import ToolCall
from agentsym.network.tool import Tool, source_fields
from agentsym.runtime.forward import forward
from agentsym.runtime.sandbox import find
from tests.runtime.samples import context

SOURCE = """
import os

def process():
    return os.getpid()

def scale(n: int, times: int = 1) -> int:
    return n * times

def broken(n: int) -> int:
    return [][n]
"""


def tool(entry: str, *arguments: str, **parameters: Any) -> Tool:
    return Tool(
        name=entry,
        arguments=tuple(Field(name=name, type="integer") for name in arguments),
        returns=Field(name="result", type="integer"),
        parameters={"code": Code(SOURCE, entry=entry), **parameters},
    )


async def test_learned_code_runs_in_another_process() -> None:
    run = await forward(Network("n", [ToolNode("t", tool("process"), output="pid")]), {}, context())
    assert run.status == "ok" and run.output["pid"] != os.getpid()


async def test_declared_numbers_are_handed_in_and_rounded_for_an_int() -> None:
    scaled = tool("scale", "n", times=Number(2.6, 0, 5))
    run = await forward(Network("n", [ToolNode("t", scaled, inputs=["n"], output="y")]), {"n": 4}, context())
    assert run.output == {"y": 12}
    assert source_fields(Code(SOURCE, entry="scale"))["times"].type == "integer"


async def test_an_exception_of_learned_code_fails_the_example_and_names_its_line() -> None:
    run = await forward(
        Network("n", [ToolNode("t", tool("broken", "n"), inputs=["n"], output="y")]), {"n": 4}, context()
    )
    assert run.status == "error" and "IndexError" in str(run.error) and "line 11" in str(run.error)


async def test_a_model_can_call_a_learned_tool() -> None:
    wants = Reply(tool_calls=(ToolCall(tool="scale", arguments={"n": 3, "times": 5}, id="c1"),))
    node = PromptNode("ask", "Work it out.", inputs=["x"], output={"y": int}, tools=[tool("scale", "n", "times")])
    with ScriptedModel(
        [Rule(wants, times=1), Rule('{"y": 15}', when=lambda r: r.messages[-1].content == "15")]
    ) as model:
        run = await forward(Network("n", [node]), {"x": "3 * 5"}, context(model))
    assert run.output == {"y": 15}


async def test_without_a_sandbox_learned_code_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Any:
        raise SandboxError("there is no sandbox on this machine: …")

    monkeypatch.setattr(find, "find_sandbox", none)
    with pytest.raises(SandboxError, match="no sandbox on this machine"):
        await forward(Network("n", [ToolNode("t", tool("process"), output="pid")]), {}, context())
