"""`agentsym evolve`: what each command does and prints, and what it refuses with which exit code."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentsym.cli.agents import find_agent
from agentsym.deploy.beginning import begin
from agentsym.network.edits import AddItem
from agentsym.network.network import Network
from agentsym.network.records import Step, Trajectory
from agentsym.store import Store
from agentsym.store.live.lifecycle import Release
from agentsym.store.live.traces import Feedback, Trace, example_id_of
from tests.cli.conftest import Call, rows

NAME = "things/agent.py"


@pytest.fixture
def agent(place: Path) -> Network:
    return find_agent(NAME).agent


@pytest.fixture
def store(clean_environment: Path) -> Iterator[Store]:
    """The store that the command uses by default."""
    with Store.open() as opened:
        yield opened


@pytest.fixture
def deployed(store: Store, agent: Network) -> Network:
    begin(store, "things", agent, actor="ann")
    return agent


@pytest.fixture
def candidate(store: Store, deployed: Network) -> Release:
    """A candidate that waits for a person."""
    better = deployed.apply([AddItem(path="sort/rules", item="A saw is a `tool`.")])
    made = store.releases.propose("things", better, parent=deployed.version, actor="evolution")
    for state in ("validated", "shadow", "held"):
        made = store.releases.move(made, state, actor="evolution", reason=f"now {state}")  # type: ignore[arg-type]
    return made


def asked(store: Store, agent: Network, number: int, text: str, *, kind: str) -> None:
    """A request that was answered, and a label for it."""
    inputs = {"text": text}
    output = {"kind": "fruit"}
    step = Step(index=0, node="sort", inputs=inputs, output=output)
    held = Trajectory(id="t", version=agent.version, inputs=inputs, steps=(step,), output=output)
    trace = Trace(
        id=f"t{number}", deployment="things", version=agent.version, thread="x", at="2026-05-01T10:00:00+00:00",
        example_id=example_id_of(inputs), tokens=7, trajectory=held,
    )  # fmt: skip
    said = Feedback(
        id=f"f{number}", trace_id=trace.id, deployment="things", kind="label", label={"kind": kind}, author="ann",
        at="2026-05-01T10:00:00+00:00",
    )  # fmt: skip
    store.traces.add([trace], [said])


def test_once_says_what_it_waits_for(call: Call, deployed: Network) -> None:
    done = call("evolve", "once", NAME)
    assert (done.code, done.out) == (0, "") and "waits: " in done.err
    (turn,) = call("evolve", "once", NAME, "--json").json
    assert turn["what"] == "waits" and turn["version"] is None and turn["reason"]


def test_once_learns_from_failures_and_lets_a_better_version_go_live(
    call: Call, store: Store, deployed: Network, place: Path
) -> None:
    for number, row in enumerate(rows(*range(5))):
        asked(store, deployed, number, row["text"], kind=row["kind"])
    policy = place / "policy.yaml"
    policy.write_text("release: {canary: 0}\nlearning: {cool_down: 0}\nshadow: {min_rows: 10}\n")
    done = call("evolve", "once", NAME, "--policy", str(policy), "--json")
    assert done.code == 0, done.err
    assert [turn["what"] for turn in done.json][:2] == ["promoted", "waits"]
    live = store.releases.deployment("things")
    assert live is not None and live.live == done.json[0]["version"] != deployed.version
    told = call("evolve", "explain", live.live[:10])
    assert told.code == 0 and "sort/" in told.out and "Shadow evaluation" in told.out
    assert call("evolve", "verify", "--json").json["sound"]
    rolled = call("evolve", "rollback", "--reason", "too bold")
    assert rolled.code == 0 and f"things: {deployed.version[:12]} is live" in rolled.out
    assert store.releases.release("things", live.live).reason == "too bold"


def test_once_does_nothing_while_another_process_is_at_it(call: Call, store: Store, deployed: Network) -> None:
    store.leases.take("evolve things", "other", 60)
    done = call("evolve", "once", NAME, "--json")
    assert (done.code, done.json) == (0, []) and "another process is at it; this one does nothing" in done.err


def test_status_shows_versions_and_how_they_did(
    call: Call, store: Store, candidate: Release, deployed: Network
) -> None:
    for number in range(3):
        asked(store, deployed, number, f"a saw, number {number}", kind="tool")
    store.leases.take("evolve things", "somebody", 60)
    shown = call("evolve", "status")
    assert shown.code == 0
    for words in (f"things: {deployed.version[:12]} is live", "held", candidate.version[:12], "now held", "3", "21"):
        assert words in shown.out
    found = call("evolve", "status", "--name", "things", "--json").json
    assert (found["live"], found["evolving"], found["frozen"]) == (deployed.version, "somebody", False)
    assert [each["state"] for each in found["releases"]] == ["held", "live"]
    assert found["totals"][deployed.version]["requests"] == 3


def test_status_tells_of_a_canary_and_of_frozen_learning(call: Call, candidate: Release) -> None:
    assert call("evolve", "promote", candidate.version, "--share", "0.25").code == 0
    assert "learning is frozen" in call("evolve", "freeze").out
    shown = call("evolve", "status").out
    assert f"{candidate.version[:12]} answers 25% of the threads as a canary" in shown
    assert "learning is frozen; `agentsym evolve unfreeze` lets it go on" in shown
    assert "learning is frozen" not in call("evolve", "unfreeze").out


def test_a_person_promotes_and_goes_back(call: Call, store: Store, candidate: Release, deployed: Network) -> None:
    done = call("evolve", "promote", candidate.version[:8], "--reason", "looks right")
    assert (done.code, done.out) == (0, f"things: {candidate.version[:12]} is live\n")
    entry = store.audit.entries(most=1)[0]
    assert entry.event == "promoted" and entry.actor.endswith("(command line)")
    assert entry.data()["reason"] == "looks right"
    back = call("evolve", "rollback", "--to", deployed.version[:8], "--json")
    assert back.json["live"] == deployed.version
    again = call("evolve", "promote", candidate.version)
    assert again.code == 1 and "cannot go live, it is rolled_back" in again.err


def test_a_canary_is_started_and_promoted_by_hand(call: Call, store: Store, candidate: Release) -> None:
    shown = call("evolve", "promote", candidate.version, "--share", "0.5")
    assert f"{candidate.version[:12]} is a canary for 50% of the threads" in shown.out
    assert call("evolve", "promote", candidate.version, "--share", "2").code == 2
    done = call("evolve", "promote", candidate.version, "--json").json
    assert (done["live"], done["canary"], done["share"]) == (candidate.version, None, 0.0)


def test_a_person_rejects(call: Call, store: Store, candidate: Release) -> None:
    assert call("evolve", "reject", candidate.version, "--reason", "rude", "--json").code == 0
    assert store.releases.release("things", candidate.version).reason == "rude"
    again = call("evolve", "reject", candidate.version)
    assert again.code == 1 and "is no open candidate, it is rejected" in again.err


def test_freezing_is_written_down(call: Call, store: Store, deployed: Network) -> None:
    assert call("evolve", "freeze", "--reason", "a test", "--json").json["frozen"] is True
    assert [turn["what"] for turn in call("evolve", "once", NAME, "--json").json] == ["frozen"]
    assert call("evolve", "unfreeze", "--json").json["frozen"] is False
    assert [(entry.event, entry.data()["reason"]) for entry in store.audit.entries(most=2)] == [
        ("unfrozen", "a person decided so"),
        ("frozen", "a test"),
    ]


def test_the_first_version_has_nothing_to_go_back_to(call: Call, deployed: Network) -> None:
    done = call("evolve", "rollback")
    assert done.code == 2 and "is the first version; --to says where to go back to" in done.err


def test_verify_tells_the_head_and_misses_what_was_cut_off(call: Call, store: Store, candidate: Release) -> None:
    last = store.audit.entries(most=1)[0]
    assert call("evolve", "verify").out == f"{last.seq} entries are sound; the head is {last.hash}\n"
    sound = {"sound": True, "problem": None, "broken": None, "entries": last.seq, "head": last.hash}
    assert call("evolve", "verify", "--head", last.hash, "--json").json == sound
    cut = call("evolve", "verify", "--head", "0" * 64)
    assert (cut.code, cut.out) == (1, "") and "no entry of the audit log has the hash that was given" in cut.err
    assert "tampered" not in cut.err


def test_verify_names_the_entry_that_was_changed(call: Call, store: Store, candidate: Release) -> None:
    with sqlite3.connect(str(store.path)) as connection:
        connection.execute("DROP TRIGGER audit_refuse_update")
        connection.execute("UPDATE audit SET actor = 'mallory' WHERE seq = 2")
    connection.close()
    done = call("evolve", "verify")
    assert (done.code, done.out) == (1, "")
    assert "error: the audit log was tampered with: entry 2: its content is not what was hashed" in done.err
    found = call("evolve", "verify", "--json")
    assert found.code == 1 and found.json["broken"] == 2 and found.json["sound"] is False


def test_an_empty_log_is_sound(call: Call, store: Store) -> None:
    assert call("evolve", "verify").out == "the audit log is empty\n"
    assert call("evolve", "verify", "--json").json["entries"] == 0
    assert call("evolve", "verify", "--head", "0" * 64).code == 1


def test_explain_tells_the_story_of_a_version(call: Call, candidate: Release) -> None:
    told = call("evolve", "explain", candidate.version[:9])
    assert told.code == 0 and "held (now held)" in told.out and "A saw is a `tool`." in told.out
    found = call("evolve", "explain", candidate.version, "--json").json
    assert found["release"]["version"] == candidate.version
    assert [entry["event"] for entry in found["history"]] == ["proposed", "validated", "shadow", "held"]


WITH_VERSION = ("promote", "reject", "explain")


@pytest.mark.parametrize("command", WITH_VERSION)
@pytest.mark.parametrize("version", ["abc", "abcdef", "%%%%%%%", ""])
def test_an_unknown_version_is_said(call: Call, candidate: Release, command: str, version: str) -> None:
    done = call("evolve", command, version)
    assert (done.code, done.out) == (2, "")
    assert f"deployment 'things': of its versions, there is none that begins with {version!r}" in done.err


@pytest.mark.parametrize("command", ["status", "freeze", "rollback", "explain abcdef", "promote abcdef"])
def test_an_unknown_deployment_is_said_with_those_that_there_are(call: Call, deployed: Network, command: str) -> None:
    done = call("evolve", *command.split(), "--name", "thngs", "--json")
    assert done.code == 2 and "there is no deployment 'thngs'; there are: things" in done.json["error"]


def test_of_several_deployments_one_must_be_named(call: Call, store: Store, deployed: Network) -> None:
    begin(store, "others", deployed, actor="ann")
    done = call("evolve", "status")
    assert done.code == 2 and "--name says which of others, things" in done.err
    assert call("evolve", "status", "--name", "others", "--json").json["name"] == "others"


@pytest.mark.parametrize("command", ["status", "freeze", "rollback", "explain abcdef", "promote abcdef"])
def test_where_nothing_is_deployed_it_is_said(call: Call, store: Store, command: str) -> None:
    done = call("evolve", *command.split())
    assert done.code == 2 and "nothing is deployed in this store yet; `agentsym serve AGENT` does it" in done.err


def test_evolving_once_takes_a_deployment(call: Call) -> None:
    done = call("evolve", "once", NAME)
    assert done.code == 2 and "there is no deployment 'things'; `agentsym serve AGENT` makes one" in done.err


def test_watching_waits_for_the_deployment_to_begin(
    start: Callable[..., subprocess.Popen[str]], store: Store, agent: Network
) -> None:
    process = start("evolve", "watch", NAME, "--every", "0.1", "--json")
    assert process.stderr is not None and process.stdout is not None
    assert "there is no deployment 'things'" in process.stderr.readline()
    begin(store, "things", agent, actor="ann")
    assert json.loads(process.stdout.readline())["what"] == "waits"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and "there is no deployment" not in errors, "it is told once"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing.py",), "there is no such Python file"),
        ((NAME, "--policy", "none.yaml"), "none.yaml: the policy cannot be read"),
        ((NAME, "--policy", "bad.yaml"), "- learning.stepps: "),
        ((NAME, "--policy", "slip.yaml"), "allowed.frozen: agent 'things' has no parameter 'srot/rules'"),
        ((NAME, "--policy", "metric.yaml"), "none.py"),
        ((NAME, "--student", "nobody-knows-this"), "nobody-knows-this"),
        ((NAME, "--teacher", "nobody-knows-this"), "nobody-knows-this"),
        ((NAME, "--concurrency", "0"), "--concurrency"),
        ((NAME, "--store", "mysql://me:secret@host/db"), "mysql"),
    ],
)
@pytest.mark.parametrize("command", ["once", "watch"])
def test_what_cannot_be_used_is_said_before_anything_is_done(
    call: Call, place: Path, deployed: Network, command: str, arguments: tuple[str, ...], words: str
) -> None:
    (place / "bad.yaml").write_text("learning: {stepps: 3}")
    (place / "slip.yaml").write_text("allowed: {frozen: [srot/rules]}")
    (place / "metric.yaml").write_text("learning: {metric: 'none.py:fn'}")
    done = call("evolve", command, *arguments)
    assert done.code == 2 and words in done.err and "secret" not in done.err and done.out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watching_ends_when_it_is_told_to(
    start: Callable[..., subprocess.Popen[str]], store: Store, deployed: Network, number: signal.Signals
) -> None:
    process = start("evolve", "watch", NAME, "--every", "0.2", "--json")
    assert process.stdout is not None
    turn: dict[str, Any] = json.loads(process.stdout.readline())
    assert turn["what"] == "waits"
    store.releases.freeze("things", True, actor="ann")
    assert json.loads(process.stdout.readline())["what"] == "frozen"  # what stays the same is told once
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "") and "Traceback" not in errors
    assert "stopped; serving goes on, and nothing is learned until it is started again" in errors
    assert store.leases.holder("evolve things") is None


def test_watching_ends_when_nobody_reads_on(start: Callable[..., subprocess.Popen[str]], deployed: Network,
                                           store: Store) -> None:  # fmt: skip
    process = start("evolve", "watch", NAME, "--every", "0.2", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    store.releases.freeze("things", True, actor="ann")
    assert process.wait(timeout=30) == 0
    assert process.stderr is not None
    with process.stderr:
        assert "Traceback" not in process.stderr.read()


READING = ("evolve status", "evolve verify", "evolve explain abcdef", "tokens list")
CHANGING = ("evolve freeze", "tokens revoke ann")


@pytest.mark.parametrize("command", READING + CHANGING)
def test_a_mistyped_place_is_no_new_store(call: Call, place: Path, command: str) -> None:
    done = call(*command.split(), "--store", "typo.db")
    assert done.code == 2 and "there is no store at typo.db; name another with --store" in done.err
    assert not (place / "typo.db").exists()


def test_an_empty_database_of_a_server_is_no_store(call: Call, postgres_url: str) -> None:
    for _ in range(2):  # the first one has made no tables
        done = call("tokens", "list", "--store", postgres_url)
        assert done.code == 2 and "there is no store at postgresql://" in done.err
    Store.open(postgres_url).close()
    assert call("tokens", "list", "--store", postgres_url).code == 0


def test_once_that_is_interrupted_says_what_stays(
    call: Call, deployed: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentsym.deploy.evolution import watching

    async def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(20)

    monkeypatch.setattr(watching, "turn_once", interrupted)
    done = call("evolve", "once", NAME)
    assert done.code == 130
    said = done.err.replace("\n", " ")
    assert "what was learned so far stays in the store, and the next turn goes on" in said
