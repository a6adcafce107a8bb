"""Langfuse's files: of its API, its UI and its blob storage."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from agentsym.deploy.traces.gathering import OPEN
from agentsym.network.records import Usage
from tests.deploy.traces.files import take, write, writer

TRACE = {
    "id": "lf1",
    "name": "sort",
    "timestamp": "2026-05-28T10:00:00.000Z",
    "input": {"text": "The tap drips"},
    "output": {"team": "plumbing"},
    "sessionId": "s1",
    "userId": "u1",
    "metadata": {"floor": 3},
    "tags": [],
    "htmlPath": "/project/p/traces/lf1",
    "latency": 1.5,
}
GENERATION = {
    "id": "o1",
    "traceId": "lf1",
    "type": "GENERATION",
    "name": "classify",
    "startTime": "2026-05-28T10:00:00.100Z",
    "endTime": "2026-05-28T10:00:01.100Z",
    "model": "gpt-4o",
    "input": [{"role": "user", "content": "The tap drips"}],
    "output": {"role": "assistant", "content": '{"team": "plumbing"}'},
    "usageDetails": {"input": 12, "output": 4, "total": 16},
    "costDetails": {"total": 0.002},
}
TOOL = {
    "id": "o2",
    "traceId": "lf1",
    "type": "TOOL",
    "name": "look_up",
    "startTime": "2026-05-28T10:00:01.100Z",
    "input": {"flat": 7},
    "output": {"owner": "Kim"},
    "parentObservationId": "o1",
}
THUMB = {"id": "c1", "traceId": "lf1", "name": "user-feedback", "value": 0, "dataType": "BOOLEAN", "comment": "No!"}
JUDGE = {"id": "c2", "traceId": "lf1", "name": "relevance", "value": 0.9, "dataType": "NUMERIC", "source": "EVAL"}
LABEL = {
    "id": "c3",
    "traceId": "lf1",
    "name": "team",
    "stringValue": "heating",
    "value": 0,
    "dataType": "CATEGORICAL",
    "source": "ANNOTATION",
}
WHOLE = {**TRACE, "observations": [GENERATION, TOOL], "scores": [THUMB, JUDGE, LABEL]}


def snake(record: dict[str, Any]) -> dict[str, Any]:
    """A record of the blob storage: keys in snake case, inputs and outputs as JSON texts."""
    import json
    import re

    held = {re.sub("([A-Z])", r"_\1", key).lower(): value for key, value in record.items()}
    texts = {key: json.dumps(value) for key, value in held.items() if key in ("input", "output", "metadata")}
    return {**held, **texts}


def check(trace: Any) -> None:
    assert (trace.inputs, trace.output) == ({"text": "The tap drips"}, {"team": "plumbing"})
    assert (trace.source, trace.thread) == ("lf1", "s1")
    assert trace.at == "2026-05-28T10:00:00.000+00:00"
    assert trace.expected == {"team": "heating"}
    assert (trace.score, trace.text) == (0.0, "No!\nteam: heating")  # a person's word before the judge's
    said, called = trace.steps
    assert said.usage == Usage(calls=1, prompt_tokens=12, completion_tokens=4, usd=0.002)
    assert (said.node, said.messages[0].content, said.raw) == ("classify", "The tap drips", '{"team": "plumbing"}')
    assert (called.tool_calls[0].arguments, called.tool_calls[0].result) == ({"flat": 7}, {"owner": "Kim"})


@pytest.mark.parametrize(
    "records",
    [
        [WHOLE],
        [{"trace": TRACE, "observations": [GENERATION, TOOL], "scores": [THUMB, JUDGE, LABEL]}],
        [[WHOLE]],
        [{"data": [WHOLE], "meta": {"page": 1, "totalItems": 1}}],
        [THUMB, TRACE, GENERATION, JUDGE, TOOL, LABEL],
        [snake(record) for record in (TRACE, GENERATION, TOOL, THUMB, JUDGE, LABEL)],
    ],
    ids=["API", "download", "list", "page", "records", "blob storage"],
)
def test_all_that_belongs_to_a_trace_is_found(tmp_path: Path, records: list[Any]) -> None:
    check(take(write(tmp_path / "langfuse.jsonl", *records)).only)


def test_traces_observations_and_scores_may_lie_in_files_of_their_own_in_any_order(tmp_path: Path) -> None:
    files = {"traces": [TRACE], "observations": [GENERATION, TOOL], "scores": [THUMB, JUDGE, LABEL]}
    paths = [write(tmp_path / f"{name}.jsonl", *map(snake, records)) for name, records in files.items()]
    check(take(*paths).only)


def test_scores_of_their_own_find_their_traces_among_any_number(tmp_path: Path) -> None:
    traces = write(tmp_path / "a.jsonl", *({**TRACE, "id": f"t{number}"} for number in range(OPEN + 2)))
    scores = write(tmp_path / "b.jsonl", {**THUMB, "traceId": "t0"})
    taken = take(traces, scores)
    assert not taken.bad
    assert [trace.source for trace in taken.traces if trace.score is not None] == ["t0"]


def test_observations_that_say_all_of_their_trace_need_no_trace(tmp_path: Path) -> None:
    enriched = {**snake(GENERATION), "session_id": "s1", "trace_name": "sort"}
    trace = take(write(tmp_path / "observations_v2.jsonl", enriched)).only
    assert (trace.inputs, trace.output, trace.thread) == ({"text": "The tap drips"}, {"team": "plumbing"}, "s1")


def test_a_table_of_the_ui_has_scores_by_name(tmp_path: Path) -> None:
    path = tmp_path / "traces.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["id", "timestamp", "sessionId", "input", "output", "scores"])
        table.writeheader()
        cells = {"timestamp": "2026-05-28T10:00:00Z", "sessionId": "s1", "scores": '{"user-feedback": ["1"]}'}
        table.writerow({**cells, "id": "a", "input": '{"text": "The tap drips,\\n\\nloudly"}', "output": "plumbing"})
        table.writerow({**cells, "id": "b", "input": "It is cold", "output": '{"team": "heating"}', "scores": ""})
    taken = take(path)
    assert not taken.bad
    assert [trace.inputs["text"] for trace in taken.traces] == ["The tap drips,\n\nloudly", "It is cold"]
    assert [trace.output["team"] for trace in taken.traces] == ["plumbing", "heating"]


def test_a_correction_is_an_edit(tmp_path: Path) -> None:
    trace = {**TRACE, "input": {"question": "Why?"}, "output": "Because."}
    correction = {
        "id": "c9",
        "traceId": "lf1",
        "name": "output",
        "value": None,
        "dataType": "CORRECTION",
        "longStringValue": "Because it is cold.",
    }
    found = take(write(tmp_path / "langfuse.jsonl", {**trace, "scores": [correction]}), agent=writer()).only
    assert (found.output, found.expected) == ({"reply": "Because."}, {"reply": "Because it is cold."})
    assert found.opinions[0].kind == "edit"


def test_a_score_of_no_trace_is_told(tmp_path: Path) -> None:
    taken = take(write(tmp_path / "langfuse.jsonl", TRACE, {**THUMB, "traceId": "other"}))
    assert [trace.source for trace in taken.traces] == ["lf1"]
    assert [why for _, why in taken.bad] == ["a score of trace other, which is in no file"]


def test_a_number_that_is_no_score_stays_a_remark(tmp_path: Path) -> None:
    stars = {**JUDGE, "name": "stars", "value": 4}
    trace = take(write(tmp_path / "langfuse.jsonl", {**TRACE, "scores": [stars]})).only
    assert (trace.score, trace.text) == (None, "stars: 4")
