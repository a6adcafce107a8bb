"""What a server says of itself, and what it says when something is wrong."""

from __future__ import annotations

import pytest

from agentsym.deploy import live
from agentsym.store.database import StoreError
from tests.deploy.conftest import Start, eventually, slow, things


def test_figures_count_routes_and_never_hold_what_people_write(start: Start) -> None:
    running = start(slow)
    header = running.token("admin")
    running.client.post("/invoke", json={"inputs": {"text": "marmalade"}, "thread_id": "jam"}, headers=header)
    running.client.post("/invoke", json={"inputs": {"text": "fail marmalade"}}, headers=header)
    running.client.get("/marmalade", headers=header)
    running.client.get("/v1/models/marmalade", headers=header)
    text = running.client.get("/metrics", headers=header).text
    assert 'agentsym_requests_total{route="/invoke",status="200"} 1.0' in text
    assert 'agentsym_requests_total{route="/invoke",status="500"} 1.0' in text
    assert 'agentsym_requests_total{route="other",status="404"} 1.0' in text
    assert 'agentsym_request_seconds_count{route="/invoke"} 2.0' in text
    for name in ("runs_in_flight 0.0", "trace_queue 0.0", "generation 1.0", "usd_total 0.0"):
        assert f"agentsym_{name}" in text
    assert "marmalade" not in text and "jam" not in text and "python_info" not in text


def test_ready_says_no_where_the_store_is_gone_and_when_the_server_ends(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start()
    assert running.client.get("/ready").json() == {"ready": True, "store": "ok", "version": "ok", "stopping": False}

    def gone(_name: str) -> None:
        raise StoreError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(live, "STALE_S", 0.2)
        patch.setattr(running.store.releases, "deployment", gone)
        eventually(lambda: running.client.get("/ready").status_code == 503)
        assert running.client.get("/health").status_code == 200
    eventually(lambda: running.client.get("/ready").status_code == 200)
    running.service.stopping = True
    assert running.client.get("/ready").status_code == 503
    running.service.stopping = False


def test_an_answer_that_cannot_be_recorded_is_not_given(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start()
    header = running.token("invoke")

    def full(*_: object) -> None:
        raise StoreError("the disk at /secret/place is full")

    with monkeypatch.context() as patch:
        patch.setattr(running.store.traces, "add", full)
        sent = running.client.post("/invoke", json={"inputs": {"text": "a dog"}}, headers=header)
        assert sent.status_code == 503 and sent.json()["error"]["type"] == "not_recorded"
        assert "/secret/place" not in sent.text and "animal" not in sent.text
    assert running.client.post("/invoke", json={"inputs": {"text": "a dog"}}, headers=header).status_code == 200


def test_versions_are_listed_with_their_states(start: Start) -> None:
    running = start()
    told = running.client.get("/versions", headers=running.token("invoke")).json()
    assert (told["deployment"], told["live"], told["canary"]) == ("things", things.version, None)
    assert [(one["version"], one["state"], one["scores"]) for one in told["versions"]] == [
        (things.version, "live", None)
    ]


def test_an_error_that_nobody_foresaw_tells_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start()

    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(running.service, "begin", broken)
    sent = running.client.post("/invoke", json={"inputs": {"text": "a"}}, headers=running.token("invoke"))
    assert sent.status_code == 500 and sent.json()["error"]["type"] == "internal"
    assert "secret" not in sent.text and "Traceback" not in sent.text
