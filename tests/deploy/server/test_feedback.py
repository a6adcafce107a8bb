"""Feedback over HTTP: it is held against the trace and the agent, and it is there once it is confirmed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.conftest import Running, Start, slow


def _asked(running: Running, header: dict[str, str], text: str = "a dog") -> str:
    sent = running.client.post("/invoke", json={"inputs": {"text": text}}, headers=header)
    return str(sent.json()["trace_id"])


def test_feedback_is_kept_with_its_author_and_may_come_twice(start: Start) -> None:
    running = start()
    header = running.token("invoke", "feedback", name="ann")
    trace_id = _asked(running, header)
    thumb = {"trace_id": trace_id, "kind": "thumb", "score": 0, "text": "no, write to jo@example.org"}
    for body in (thumb, thumb, {"trace_id": trace_id, "kind": "label", "label": {"kind": "tool"}}):
        sent = running.client.post("/feedback", json=body, headers=header)
        assert sent.status_code == 201, sent.text
    kept = running.store.traces.feedback_of([trace_id])[trace_id]
    assert [(item.kind, item.author, item.score) for item in kept] == [
        ("thumb", "ann", 0.0),
        ("thumb", "ann", 0.0),
        ("label", "ann", 0.0),  # by the policy's metric: the answer was `animal`
    ]
    assert kept[0].text == "no, write to [email]" and kept[2].label == {"kind": "tool"}


def test_a_label_is_scored_by_the_metric_unless_it_brings_a_score(start: Start) -> None:
    running = start()
    header = running.token("invoke", "feedback")
    trace_id = _asked(running, header)
    label = {"trace_id": trace_id, "kind": "label", "label": {"kind": "animal"}}
    for body in (label, {**label, "score": 0.25}):
        running.client.post("/feedback", json=body, headers=header).raise_for_status()
    assert [item.score for item in running.store.traces.feedback_of([trace_id])[trace_id]] == [1.0, 0.25]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "thumb"},
        {"kind": "thumb", "score": 2},
        {"kind": "thumb", "score": True},
        {"kind": "thumb", "score": "1"},
        {"kind": "applause", "score": 1},
        {"kind": "label"},
        {"kind": "label", "label": {}},
        {"kind": "label", "label": {"sort": "fruit"}},
        {"kind": "label", "label": {"kind": "vegetable"}},
        {"kind": "label", "label": {"kind": 3}},
        {"kind": "label", "label": "fruit"},
        {"kind": "thumb", "score": 1, "author": "somebody else"},
        {"kind": "thumb", "score": 1, "text": 7},
    ],
)
def test_feedback_that_does_not_fit_is_refused(start: Start, wrong: dict[str, Any]) -> None:
    running = start()
    header = running.token("invoke", "feedback")
    trace_id = _asked(running, header)
    sent = running.client.post("/feedback", json={"trace_id": trace_id, **wrong}, headers=header)
    assert sent.status_code == 422 and sent.json()["error"]["message"]
    assert running.store.traces.feedback_of([trace_id]) == {}


def test_only_this_deployments_traces_can_be_judged(start: Start) -> None:
    running, other = start(), start(slow)
    header = running.token("invoke", "feedback")
    for trace_id in ("0" * 32, _asked(other, header, "x")):
        body = {"trace_id": trace_id, "kind": "thumb", "score": 1}
        sent = running.client.post("/feedback", json=body, headers=header)
        assert sent.status_code == 404 and sent.json()["error"]["type"] == "unknown_trace"


def test_an_edit_of_the_only_output_may_come_as_its_text(start: Start) -> None:
    running = start(slow)
    header = running.token("invoke", "feedback")
    trace_id = _asked(running, header, "hello")
    body = {"trace_id": trace_id, "kind": "edit", "text": "Good day"}
    assert running.client.post("/feedback", json=body, headers=header).status_code == 201
    assert running.store.traces.feedback_of([trace_id])[trace_id][0].label == {"said": "Good day"}
