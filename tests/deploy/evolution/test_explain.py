"""Why a version is what it is: its changes, the critiques and edits of the run, the evaluation, and what happened."""

from __future__ import annotations

import pytest

from agentsym.deploy.beginning import begin
from agentsym.deploy.evolution.explain import MOST, explain
from agentsym.deploy.evolution.shadow import Evaluation, Gain
from agentsym.errors import UsageError
from agentsym.learning.trainer import Trainer
from agentsym.network.edits import AddItem
from agentsym.network.network import Network
from agentsym.network.records import Trajectory
from agentsym.store.live.lifecycle import Release
from agentsym.store.live.traces import Trace, example_id_of
from agentsym.store.store import Store
from tests.deploy.conftest import things

MEASURED = Evaluation(
    n=40, base=0.5, candidate=0.75, gain=Gain(mean=0.25, low=0.1, high=0.4), hoped=0.25, unjudged=0, must_pass=6,
    regressions=(), unevaluable=0, cost_ratio=1.1, latency_ratio=1.0, verdict="promote",
    reasons=("gain +0.250 on 40 rows, no must-pass row broke",),
)  # fmt: skip


ROWS = [
    {"text": word, "kind": kind}
    for kind, words in {"fruit": "fig lemon", "tool": "spade awl", "animal": "cow owl"}.items()
    for word in words.split()
]


@pytest.fixture
def candidate(store: Store) -> Release:
    """A version that a real run has learned; compared and promoted by hand."""
    begin(store, "things", things, actor="ann")
    run = Trainer(things, ROWS, val=(), student="embedded", teacher="embedded", store=store, steps=3).fit()
    assert run.best.version != things.version
    releases = store.releases
    made = releases.propose("things", run.best, parent=things.version, actor="evolution", details={"run": run.id})
    for state in ("validated", "shadow"):
        made = releases.move(made, state, actor="evolution", reason="fine")  # type: ignore[arg-type]
    measured = {"shadow": MEASURED.model_dump(mode="json")}
    made = releases.move(made, "held", actor="evolution", reason="a person decides", details=measured)
    releases.promote(made, expected=things.version, actor="ann", reason="looks right")
    return releases.release("things", run.best.version)


def test_everything_that_led_to_a_version_is_told(store: Store, candidate: Release) -> None:
    found = explain(store, "things", candidate.version[:8])
    assert found.release == candidate and found.run == candidate.details["run"] and found.shadow is not None
    assert any(said.startswith("sort: ") and "was wanted" in said for said in found.critiques)
    assert len(set(found.critiques)) == len(found.critiques) <= MOST
    assert [entry.event for entry in found.history] == ["proposed", "validated", "shadow", "held", "promoted"]
    text = found.text()
    for words in (
        f"{candidate.version[:12]} of things: live (looks right)",
        f"learned from {things.version[:12]} by run {found.run}",
        "What was said of runs that failed (gradients)\n  sort: ",
        "40 rows: 0.500 → 0.750, gain +0.250",
        "6 must-pass rows, 0 regressions; tokens × 1.10",
        "gain +0.250 on 40 rows, no must-pass row broke",
        "ann: promoted (looks right)",
        "evolution: held (a person decides)",
    ):
        assert words in text, words
    assert text.index("What it changes") < text.index("Shadow evaluation") < text.index("What happened")


def test_each_proposal_is_told_with_what_became_of_it(store: Store, candidate: Release) -> None:
    edits = explain(store, "things", candidate.version).edits
    learned = [each for each in edits if each.startswith("accepted: sort/")]
    assert learned and any("`tool`" in each or '"tool"' in each for each in learned)
    assert all(each.partition(":")[0] in ("accepted", "rejected", "harmful", "refused", "unchanged") for each in edits)


def test_broken_questions_are_shown_while_their_traces_are_there(store: Store, candidate: Release) -> None:
    held = Trajectory(id="t1", version=things.version, inputs={"text": "a saw"}, output={"kind": "tool"})
    named = {"id": "t1", "deployment": "things", "version": things.version, "thread": "t", "at": "2026-05-01"}
    store.traces.add([Trace(**named, example_id=example_id_of(held.inputs), trajectory=held)])
    worse = things.apply([AddItem(path="sort/rules", item="A saw is an `animal`.")])
    made = store.releases.propose("things", worse, parent=candidate.version, actor="evolution")
    lost = MEASURED.model_copy(update={"regressions": (example_id_of(held.inputs), "gone")})
    shadow = {"shadow": lost.model_dump(mode="json")}
    store.releases.move(made, "rejected", actor="evolution", reason="it broke two", details=shadow)
    found = explain(store, "things", worse.version)
    assert found.broken == (f'{example_id_of(held.inputs)}: {{"text": "a saw"}} (trace t1)',)
    assert "  broken: " in found.text()


def test_the_first_version_has_no_story(store: Store, candidate: Release) -> None:
    found = explain(store, "things", things.version)
    assert (found.changes, found.run, found.critiques, found.edits, found.shadow) == ("", None, (), (), None)
    assert [entry.event for entry in found.history] == ["deployed", "promoted"]
    assert "What it changes\n  nothing\n" in found.text() and "gradients" not in found.text()


def test_a_version_that_is_live_again_tells_of_the_one_that_was_taken_back(store: Store, candidate: Release) -> None:
    old, new = things.version, candidate.version
    store.releases.roll_back("things", expected=new, to=old, actor="bob", reason="it was worse")
    found = explain(store, "things", old)
    assert [entry.event for entry in found.history] == ["deployed", "promoted", "rolled_back"]
    assert f"ann: {new[:12]} promoted (looks right)" in found.text()
    assert f"bob: {new[:12]} rolled_back (it was worse)" in found.text() and "ann: deployed" in found.text()
    assert "bob: rolled_back (it was worse)" in explain(store, "things", new).text()
    files = Network.model_validate(things.model_dump()).replace(description="mended")
    store.releases.take("things", files, expected=old, actor="ann")
    assert explain(store, "things", old).history[-1].event == "taken over"
    assert [entry.event for entry in explain(store, "things", files.version).history] == ["taken over"]


def test_a_version_whose_run_is_not_in_the_store_is_told_without_it(store: Store) -> None:
    begin(store, "things", things, actor="ann")
    other = Network.model_validate(things.model_dump()).replace(description="other")
    store.releases.propose("things", other, parent=things.version, actor="evolution", details={"run": "elsewhere"})
    found = explain(store, "things", other.version)
    assert found.run == "elsewhere" and found.critiques == () and "What was proposed" not in found.text()


def test_an_unknown_version_is_said(store: Store, candidate: Release) -> None:
    with pytest.raises(UsageError, match="there is none that begins with 'abcdef'"):
        explain(store, "things", "abcdef")
