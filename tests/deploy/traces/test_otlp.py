"""OTLP files, whatever instrumentation has written the spans in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentsym import Session
from agentsym.network.records import Usage
from tests.deploy.traces.files import attributes, chat, desk, otlp, span, take, write, writer
from tests.runtime.samples import Echo
from tests.telemetry.traced import Traced


def test_a_run_of_the_conventions_is_one_trace_with_its_calls_and_tools_as_steps(tmp_path: Path) -> None:
    top = span("invoke_agent desk", {"gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": "c7"})
    call = span(
        "chat gpt-4o",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "You sort."}]),
            "gen_ai.input.messages": chat("The tap drips"),
            "gen_ai.output.messages": chat('{"team": "plumbing"}', "assistant"),
            "gen_ai.usage.input_tokens": 30,
            "gen_ai.usage.output_tokens": 5,
        },
        parent=top["spanId"],
    )
    tool = span(
        "execute_tool look_up",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "look_up",
            "gen_ai.tool.call.arguments": '{"flat": 7}',
            "gen_ai.tool.call.result": '{"owner": "Kim"}',
        },
        parent=top["spanId"],
    )
    trace = take(write(tmp_path / "spans.jsonl", otlp(top, call), otlp(tool))).only
    assert (trace.inputs, trace.output) == ({"text": "The tap drips"}, {"team": "plumbing"})
    assert (trace.source, trace.thread, trace.error) == ("t1", "c7", None)
    assert trace.at.startswith("2026-05-28T") and trace.at.endswith("+00:00")
    said, called = trace.steps
    assert [message.role for message in said.messages] == ["system", "user"]
    assert said.raw == '{"team": "plumbing"}'
    assert said.usage == Usage(calls=1, prompt_tokens=30, completion_tokens=5, usd=None)
    (made,) = called.tool_calls
    assert (made.tool, made.arguments, made.result) == ("look_up", {"flat": 7}, {"owner": "Kim"})
    assert said.seconds == pytest.approx(1.0)


OLD_EVENTS = [
    ("gen_ai.system.message", {"content": "You sort."}),
    ("gen_ai.user.message", {"content": "The tap drips"}),
    ("gen_ai.choice", {"index": 0, "message": '{"role": "assistant", "content": "{\\"team\\": \\"plumbing\\"}"}'}),
]
DETAILS = [
    (
        "gen_ai.client.inference.operation.details",
        {
            "gen_ai.input.messages": chat("The tap drips"),
            "gen_ai.output.messages": chat('{"team": "plumbing"}', "assistant"),
        },
    )
]
STRUCTURED = {
    "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "The tap drips"}]}],
    "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": '{"team": "plumbing"}'}]}],
}
OPENLLMETRY = {
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "You sort.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "The tap drips",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": '{"team": "plumbing"}',
    "llm.request.type": "chat",
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "The tap drips",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": '```json\n{"team": "plumbing"}\n```',
}
OPENAI = {
    "input.value": json.dumps({"messages": [{"role": "user", "content": [{"type": "text", "text": "The tap drips"}]}]}),
    "output.value": json.dumps({"choices": [{"message": {"role": "assistant", "content": '{"team": "plumbing"}'}}]}),
}
LANGCHAIN = {
    "traceloop.entity.input": json.dumps(
        {"inputs": {"messages": [{"id": ["lc", "HumanMessage"], "kwargs": {"content": "The tap drips"}}]}}
    ),
    "traceloop.entity.output": json.dumps({"outputs": {"team": "plumbing"}}),
}
FIELDS = {"input.value": '{"text": "The tap drips", "more": 1}', "output.value": '{"team": "plumbing"}'}
TEXT = {"input.value": "The tap drips", "output.value": "plumbing"}


@pytest.mark.parametrize(
    ("known", "events"),
    [
        ({"gen_ai.operation.name": "chat"}, OLD_EVENTS),
        ({"gen_ai.operation.name": "chat"}, DETAILS),
        (STRUCTURED, ()),
        (OPENLLMETRY, ()),
        (OPENINFERENCE, ()),
        (OPENAI, ()),
        (LANGCHAIN, ()),
        (FIELDS, ()),
        (TEXT, ()),
    ],
    ids=[
        "old events",
        "details",
        "structured",
        "openllmetry",
        "openinference",
        "openai",
        "langchain",
        "fields",
        "text",
    ],
)
def test_the_chat_is_found_wherever_an_instrumentation_puts_it(tmp_path: Path, known: Any, events: Any) -> None:
    outer = span("POST /sort", {"http.request.method": "POST"})
    inner = span("work", known, parent=outer["spanId"], events=events)
    trace = take(write(tmp_path / "spans.jsonl", otlp(outer, inner))).only
    assert (trace.inputs, trace.output) == ({"text": "The tap drips"}, {"team": "plumbing"})


@pytest.mark.parametrize("name", ["document.json", "lines.jsonl", "lines.jsonl.gz"])
def test_a_document_lines_and_gzip_are_read_alike(tmp_path: Path, name: str) -> None:
    spans = [span("sort", TEXT, trace=f"t{number}") for number in range(3)]
    path = tmp_path / name
    if name == "document.json":
        path.write_text(json.dumps(otlp(*spans), indent=2), "utf-8")
    else:
        write(path, *map(otlp, spans))
    taken = take(path)
    assert [trace.source for trace in taken.traces] == ["t0", "t1", "t2"]
    assert not taken.bad


def test_several_runs_in_one_trace_stay_apart(tmp_path: Path) -> None:
    request = span("POST /batch")
    runs = [
        span(
            "invoke_agent desk",
            {"gen_ai.operation.name": "invoke_agent", "gen_ai.input.messages": chat(text)},
            parent=request["spanId"],
        )
        for text in ("The tap drips", "It is cold")
    ]
    inner = span("invoke_agent helper", {"gen_ai.operation.name": "invoke_agent"}, parent=runs[0]["spanId"])
    taken = take(write(tmp_path / "spans.jsonl", otlp(request, *runs, inner)))
    assert [trace.inputs["text"] for trace in taken.traces] == ["The tap drips", "It is cold"]
    assert [trace.source for trace in taken.traces] == [f"t1:{run['spanId']}" for run in runs]


def test_evaluations_are_opinions_and_a_failure_is_told(tmp_path: Path) -> None:
    result = {"gen_ai.evaluation.name": "helpful", "gen_ai.evaluation.score.value": 0.25}
    judged = span(
        "sort",
        TEXT,
        events=[("gen_ai.evaluation.result", {**result, "gen_ai.evaluation.explanation": "wrong team"})],
        status={"code": 2, "message": "no answer"},
    )
    trace = take(write(tmp_path / "spans.jsonl", otlp(judged))).only
    assert (trace.score, trace.text, trace.error) == (0.25, "wrong team", "no answer")
    assert [opinion.kind for opinion in trace.opinions] == ["judge"]


def test_without_content_it_says_what_to_switch_on(tmp_path: Path) -> None:
    taken = take(write(tmp_path / "spans.jsonl", otlp(span("chat", {"gen_ai.operation.name": "chat"}))))
    ((place, why),) = taken.bad
    assert place == f"{tmp_path / 'spans.jsonl'}:1 (resource 0, span 0)"
    assert "has no 'text'" in why and "--map PATH=text" in why


def test_metrics_and_logs_beside_the_spans_are_no_traces(tmp_path: Path) -> None:
    path = write(tmp_path / "all.jsonl", {"resourceLogs": []}, {"resourceMetrics": []}, otlp(span("sort", TEXT)))
    assert take(path).only.inputs == {"text": "The tap drips"}


async def test_what_we_send_we_can_read(tmp_path: Path) -> None:
    traced = Traced(capture_content=True)
    await Session(Echo(), telemetry=traced.telemetry).ainvoke(writer(), {"question": "Why?"})
    spans = [
        {
            "traceId": f"{own.context.trace_id:032x}",
            "spanId": f"{own.context.span_id:016x}",
            "parentSpanId": "" if own.parent is None else f"{own.parent.span_id:016x}",
            "name": own.name,
            "startTimeUnixNano": str(own.start_time),
            "endTimeUnixNano": str(own.end_time),
            "attributes": attributes(own.attributes or {}),
            "status": {"code": own.status.status_code.value},
        }
        for own in traced.spans
    ]
    trace = take(write(tmp_path / "ours.jsonl", otlp(*spans)), agent=writer()).only
    assert (trace.inputs, trace.output) == ({"question": "Why?"}, {"reply": "reply(Why?)"})
    (step,) = trace.steps
    assert step.node == "write"
    assert trace.error is None


def test_a_map_leads_to_attributes_whose_names_hold_dots(tmp_path: Path) -> None:
    path = write(tmp_path / "spans.jsonl", otlp(span("sort", {**TEXT, "shop.customer.id": "k1"})))
    maps = {"attributes.shop.customer.id": "customer", "input": "text"}
    assert take(path, agent=desk("text", "customer"), maps=maps).only.inputs == {
        "text": "The tap drips",
        "customer": "k1",
    }
