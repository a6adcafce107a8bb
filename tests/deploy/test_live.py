"""Versions while they are served: exchanged under load, tried by some threads, and refused where they cannot run."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from agentsym import Agent, FunctionNode
from agentsym.deploy import live
from agentsym.deploy.beginning import begin
from agentsym.deploy.canary import in_canary
from agentsym.deploy.live import Versions
from agentsym.errors import StoreError, UsageError
from agentsym.network.network import Network
from agentsym.store.store import Store
from tests.deploy.conftest import Running, Start, eventually, slow, things


def variant(agent: Network, note: str) -> Network:
    """The agent with other words in it, so another version."""
    return agent.replace(description=note)


def promoted(store: Store, agent: Network, version: Network, share: float | None = None) -> None:
    """Bring a version to live, or to a canary's share, step by step."""
    live = store.releases.deployment(agent.name)
    assert live is not None
    release = store.releases.propose(agent.name, version, parent=live.live, actor="test")
    release = store.releases.move(release, "validated", actor="test", reason="test")
    release = store.releases.move(release, "shadow", actor="test", reason="test")
    if share is None:
        store.releases.promote(release, expected=live.live, actor="test", reason="test")
    else:
        store.releases.move(release, "canary", actor="test", reason="test", share=share)


def _asked(running: Running, header: dict[str, str], text: str, thread: str | None = None) -> dict[str, Any]:
    body = {"inputs": {"text": text}, **({} if thread is None else {"thread_id": thread})}
    sent = httpx.post(f"{running.url}/invoke", json=body, headers=header, timeout=20)
    assert sent.status_code == 200, sent.text
    found: dict[str, Any] = sent.json()
    return found


def test_a_new_version_takes_over_without_a_failed_request_and_runs_keep_theirs(start: Start) -> None:
    running = start(slow)
    header = running.token("invoke")
    second = variant(slow, "the second one")
    long: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: long.append(_asked(running, header, "wait 2")))
    waiting.start()
    eventually(lambda: running.service.running == 1)
    versions: list[str] = []
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            versions.append(_asked(running, header, "x")["version"])

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(versions) > 10)
    promoted(running.store, slow, second)
    eventually(lambda: versions[-1] == second.version, 5)
    done.set()
    for thread in [*threads, waiting]:
        thread.join()
    assert set(versions) == {slow.version, second.version}
    assert long[0]["version"] == slow.version
    for one in (long[0]["trace_id"],):
        trace = running.store.traces.trace(one)
        assert trace is not None and trace.version == slow.version
    assert len(running.store.traces.recent("slow", most=100_000)) == len(versions) + 1


def test_a_canary_answers_its_share_of_the_threads_and_always_the_same_ones(start: Start) -> None:
    running = start(slow)
    header = running.token("invoke")
    second = variant(slow, "the second one")
    promoted(running.store, slow, second, share=0.3)
    eventually(lambda: running.service.versions.current.canary is not None)
    threads = [f"thread {number}" for number in range(60)]
    first = {thread: _asked(running, header, "x", thread)["version"] for thread in threads}
    assert first == {thread: _asked(running, header, "y", thread)["version"] for thread in threads}
    chosen = {thread for thread in threads if in_canary("slow", second.version, thread, 0.3)}
    assert chosen == {thread for thread, version in first.items() if version == second.version}
    assert 6 <= len(chosen) <= 30


def test_the_share_holds_and_grows_without_leaving_anybody_out() -> None:
    threads = [f"t{number}" for number in range(20_000)]
    some = {thread for thread in threads if in_canary("d", "v", thread, 0.1)}
    more = {thread for thread in threads if in_canary("d", "v", thread, 0.2)}
    assert abs(len(some) / len(threads) - 0.1) < 0.01
    assert some < more
    assert not any(in_canary("d", "v", thread, 0.0) for thread in threads)
    assert all(in_canary("d", "v", thread, 1.0) for thread in threads)
    other = {thread for thread in threads if in_canary("d", "w", thread, 0.1)}
    assert len(some & other) / len(some) < 0.2


def test_a_version_that_cannot_run_leaves_the_old_one_answering(start: Start) -> None:
    running = start(slow)
    header = running.token("invoke")
    gone = {"ref": "gone.py:away", "sha256": "0" * 64}
    foreign = Agent("slow", nodes=[FunctionNode("slow", inputs=["text"], output={"said": str}, code_ref=gone)])
    promoted(running.store, slow, foreign)
    eventually(lambda: running.service.versions.problem is not None)
    assert _asked(running, header, "x")["version"] == slow.version
    ready = running.client.get("/ready")
    assert ready.status_code == 200 and ready.json()["version"].startswith("degraded")
    assert foreign.version[:12] not in ready.text
    live = running.store.releases.deployment("slow")
    assert live is not None
    running.store.releases.roll_back("slow", expected=live.live, to=slow.version, actor="test", reason="test")
    eventually(lambda: running.client.get("/ready").json()["version"] == "ok")


def test_files_that_have_changed_are_taken_or_left_as_one_says(store: Store) -> None:
    changed = variant(things, "changed by people")
    assert begin(store, "d", things, actor="test").live == things.version
    with pytest.raises(UsageError, match=r"--take.*--keep"):
        begin(store, "d", changed, actor="test")
    assert begin(store, "d", changed, actor="test", choice="keep").live == things.version
    taken = begin(store, "d", changed, actor="test", choice="take")
    assert (taken.live, taken.source) == (changed.version, changed.version)
    assert begin(store, "d", changed, actor="test").live == changed.version
    assert Versions(store, "d", changed).current.live.version == changed.version
    assert [entry.event for entry in store.audit.entries()] == ["taken over", "deployed"]


def test_a_store_that_is_lost_is_told_once_and_so_is_its_return(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin(store, "things", things, actor="test")
    versions = Versions(store, "things", things)

    def gone(_name: str) -> None:
        raise StoreError("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(store.releases, "deployment", gone)
        for _ in range(3):
            versions.look()
    versions.look()
    versions.look()
    lost, back = caplog.messages
    assert "cannot be read" in lost and "no answer" in lost and "can be read again" in back


def test_the_live_version_is_prepared_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(store, "things", things, actor="test")
    compiled: list[Network] = []
    real = live.compile
    monkeypatch.setattr(live, "compile", lambda network: (compiled.append(network), real(network))[1])
    Versions(store, "things", things)
    assert compiled == [things]
