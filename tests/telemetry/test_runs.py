"""The spans of runs: which there are, what stands under what, and what they say and keep to themselves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from agentsym import Agent, AgentNode, FunctionNode, PromptNode, Session, ToolNode
from agentsym.cli.agents import find_agent
from agentsym.errors import NodeError, UsageError
from agentsym.models.cache import ResponseCache
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.protocol import Reply
from agentsym.network.records import ToolCall, Usage
from agentsym.runtime.context import Context
from evals.openai_server import Server, faults
from evals.openai_server.brains import BRAINS
from tests.runtime.executors.near import NearExecutor
from tests.runtime.samples import Echo, prompt
from tests.telemetry.traced import Traced

KEY = "sk-hidden-0123456789abcdef"
MAIL = {"message": "My washing machine never arrived, call me at 0171 5550", "arrived": "2026-07-09T09:12"}


def triage() -> Agent:
    agent = find_agent("support_triage").agent
    assert isinstance(agent, Agent)
    return agent


def session(traced: Traced, student: Any = None) -> Session:
    return Session(student or Echo(), telemetry=traced.telemetry)


def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    if a < 0:
        raise LookupError(f"no {a}")
    return a + b


async def test_a_run_of_support_triage_is_a_tree_of_agent_nodes_calls_and_tools(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced = Traced()
    async with Server(BRAINS["reader"](), key=KEY, plan=[faults.rate_limited(0.01)]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        agent = triage()
        run = await session(traced, "openai/student").aforward(agent, MAIL, example_id="m1")
    assert run.status == "ok", run.error
    top = "invoke_agent support_triage"
    assert traced.paths() == [
        top,
        f"{top} > node intent",
        f"{top} > node intent > chat student",
        f"{top} > node urgency",
        f"{top} > node urgency > chat student",
        f"{top} > node due",
        f"{top} > node due > execute_tool deadline",
    ]
    known = traced.one(top)
    assert known["gen_ai.operation.name"] == "invoke_agent"
    assert known["gen_ai.agent.name"] == "support_triage"
    assert known["gen_ai.agent.version"] == agent.version
    assert known["agentsym.trajectory.id"] == run.id
    assert known["agentsym.example.id"] == "m1"
    first, second = traced.named("chat student")
    assert first.kind is SpanKind.CLIENT
    asked = dict(first.attributes or {})
    port = asked.pop("server.port")
    assert str(port) in server.base_url
    used = run.steps[0].usage
    assert asked == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "student",
        "gen_ai.response.model": "student",
        "gen_ai.output.type": "json",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": used.prompt_tokens,
        "gen_ai.usage.output_tokens": used.completion_tokens,
        "server.address": "127.0.0.1",
        "agentsym.phase": "forward",
        "agentsym.node": "intent",
        "agentsym.cached": False,
        "agentsym.retries": 1,
    }
    assert used.prompt_tokens > 0
    (retry,) = first.events
    assert (retry.name, (retry.attributes or {})["error.type"]) == ("agentsym.retry", "RateLimited")
    assert (second.attributes or {})["agentsym.retries"] == 0
    assert traced.one("execute_tool deadline")["gen_ai.tool.name"] == "deadline"
    assert all(span.status.status_code is StatusCode.UNSET for span in traced.spans)
    (durations,) = traced.points("gen_ai.client.operation.duration")
    assert durations[1].count == 2
    tokens = {point["gen_ai.token.type"]: value.sum for point, value in traced.points("gen_ai.client.token.usage")}
    assert tokens == {"input": run.usage.prompt_tokens, "output": run.usage.completion_tokens}


async def test_no_text_leaves_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = Traced()
    agent = Agent(
        "secretive",
        [prompt("one", "x", "a"), ToolNode("two", shout, inputs=["a"], output="b")],
        [("one", "two")],
        outputs=["b"],
    )
    await session(traced).ainvoke(agent, {"x": "my parcel"})
    assert "parcel" not in traced.text()
    assert "Write a" not in traced.text()
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    open_ = Traced()
    await session(open_).ainvoke(agent, {"x": "my parcel"})
    called = open_.one("chat")
    (said,) = json.loads(called["gen_ai.input.messages"])
    assert said["role"] == "user"
    assert "my parcel" in said["parts"][0]["content"]
    assert "Write a" in json.loads(called["gen_ai.system_instructions"])[0]["content"]
    (answer,) = json.loads(called["gen_ai.output.messages"])
    assert answer == {
        "role": "assistant",
        "parts": [{"type": "text", "content": '{"a": "a(my parcel)"}'}],
        "finish_reason": "stop",
    }
    tool = open_.one("execute_tool shout")
    assert json.loads(tool["gen_ai.tool.call.arguments"]) == {"a": "a(my parcel)"}
    assert json.loads(tool["gen_ai.tool.call.result"]) == "A(MY PARCEL)"
    run = open_.one("invoke_agent secretive")
    (asked,) = json.loads(run["gen_ai.input.messages"])
    assert json.loads(asked["parts"][0]["content"]) == {"x": "my parcel"}
    (told,) = json.loads(run["gen_ai.output.messages"])
    assert json.loads(told["parts"][0]["content"]) == {"b": "A(MY PARCEL)"}


def shout(a: str) -> str:
    """Say it loud."""
    return a.upper()


async def test_a_key_is_taken_out_of_whatever_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "quite-an-ordinary-word")

    def leaks(a: str) -> str:
        """Look something up."""
        raise ValueError(f"the server refuses {a} and quite-an-ordinary-word")

    traced = Traced(capture_content=True)
    agent = Agent(
        "leaky",
        [prompt("one", "x", "a"), FunctionNode("two", leaks, inputs=["a"], output={"b": str})],
        [("one", "two")],
    )
    with pytest.raises(NodeError, match="quite-an-ordinary-word"):
        await session(traced).ainvoke(agent, {"x": f"Use {KEY} or quite-an-ordinary-word, please"})
    assert KEY not in traced.text()
    assert "quite-an-ordinary-word" not in traced.text()
    assert "please" in traced.text()
    (run,) = traced.named("invoke_agent")
    assert "the server refuses" in (run.status.description or "")


async def test_a_failure_marks_every_span_that_it_passes_and_no_other() -> None:
    traced = Traced()
    agent = Agent("adds", [ToolNode("sum", add, output="total")])
    run = await session(traced).aforward(agent, {"a": -1, "b": 2})
    assert run.status == "error"
    for span in traced.spans:
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description is None  # it may hold what the user wrote
        assert (span.attributes or {})["error.type"] == "LookupError"
    assert traced.one("invoke_agent adds")["agentsym.status"] == "error"
    assert "no -1" not in traced.text()
    assert len(traced.spans) == 3


async def test_a_model_that_fails_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = Traced()
    async with Server(BRAINS["reader"](), key="another") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        run = await session(traced, "openai/student").aforward(triage(), MAIL)
    assert run.status == "error"
    assert traced.one("chat student")["error.type"] == "KeyRefused"
    assert traced.one("chat student").get("gen_ai.usage.input_tokens") is None
    ((known, point),) = traced.points("gen_ai.client.operation.duration")
    assert (known["error.type"], point.count) == ("KeyRefused", 1)
    assert KEY not in traced.text()


async def test_a_tool_that_fails_for_a_model_is_an_error_of_the_tool_alone() -> None:
    traced = Traced()
    wants = Reply(tool_calls=(ToolCall(tool="add", arguments={"a": -1}, id="c1"),))
    model = ScriptedModel([Rule(wants, times=1), '{"out": "never mind"}'])
    node = PromptNode("ask", "Add.", inputs=["x"], output={"out": str}, tools=[add])
    run = await session(traced, model).aforward(Agent("asks", [node]), {"x": "one"})
    assert run.status == "ok", run.error
    tool = traced.named("execute_tool add")[0]
    assert tool.status.status_code is StatusCode.ERROR
    assert (tool.attributes or {})["gen_ai.tool.call.id"] == "c1"
    assert traced.path(tool) == "invoke_agent asks > node ask > execute_tool add"
    first, second = (span.attributes or {} for span in traced.named("chat"))
    assert first["gen_ai.response.finish_reasons"] == ("tool_call",)
    assert second["gen_ai.response.finish_reasons"] == ("stop",)
    assert [span.status.status_code for span in traced.named("node ask")] == [StatusCode.UNSET]


async def test_rows_side_by_side_keep_their_spans_apart() -> None:
    traced = Traced()
    student = ScriptedModel([Rule('{"a": "done"}', latency=0.01)])
    agent = Agent("one", [prompt("one", "x", "a")])
    tracer = traced.provider.get_tracer("the user's own")
    with tracer.start_as_current_span("request"):
        runs = [
            run
            async for run in session(traced, student).aforward_many(
                agent, ((f"r{n}", {"x": str(n)}) for n in range(20))
            )
        ]
    assert student.peak > 1
    rows: dict[str, str] = {}
    for span in traced.named("chat"):
        node = traced.parent(span)
        assert node is not None and node.name == "node one"
        top = traced.parent(node)
        assert top is not None and traced.path(top) == "request > invoke_agent one"
        rows[str((top.attributes or {})["agentsym.example.id"])] = str((top.attributes or {})["agentsym.trajectory.id"])
    assert rows == {run.example_id: run.id for run in runs}
    assert len({span.context.trace_id for span in traced.spans}) == 1


def test_what_sync_code_traces_in_its_thread_nests_under_its_node() -> None:
    traced = Traced()
    tracer = traced.provider.get_tracer("the user's own")

    def look_up(x: str) -> str:
        with tracer.start_as_current_span("database"):
            return x

    def work(x: str) -> str:
        """Look something up."""
        with tracer.start_as_current_span("index"):
            return x

    nodes = [FunctionNode("function", look_up, output={"a": str}), ToolNode("tool", work, output="b")]
    agent = Agent("waits", nodes, inputs={"x": "string"})
    with tracer.start_as_current_span("request"), session(traced) as held:
        held.invoke(agent, {"x": "?"})
        list(held.stream(agent, {"x": "?"}))
    top = "request > invoke_agent waits"
    expected = [
        f"{top} > node function > database",
        f"{top} > node tool > execute_tool work > index",
    ]
    assert [path for path in traced.paths() if path.endswith("database")] == [expected[0]] * 2
    assert [path for path in traced.paths() if path.endswith("index")] == [expected[1]] * 2


async def test_the_nodes_of_an_agent_inside_nest_under_its_node() -> None:
    traced = Traced()
    inner = Agent("inner", [prompt("deep", "x", "a")])
    agent = Agent("outer", [AgentNode("helper", inner), prompt("last", "a", "b")], [("helper", "last")], outputs=["b"])
    await session(traced).ainvoke(agent, {"x": "?"})
    top = "invoke_agent outer"
    assert traced.paths() == [
        top,
        f"{top} > node helper",
        f"{top} > node helper > invoke_agent inner",
        f"{top} > node helper > invoke_agent inner > node deep",
        f"{top} > node helper > invoke_agent inner > node deep > chat echo",
        f"{top} > node last",
        f"{top} > node last > chat echo",
    ]
    assert traced.one("node deep")["agentsym.node"] == "helper/deep"


@pytest.mark.parametrize("mode", ["updates", "text"])
async def test_a_stream_is_traced_and_its_span_is_nobody_elses(mode: Any) -> None:
    traced = Traced()
    agent = Agent("two", [prompt("one", "x", "a"), prompt("two", "a", "b")], [("one", "two")], outputs=["b"])
    async for _ in session(traced).astream(agent, {"x": "?"}, stream_mode=mode):
        assert not trace.get_current_span().get_span_context().is_valid
    top = "invoke_agent two"
    nodes = [f"{top} > node one", f"{top} > node one > chat echo", f"{top} > node two", f"{top} > node two > chat echo"]
    assert traced.paths() == [top, *nodes]


async def test_a_stream_that_nobody_reads_to_its_end_ends_its_span() -> None:
    traced = Traced()
    agent = Agent("two", [prompt("one", "x", "a"), prompt("two", "a", "b")], [("one", "two")], outputs=["b"])
    items = session(traced).astream(agent, {"x": "?"})
    await anext(items)
    await items.aclose()
    assert traced.one("invoke_agent two")["agentsym.status"] == "cancelled"
    assert traced.named("invoke_agent two")[0].status.status_code is StatusCode.UNSET


async def test_what_a_stream_is_made_of_ends_with_it() -> None:
    ended = []

    async def items() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            ended.append(True)

    stream = Traced().telemetry.stream("work", {}, items())
    assert await anext(stream) == 1
    await stream.aclose()
    assert ended == [True]


async def test_an_answer_from_the_cache_counts_no_tokens(tmp_path: Path) -> None:
    traced = Traced()
    said = Reply(text='{"a": "x"}', usage=Usage(calls=1, prompt_tokens=7, completion_tokens=3, usd=0.5))
    with ResponseCache(tmp_path / "cache.db") as cache:
        door = Door(cache=cache, telemetry=traced.telemetry)
        async with Session(ScriptedModel([said]), door=door) as held:
            for _ in range(2):
                await held.ainvoke(Agent("one", [prompt("one", "x", "a")]), {"x": "?"})
    asked, kept = (span.attributes or {} for span in traced.named("chat"))
    assert (asked["agentsym.cached"], asked["agentsym.cost.usd"], asked["gen_ai.usage.input_tokens"]) == (False, 0.5, 7)
    assert kept["agentsym.cached"] is True
    assert not {"agentsym.cost.usd", "gen_ai.usage.input_tokens"} & kept.keys()
    assert [point.count for _, point in traced.points("gen_ai.client.operation.duration")] == [1]


async def test_equal_calls_at_once_are_one_call_and_one_span_each() -> None:
    traced = Traced()
    model = ScriptedModel([Rule('{"a": "x"}', latency=0.02)])
    async with session(traced, model) as held:
        await asyncio.gather(*(held.ainvoke(Agent("one", [prompt("one", "x", "a")]), {"x": "?"}) for _ in range(3)))
    assert len(model.calls) == 1
    cached = [(span.attributes or {})["agentsym.cached"] for span in traced.named("chat")]
    assert sorted(cached) == [False, True, True]


async def test_an_interrupt_of_the_users_is_no_error() -> None:
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.types import interrupt

    def approve(x: str) -> str:
        return str(interrupt("may I?"))

    traced = Traced()
    graph = Agent("asks", [FunctionNode("approve", approve, output={"a": str})]).compile(checkpointer=InMemorySaver())
    from agentsym.runtime.nodes import KEY as PLACE

    context = Context(student=Echo(), door=Door(telemetry=traced.telemetry))
    await graph.ainvoke({"x": "?"}, {"configurable": {PLACE: context, "thread_id": "1"}})
    (visit,) = traced.named("node approve")
    assert visit.status.status_code is StatusCode.UNSET


def test_a_door_and_telemetry_are_not_given_both() -> None:
    with pytest.raises(UsageError, match=r"Session\(door=Door\(telemetry=…\)\)"):
        Session(Echo(), door=Door(), telemetry=True)


async def test_a_row_on_a_worker_has_its_span_with_those_of_the_calls_that_were_made_for_it() -> None:
    traced = Traced()
    context = Context(student=Echo(), door=Door(telemetry=traced.telemetry))
    async with NearExecutor() as executor:
        await executor.run(Agent("n", nodes=[prompt("one", "x", "a")]), {"x": "hi"}, context, example_id="row 7")
    assert traced.paths() == ["invoke_agent n", "invoke_agent n > chat echo"]
    assert "row 7" in traced.one("invoke_agent").values()
