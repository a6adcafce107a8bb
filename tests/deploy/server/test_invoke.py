"""Asking a deployed agent over HTTP: outputs, traces, and errors that tell nothing of the machine."""

from __future__ import annotations

import httpx

from agentsym.deploy.policy import Policy, Traces
from tests.deploy.conftest import Start, slow, things


def test_an_answer_names_the_trace_that_holds_it(start: Start) -> None:
    running = start()
    sent = running.client.post(
        "/invoke", json={"inputs": {"text": "an apple"}, "thread_id": "t1"}, headers=running.token("invoke")
    )
    assert sent.status_code == 200
    body = sent.json()
    assert body["output"] == {"kind": "fruit"}
    assert body["version"] == things.version
    assert sent.headers["x-trace-id"] == body["trace_id"]
    trace = running.store.traces.trace(body["trace_id"])
    assert trace is not None and trace.trajectory is not None
    assert (trace.thread, trace.version, trace.status) == ("t1", things.version, "ok")
    assert trace.trajectory.output == {"kind": "fruit"}
    assert trace.trajectory.steps[0].node == "sort"


def test_a_failing_agent_is_told_of_without_its_reason(start: Start) -> None:
    running = start(slow)
    sent = running.client.post("/invoke", json={"inputs": {"text": "fail 1234"}}, headers=running.token("invoke"))
    assert sent.status_code == 500
    error = sent.json()["error"]
    assert error["type"] == "agent_failed"
    assert "1234" not in sent.text and "ValueError" not in sent.text
    trace = running.store.traces.trace(error["trace_id"])
    assert trace is not None and trace.status == "error" and "1234" in (trace.error or "")


def test_a_run_that_takes_too_long_is_cancelled_and_recorded(start: Start) -> None:
    running = start(slow, timeout=0.3)
    sent = running.client.post("/invoke", json={"inputs": {"text": "wait 20"}}, headers=running.token("invoke"))
    assert sent.status_code == 504
    assert sent.json()["error"]["type"] == "timeout"
    assert running.service.running == 0
    trace = running.store.traces.trace(sent.json()["error"]["trace_id"])
    assert trace is not None and trace.status == "error"


def test_inputs_that_do_not_fit_are_refused_and_leave_no_trace(start: Start) -> None:
    running = start()
    sent = running.client.post("/invoke", json={"inputs": {"words": "x"}}, headers=running.token("invoke"))
    assert sent.status_code == 422
    assert sent.json()["error"]["type"] == "invalid_input"
    assert running.store.traces.recent("things") == ()


def test_a_batch_answers_each_item_for_itself(start: Start) -> None:
    running = start(max_batch=3)
    items = [{"inputs": {"text": "a dog"}}, {"inputs": {}}, {"inputs": {"text": "a saw"}, "thread_id": "t"}]
    header = running.token("invoke")
    results = running.client.post("/batch", json=items, headers=header).json()["results"]
    assert [item.get("output") for item in results] == [{"kind": "animal"}, None, {"kind": "tool"}]
    assert results[1]["error"]["type"] == "invalid_input" and results[1]["status"] == 422
    assert running.client.post("/batch", json=items * 2, headers=header).status_code == 422
    assert running.client.post("/batch", json=[], headers=header).status_code == 422


def test_what_is_kept_follows_the_policy(start: Start) -> None:
    policy = Policy(traces=Traces(sampling=0.0))
    running = start(slow, policy=policy)
    header = running.token("invoke")

    def trace_of(text: str, thread: str = "t") -> object:
        sent = running.client.post("/invoke", json={"inputs": {"text": text}, "thread_id": thread}, headers=header)
        found = running.store.traces.trace(sent.headers["x-trace-id"])
        assert found is not None
        return found

    kept = trace_of("all is well")
    assert kept.trajectory is None and kept.status == "ok" and kept.example_id  # type: ignore[attr-defined]
    failed = trace_of("fail for jo@example.org", "jo@example.org")
    assert failed.trajectory is not None  # type: ignore[attr-defined]
    assert "jo@example.org" not in failed.model_dump_json()  # type: ignore[attr-defined]
    assert "[email]" in failed.error  # type: ignore[attr-defined]
    again = trace_of("fail for jo@example.org", "jo@example.org")
    assert failed.thread == again.thread != "t"  # type: ignore[attr-defined]


def test_a_server_without_tokens_answers_only_to_its_own_name(start: Start) -> None:
    running = start(auth=False)
    body = {"inputs": {"text": "a dog"}}
    assert running.client.post("/invoke", json=body).status_code == 200
    rebound = httpx.post(f"{running.url}/invoke", json=body, headers={"host": "attacker.example"})
    assert rebound.status_code == 403
    form = running.client.post(
        "/invoke", content='{"inputs": {"text": "a dog"}}', headers={"content-type": "text/plain"}
    )
    assert form.status_code == 415
