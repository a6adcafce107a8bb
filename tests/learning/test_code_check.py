"""Code that was written is tried before any example runs with it, within the sandbox's limits (D17)."""

from __future__ import annotations

from typing import Any

import pytest

from agentsym.errors import SandboxError
from agentsym.learning.optimizers import code_check
from agentsym.learning.optimizers.code_check import check_code
from agentsym.network.edits import CreateTool, DeleteTool, SetParameter
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, PromptNode, Tool, ToolNode
from agentsym.network.parameters import Code, Number, Structure, Text
from agentsym.runtime.sandbox.find import find_sandbox
from agentsym.runtime.sandbox.protocol import Limits

GOOD = "def half(n, rest, by=2):\n    return n // by\n"
TESTS = "def test_half():\n    assert half(6, 0) == 3\n"
SMALL = Limits(cpu_s=1, memory_mb=200)


@pytest.fixture(autouse=True)
def sandboxed() -> None:
    try:
        find_sandbox()
    except SandboxError as error:
        pytest.skip(str(error))


def half(source: str = GOOD, tests: str = TESTS, name: str = "half") -> Tool:
    fields = (Field(name="n", type="integer"), Field(name="rest", type="integer"))
    weights = {"code": Code(source, entry="half", tests=tests), "by": Number(2, 1, 9), "description": Text("Halves.")}
    return Tool(name=name, arguments=fields, parameters=weights)


def agent(*tools: Tool, **more: Any) -> Network:
    node = PromptNode("ask", "Ask.", inputs=["q"], output={"a": str}, tools=tools)
    return Network("agent", [node], structure=Structure(learnable=True), **more)


BASE = agent(half())


async def rewritten(source: str, base: Network = BASE) -> list[str]:
    after = base.apply([SetParameter(path="half/code", value=source)])
    return await check_code(base, after, timeout_s=5.0, limits=SMALL)


async def created(source: str, tests: str) -> list[str]:
    code = Code(source, entry="twice", tests=tests)
    tool = Tool(name="twice", arguments=(Field(name="n"),), parameters={"code": code})
    return await check_code(BASE, BASE.apply([CreateTool(tool=tool)]), timeout_s=5.0, limits=SMALL)


async def test_code_that_stays_is_not_run() -> None:
    broken = agent(half(tests="def test_never(): assert False"))
    assert await check_code(broken, broken.apply([SetParameter(path="ask/instructions", value="Ask.")])) == []


async def test_a_rewrite_that_passes_the_tests_of_the_base_is_taken() -> None:
    assert await rewritten(GOOD.replace("n // by", "int(n / by)")) == []


async def test_a_rewrite_that_fails_a_test_is_refused_with_test_line_and_reason() -> None:
    (problem,) = await rewritten(GOOD.replace("n // by", "n"))
    assert problem.startswith("half/code: its test test_half fails in line 2: AssertionError")


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("n, rest", "by"),
        ("rest, n, by=2", "(n, rest, by=…)"),
        ("n, rest, by=2, more=1", "more=…"),
        ("n, rest=0, by=2", "rest=…"),
        ("n, rest, by=2, **more", "**more"),
    ],
)
async def test_a_rewrite_cannot_change_the_signature(header: str, asked: str) -> None:
    source = f"def half({header}):\n    return n // 2\n"
    code = BASE.parameter("half/code").with_value(source)
    (problem,) = await check_code(BASE, BASE.with_parameter("half/code", code))
    assert "half must take (n, rest, by=…)" in problem and asked in problem


async def test_an_endless_loop_is_stopped_by_the_limit_on_processor_time() -> None:
    (problem,) = await rewritten(GOOD.replace("return n // by", "\n    while True: pass"))
    assert "processor time" in problem


async def test_what_waits_for_ever_is_stopped_by_the_clock() -> None:
    source = "import time\n" + GOOD.replace("return", "time.sleep(99)\n    return")
    after = BASE.apply([SetParameter(path="half/code", value=source)])
    (problem,) = await check_code(BASE, after, timeout_s=0.3)
    assert "longer than 0.3 seconds" in problem


async def test_what_hogs_memory_is_stopped() -> None:
    (problem,) = await rewritten(GOOD.replace("return", "bytearray(1 << 30)\n    return"))
    assert "MemoryError" in problem or "memory" in problem


async def test_code_without_tests_must_at_least_load() -> None:
    base = agent(half(tests=""))
    assert await rewritten(GOOD.replace("//", "/"), base) == []
    (problem,) = await rewritten(f"1 / 0\n{GOOD}", base)
    assert "ZeroDivisionError" in problem


async def test_a_new_tool_needs_a_test_and_must_pass_it() -> None:
    good = "def twice(n):\n    return 2 * n\n"
    assert await created(good, "def test_twice():\n    assert twice(2) == 4\n") == []
    for none in ("", "assert twice(2) == 4", "def test_twice(:"):
        assert "at least one function" in (await created(good, none))[0]
    assert "test_twice fails" in (await created(good, "def test_twice():\n    assert twice(2) == 5\n"))[0]
    assert "must take (n), it takes (n, m=…)" in (await created("def twice(n, m=1): return n", "def test_(): pass"))[0]


async def test_a_tool_made_anew_under_the_same_name_cannot_bring_easier_tests() -> None:
    easier = half(GOOD.replace("// by", "// 3"), "def test_nothing(): pass")
    after = BASE.apply([DeleteTool(tool="half"), CreateTool(tool=easier, attach_to=("ask",))])
    assert await check_code(BASE, after) == [
        "half/code: its tests are not those of the code that it replaces; keep them"
    ]


async def test_code_of_tool_nodes_and_inner_agents_is_checked_too() -> None:
    inner = Network("inner", [ToolNode("cut", half(), inputs=["n", "rest"], output="cut")])
    outer = Network("outer", [AgentNode("in", inner)])
    after = outer.apply([SetParameter(path="in/cut/code", value=GOOD.replace("n // by", "n"))])
    (problem,) = await check_code(outer, after)
    assert problem.startswith("in/cut/code: its test test_half fails")


async def test_without_a_sandbox_code_is_refused_and_prompts_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise SandboxError("none works on this machine")

    monkeypatch.setattr(code_check, "find_sandbox", none)
    assert await rewritten(GOOD.replace("//", "/")) == ["half/code: none works on this machine"]
    assert await check_code(BASE, BASE.apply([SetParameter(path="ask/instructions", value="Ask well.")])) == []
