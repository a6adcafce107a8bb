"""From a candidate to the live version and back: who decides, who wins, and what a crash leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from agentsym import Agent, Examples
from agentsym.deploy.decisions import Decisions
from agentsym.deploy.evolution.evolution import Turn
from agentsym.errors import AgentsymError, ConflictError, KeyRefused
from agentsym.models.doubles import ScriptedModel
from agentsym.store.live.lifecycle import Release
from evals.deployed.world import agent, asked
from tests.deploy.conftest import eventually
from tests.deploy.evolution import mailer
from tests.deploy.evolution.conftest import turned


def taught(base: Agent) -> Agent:
    """Return the agent with examples of the new kinds: better than the base where customers have changed."""
    held = base.parameter("sort/examples")
    assert isinstance(held, Examples)
    more = [
        {"input": {"message": question.message}, "output": {"intent": question.intent}}
        for question in asked(99, 60, drift_at=0)
        if question.new
    ]
    old = [{"input": dict(each.input), "output": dict(each.output)} for each in held.value]
    return base.with_parameter("sort/examples", Examples([*old, *more], max_per_label=40))


def spoiled(base: Agent) -> Agent:
    """Return the agent with examples that are all wrong."""
    wrong = [
        {"input": {"message": question.message}, "output": {"intent": "account"}}
        for question in asked(98, 30, drift_at=99)
    ]
    return base.with_parameter("sort/examples", Examples(wrong, max_per_label=40))


def asks(running: Any, requests: int, *, seed: int, new_from: int = 0) -> list[float]:
    """Ask, each question in a thread of its own, label every answer, and return the scores."""
    header = running.token("invoke", "feedback")
    scores = []
    for number, question in enumerate(asked(seed, requests, new_from)):
        body = {"inputs": {"message": question.message}, "thread_id": f"{seed}-{number}"}
        found = running.client.post("/invoke", json=body, headers=header)
        found.raise_for_status()
        answer = found.json()
        said = {"trace_id": answer["trace_id"], "kind": "label", "label": {"intent": question.intent}}
        running.client.post("/feedback", json=said, headers=header).raise_for_status()
        scores.append(float(answer["output"]["intent"] == question.intent))
    return scores


def compared(running: Any, release: Release) -> Release:
    """Bring a draft to where it can go live."""
    for state in ("validated", "shadow"):
        release = running.store.releases.move(release, state, actor="test", reason="test")
    return release


def live(running: Any) -> str:
    return running.store.releases.deployment("counter").live


def serves(running: Any, version: str) -> bool:
    """Whether the server answers with a version."""
    header = running.token("invoke")
    body = {"inputs": {"message": "Where is my parcel?"}}
    return running.client.post("/invoke", json=body, headers=header).json()["version"] == version


def test_a_better_candidate_goes_live_and_answers(start: Any, wheel: Any) -> None:
    base, better = agent(), taught(agent())
    running, evolution = start(base), wheel(base)
    asks(running, 120, seed=1)
    running.store.releases.propose("counter", better, parent=base.version, actor="test")
    assert turned(evolution)[0].what == "promoted"
    assert eventually(lambda: serves(running, better.version))
    assert running.store.releases.release("counter", base.version).state == "superseded"


def test_a_worse_candidate_is_refused_and_cannot_come_again(start: Any, wheel: Any) -> None:
    base, worse = agent(), spoiled(agent())
    running, evolution = start(base), wheel(base)
    asks(running, 120, seed=1, new_from=999)
    running.store.releases.propose("counter", worse, parent=base.version, actor="test")
    turn = turned(evolution)[0]
    assert turn.what == "rejected" and "must-pass" in turn.reason
    assert live(running) == base.version
    with pytest.raises(ConflictError, match="cannot come again"):
        running.store.releases.propose("counter", worse, parent=base.version, actor="test")


def test_few_rows_are_left_to_a_person(start: Any, wheel: Any) -> None:
    base, better = agent(), taught(agent())
    running, evolution = start(base), wheel(base)
    asks(running, 50, seed=1)
    running.store.releases.propose("counter", better, parent=base.version, actor="test")
    turn = turned(evolution)[-1]
    assert turn.what == "held" and "fewer than 30" in turn.reason
    assert live(running) == base.version
    Decisions(running.store, "counter", "Ann").promote(better.version, expected=base.version, reason="looks right")
    assert live(running) == better.version
    entry = running.store.audit.last("promoted", f"counter@{better.version}")
    assert entry is not None and entry.actor == "Ann"


def test_a_person_may_be_asked_every_time(start: Any, wheel: Any) -> None:
    base, better = agent(), taught(agent())
    running, evolution = start(base), wheel(base, {"release": {"approval": "always", "canary": 0}})
    asks(running, 120, seed=1)
    running.store.releases.propose("counter", better, parent=base.version, actor="test")
    assert turned(evolution)[-1].what == "held"
    assert turned(evolution)[-1].what == "waits"
    with pytest.raises(ConflictError, match="cannot go live, it is live"):
        Decisions(running.store, "counter", "Ann").promote(base.version, expected=base.version, reason="")


def test_a_canary_answers_its_share_and_goes_live_when_it_did_well(start: Any, wheel: Any) -> None:
    base, better = agent(), taught(agent())
    running = start(base)
    evolution = wheel(base, {"release": {"canary": 0.5, "canary_requests": 20}})
    asks(running, 120, seed=1)
    running.store.releases.propose("counter", better, parent=base.version, actor="test")
    assert turned(evolution)[-1].what == "canary"
    assert live(running) == base.version
    eventually(lambda: serves(running, better.version))
    asks(running, 60, seed=2)
    used = running.store.traces.totals("counter")
    assert used[better.version]["requests"] >= 15 and used[base.version]["requests"] >= 135
    turn = turned(evolution)[0]
    assert turn.what == "promoted", turn.reason
    assert live(running) == better.version


def test_a_thread_stays_with_its_version(start: Any, wheel: Any) -> None:
    base, better = agent(), taught(agent())
    running = start(base)
    release = running.store.releases.propose("counter", better, parent=base.version, actor="test")
    release = compared(running, release)
    running.store.releases.move(release, "canary", actor="test", reason="test", share=0.5)
    eventually(lambda: serves(running, better.version))
    header = running.token("invoke")
    for thread in ("ann", "bob", "eve", "joe", "kim", "lea"):
        body = {"inputs": {"message": "Where is my parcel?"}, "thread_id": thread}
        seen = {running.client.post("/invoke", json=body, headers=header).json()["version"] for _ in range(5)}
        assert len(seen) == 1


def test_a_bad_version_is_taken_back_and_tells_the_optimizer(start: Any, wheel: Any) -> None:
    base, worse = agent(), spoiled(agent())
    running, evolution = start(base), wheel(base)
    asks(running, 80, seed=1, new_from=999)
    running.store.append("a-run", "run", {"agent": "counter", "config": {}})
    release = running.store.releases.propose(
        "counter", worse, parent=base.version, actor="test", details={"run": "a-run"}
    )
    release = compared(running, release)
    running.store.releases.promote(release, expected=base.version, actor="somebody in a hurry", reason="no time")
    eventually(lambda: serves(running, worse.version))
    asks(running, 25, seed=2, new_from=999)
    turn = asyncio.run(evolution.turn())
    assert turn.what == "rolled_back" and "after 20 judged answers" in turn.reason
    assert eventually(lambda: serves(running, base.version))
    assert running.store.releases.release("counter", worse.version).state == "rolled_back"
    assert running.store.last_event("a-run", kind="withdrawn") is not None
    assert asyncio.run(evolution.turn()).what == "waits", "the version that is back is not judged by the one before it"


def test_failing_requests_take_a_version_back(start: Any, wheel: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("MAILER_OUT", str(tmp_path / "out"))
    base = mailer.agent
    running, evolution = start(base), wheel(base)
    header = running.token("invoke")

    def ask(seed: int, requests: int) -> None:
        for question in asked(seed, requests, drift_at=999):
            running.client.post("/invoke", json={"inputs": {"message": question.message}}, headers=header)

    ask(1, 60)
    changed = base.with_parameter(
        "sort/examples", Examples([{"input": {"message": "a"}, "output": {"intent": "fault"}}])
    )
    release = running.store.releases.propose("mailer", changed, parent=base.version, actor="test")
    release = compared(running, release)
    running.store.releases.promote(release, expected=base.version, actor="test", reason="test")
    eventually(lambda: running.service.versions.current.live.network.version == changed.version)
    monkeypatch.setenv("MAILER_OUT", str(tmp_path / "no" / "folder"))
    ask(2, 25)
    turn = asyncio.run(evolution.turn())
    assert turn.what == "rolled_back" and "failed" in turn.reason


def test_of_two_promoters_one_wins(start: Any, wheel: Any) -> None:
    base, better = agent(), taught(agent())
    running = start(base)
    asks(running, 120, seed=1)
    running.store.releases.propose("counter", better, parent=base.version, actor="test")
    together = threading.Barrier(2)
    done: list[Turn | AgentsymError] = []

    def promote() -> None:
        evolution = wheel(base)
        compare = evolution.compare

        async def compared_together(*versions: str) -> Any:
            found = await compare(*versions)
            together.wait(60)  # both have decided to promote, and neither has yet
            return found

        evolution.compare = compared_together  # type: ignore[method-assign]
        try:
            done.append(asyncio.run(evolution._compared(*_at_shadow(evolution))))
        except AgentsymError as error:
            done.append(error)

    compared(running, running.store.releases.release("counter", better.version))
    threads = [threading.Thread(target=promote) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(each).__name__ for each in done) == ["ConflictError", "Turn"]
    assert live(running) == better.version
    entries = running.store.audit.entries(object_id=f"counter@{better.version}")
    assert [entry.event for entry in entries].count("promoted") == 1


def _at_shadow(evolution: Any) -> Any:
    deployment = evolution.store.releases.deployment("counter")
    (release,) = evolution.store.releases.releases("counter", "shadow")
    return deployment, release


DIES = """
import asyncio, os, signal, sys
from agentsym.deploy.evolution.evolution import Evolution
from agentsym.deploy.policy import Policy
from agentsym.store import Store
from agentsym.store.live import releases
from evals.deployed.world import agent

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(releases, sys.argv[2], die)
policy = Policy.model_validate({"release": {"canary": 0}})
with Store.open(sys.argv[1]) as store:
    asyncio.run(Evolution(store, "counter", agent(), policy, student="embedded", teacher="embedded").turn())
