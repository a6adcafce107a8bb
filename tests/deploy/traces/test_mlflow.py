"""MLflow's traces, in the versions of their schema and as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentsym.network.records import Usage
from tests.deploy.traces.files import BEGAN, NANO, take, write

CHAT = [{"role": "system", "content": "You sort."}, {"role": "user", "content": "The tap drips"}]
TEXTS = {  # attributes are JSON texts
    "mlflow.traceRequestId": '"tr-1"',
    "mlflow.spanType": '"CHAT_MODEL"',
    "mlflow.spanInputs": json.dumps({"messages": CHAT}),
    "mlflow.spanOutputs": json.dumps(
        {"choices": [{"message": {"role": "assistant", "content": '{"team": "plumbing"}'}}]}
    ),
    "mlflow.chat.tokenUsage": '{"input_tokens": 12, "output_tokens": 4, "total_tokens": 16}',
}
TOP = {
    "mlflow.spanType": '"AGENT"',
    "mlflow.spanInputs": '{"text": "The tap drips"}',
    "mlflow.spanOutputs": '{"team": "plumbing"}',
}
TOOL = {"mlflow.spanType": '"TOOL"', "mlflow.spanInputs": '{"flat": 7}', "mlflow.spanOutputs": '"Kim"'}


def v3(number: int, name: str, known: dict[str, Any], parent: str = "") -> dict[str, Any]:
    return {
        "trace_id": "dHJhY2U=",
        "span_id": f"s{number}",
        "parent_span_id": parent,
        "name": name,
        "start_time_unix_nano": (BEGAN + number) * NANO,
        "end_time_unix_nano": (BEGAN + number + 1) * NANO,
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "events": [],
        "attributes": known,
    }


def v2(number: int, name: str, known: dict[str, Any], parent: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "context": {"trace_id": "0x1", "span_id": f"s{number}"},
        "parent_id": parent,
        "start_time": (BEGAN + number) * NANO,
        "end_time": (BEGAN + number + 1) * NANO,
        "status_code": "OK",
        "status_message": "",
        "attributes": known,
        "events": [],
    }


ASSESSMENTS = [
    {
        "assessment_name": "thumbs",
        "source": {"source_type": "HUMAN", "source_id": "kim"},
        "feedback": {"value": False},
        "rationale": "wrong team",
    },
    {"assessment_name": "relevance", "source": {"source_type": "LLM_JUDGE"}, "feedback": {"value": "yes"}},
    {"assessment_name": "old", "source": {"source_type": "HUMAN"}, "feedback": {"value": True}, "valid": False},
    {
        "assessment_name": "team",
        "source": {"source_type": "HUMAN"},
        "expectation": {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": '"heating"'}},
    },
]
INFO = {
    "trace_id": "tr-1",
    "trace_location": {"type": "MLFLOW_EXPERIMENT"},
    "request_time": "2026-05-28T10:00:00Z",
    "execution_duration_ms": 1500,
    "state": "OK",
    "trace_metadata": {"mlflow.trace.session": "s1"},
    "tags": {"mlflow.traceName": "desk"},
    "request_preview": '{"text": "The ta',
    "assessments": ASSESSMENTS,
}
SPANS = [v3(1, "desk", TOP), v3(2, "llm", TEXTS, "s1"), v3(3, "look_up", TOOL, "s1")]
OLD_INFO = {
    "request_id": "tr-1",
    "timestamp_ms": 1779962400000,
    "execution_time_ms": 1500,
    "status": "OK",
    "request_metadata": {"mlflow.trace.session": "s1"},
    "assessments": ASSESSMENTS,
}
OLD_SPANS = [v2(1, "desk", TOP), v2(2, "llm", TEXTS, "s1"), v2(3, "look_up", TOOL, "s1")]
ROW = {
    "trace_id": "tr-1",
    "state": "OK",
    "request_time": 1779962400000,
    "request": {"text": "The tap drips"},
    "response": {"team": "plumbing"},
    "trace_metadata": {"mlflow.trace.session": "s1"},
    "tags": {},
    "spans": SPANS,
    "assessments": ASSESSMENTS,
}


@pytest.mark.parametrize(
    "record",
    [
        {"info": INFO, "data": {"spans": SPANS}},
        {"info": OLD_INFO, "data": {"spans": OLD_SPANS, "request": '{"text": "The tap drips"}'}},
        {"traces": [{"info": INFO, "data": {"spans": SPANS}}], "next_page_token": None},
        ROW,
        {"trace_id": "tr-1", "request_time": 1, "trace": json.dumps({"info": INFO, "data": {"spans": SPANS}})},
    ],
    ids=["version 3", "version 2", "search", "table", "table with JSON"],
)
def test_a_trace_is_read_in_every_form(tmp_path: Path, record: Any) -> None:
    trace = take(write(tmp_path / "mlflow.jsonl", record)).only
    assert (trace.inputs, trace.output) == ({"text": "The tap drips"}, {"team": "plumbing"})
    assert (trace.source, trace.thread) == ("tr-1", "s1")
    assert trace.expected == {"team": "heating"}
    assert (trace.score, trace.text) == (0.0, "wrong team")
    assert [opinion.kind for opinion in trace.opinions] == ["label", "thumb", "judge"]
    said, called = trace.steps
    assert said.usage == Usage(calls=1, prompt_tokens=12, completion_tokens=4, usd=None)
    assert [message.role for message in said.messages] == ["system", "user"]
    assert (said.node, said.raw) == ("llm", '{"team": "plumbing"}')
    assert (called.tool_calls[0].tool, called.tool_calls[0].result) == ("look_up", "Kim")
    assert trace.at.startswith("2026-05-28T10:00:00")


def test_a_failure_is_told(tmp_path: Path) -> None:
    failed = {**v3(1, "desk", TOP), "status": {"code": "STATUS_CODE_ERROR", "message": "no answer"}}
    record = {"info": {**INFO, "state": "ERROR", "assessments": []}, "data": {"spans": [failed]}}
    assert take(write(tmp_path / "mlflow.jsonl", record)).only.error == "no answer"


def test_a_chat_alone_is_enough(tmp_path: Path) -> None:
    record = {"info": {**INFO, "request_preview": None}, "data": {"spans": [v3(1, "llm", TEXTS)]}}
    assert take(write(tmp_path / "mlflow.jsonl", record)).only.inputs == {"text": "The tap drips"}