"""


@pytest.mark.parametrize("where", ["_point", "append", "_set"])
def test_a_crash_on_the_way_leaves_the_old_version_serving(start: Any, wheel: Any, where: str) -> None:
    base, better = agent(), taught(agent())
    running = start(base)
    asks(running, 120, seed=1)
    release = running.store.releases.propose("counter", better, parent=base.version, actor="test")
    release = compared(running, release)
    command = [sys.executable, "-c", DIES, str(running.store.path), where]
    died = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, timeout=100, check=False)
    assert died.returncode == -signal.SIGKILL
    assert live(running) == base.version and serves(running, base.version)
    assert running.store.releases.release("counter", better.version).state == "shadow"
    assert turned(wheel(base))[0].what == "promoted", "the next turn goes on where the process died"
    assert eventually(lambda: serves(running, better.version))


def test_learning_and_comparing_write_nothing(start: Any, wheel: Any, tmp_path: Path, monkeypatch: Any) -> None:
    out = tmp_path / "out"
    monkeypatch.setenv("MAILER_OUT", str(out))
    base = mailer.agent
    running = start(base)
    header = running.token("invoke", "feedback")
    for question in asked(1, 150, drift_at=0):
        answer = running.client.post("/invoke", json={"inputs": {"message": question.message}}, headers=header).json()
        said = {"trace_id": answer["trace_id"], "kind": "label", "label": {"intent": question.intent}}
        running.client.post("/feedback", json=said, headers=header).raise_for_status()
    before = out.read_text()
    assert len(before.splitlines()) == 150
    turns = turned(wheel(base, {"learning": {"cool_down": 0, "steps": 3}}))
    assert turns[0].what in ("promoted", "rejected", "held"), turns
    assert out.read_text() == before
    shadow = running.store.releases.release("mailer", turns[0].version).details["shadow"]
    assert shadow["n"] >= 30, "what was written once is known, so these rows can be compared"


def test_frozen_means_that_nothing_is_learned_and_bad_versions_are_still_taken_back(start: Any, wheel: Any) -> None:
    base, worse = agent(), spoiled(agent())
    running, evolution = start(base), wheel(base)
    asks(running, 80, seed=1, new_from=60)
    running.store.releases.freeze("counter", True, actor="Ann", reason="holidays")
    assert asyncio.run(evolution.turn()).what == "frozen"
    assert running.store.runs() == ()
    release = running.store.releases.propose("counter", worse, parent=base.version, actor="test")
    release = compared(running, release)
    running.store.releases.promote(release, expected=base.version, actor="Ann", reason="test")
    eventually(lambda: serves(running, worse.version))
    asks(running, 25, seed=2, new_from=999)
    assert asyncio.run(evolution.turn()).what == "rolled_back"


def test_a_canary_that_answers_nobody_any_more_is_refused(start: Any, wheel: Any) -> None:
    base, better, other = agent(), taught(agent()), spoiled(agent())
    running, evolution = start(base), wheel(base, {"release": {"canary": 0.5}})
    releases = running.store.releases
    release = compared(running, releases.propose("counter", better, parent=base.version, actor="test"))
    releases.move(release, "canary", actor="test", reason="test", share=0.5)
    releases.take("counter", other, expected=base.version, actor="Ann")
    releases.roll_back("counter", expected=other.version, to=base.version, actor="Ann", reason="it was a mistake")
    turn = turned(evolution)[0]
    assert turn.what == "rejected" and "answers nobody any more" in turn.reason


def counted(evolution: Any) -> list[tuple[str, ...]]:
    """Note the comparisons that an evolution makes."""
    made: list[tuple[str, ...]] = []
    compare = evolution.compare

    async def noted(*versions: str) -> Any:
        made.append(versions)
        return await compare(*versions)

    evolution.compare = noted
    return made


def test_a_candidate_with_too_few_rows_is_compared_again_when_there_are_more(start: Any, wheel: Any) -> None:
    base, better = agent(), taught(agent())
    policy = {"release": {"approval": "never", "canary": 0}}
    running, evolution = start(base), wheel(base, policy)
    made = counted(evolution)
    asks(running, 50, seed=1)
    running.store.releases.propose("counter", better, parent=base.version, actor="test")
    first, second = turned(evolution)[-1], turned(evolution)[-1]
    assert first.what == second.what == "waits" and "fewer than 30" in first.reason
    assert second.reason.startswith(first.reason) and "new rows" in second.reason
    asks(running, 3, seed=2)
    assert turned(evolution)[-1].what == "waits" and len(made) == 1
    other = wheel(base, {**policy, "shadow": {"min_rows": 29}})
    again = counted(other)
    turned(other)
    assert len(again) == 1, "another policy may decide otherwise"
    turned(evolution)
    asks(running, 120, seed=3)
    assert turned(evolution)[0].what == "promoted"


def test_a_comparison_that_comes_to_a_cap_waits_for_another_policy(start: Any, wheel: Any) -> None:
    base, better = agent(), taught(agent())
    capped = wheel(base, {"learning": {"cool_down": 0, "max_calls": 10}})
    running, made = start(base), counted(capped)
    asks(running, 120, seed=1)
    running.store.releases.propose("counter", better, parent=base.version, actor="test")
    for _ in range(2):
        turn = turned(capped)[-1]
        assert turn.what == "waits" and "the comparison was stopped" in turn.reason and "10" in turn.reason
    assert len(made) == 1
    assert turned(wheel(base))[0].what == "promoted"


def test_learning_that_cannot_go_on_waits_for_the_cool_down(start: Any, wheel: Any) -> None:
    base = agent()
    running = start(base)
    nobody = ScriptedModel([KeyRefused("no such key")], name="nobody", remote=False)
    evolution = wheel(base, {"learning": {"cool_down": 3600}}, teacher=nobody)
    asks(running, 120, seed=1)
    with pytest.raises(KeyRefused):
        asyncio.run(evolution.turn())
    asked = len(nobody.calls)
    turn = asyncio.run(evolution.turn())
    assert turn.what == "waits" and "cool-down" in turn.reason and len(nobody.calls) == asked
    entry = running.store.audit.last("learning ended", "counter")
    assert entry is not None and entry.data()["status"] == "failed" and entry.data()["feedback"] == 0


def test_one_can_go_back_from_files_that_people_changed(start: Any) -> None:
    base, changed = agent(), taught(agent())
    running = start(base)
    running.store.releases.take("counter", changed, expected=base.version, actor="Ann")
    Decisions(running.store, "counter", "Ann").roll_back(None, expected=changed.version, reason="a slip")
    assert live(running) == base.version
