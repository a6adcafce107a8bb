"""The course of a run: steps with their candidates and calls, the points of the curve, and how versions came to be."""

from pathlib import Path

import pytest

from agentsym.learning.course import TOLD_BY, StepRecord, read_course
from agentsym.learning.protocols import Decision, Proposal, Update
from agentsym.learning.run import Run
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.network.edits import AddItem
from agentsym.store.store import Store
from tests.learning.dying import killed
from tests.learning.symbolic.world import TRAIN, VAL, WORLD, Tracing, agent, opened, rows, trainer


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return opened(tmp_path)


def test_every_version_has_its_origin_and_every_accepted_step_its_candidate(store: Store) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL).fit()
    versions = {version.hash: version for version in run.course.versions}
    assert [v.hash for v in store.versions(run.id)] == list(versions)
    assert [v.how for v in versions.values()] == ["first", *["accepted"] * (len(versions) - 1)]
    accepted = [step for step in run.steps if step.decision is not None and step.decision.accept]
    assert [(v.hash, v.parent, v.step) for v in list(versions.values())[1:]] == [
        (step.candidate, step.base, step.step) for step in accepted
    ]


def test_the_points_are_those_of_the_checkpoints(store: Store) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL).fit()
    events = list(store.events(run.id, kind="checkpoint"))
    done = {event.data["state"]["step"]: event.data["summary"]["calls"] for event in events}
    assert {point.step: point.calls for point in run.course.points} == done
    assert (run.course.points[0].val, run.course.points[-1].val) == run.val == (0.25, 1.0)
    assert run.course.versions[0].val == 0.25
    assert dict(run.course.best_val) == {row.id: 1.0 for row in VAL}
    assert [step.calls for step in run.steps] == [point.calls for point in run.course.points[1:]]


def test_without_validation_the_points_have_no_score(store: Store) -> None:
    run = trainer(store, WORLD, TRAIN).fit()
    assert {point.val for point in run.course.points} == {None} and run.course.best_val == {}


def test_what_validation_took_back_is_told_as_such(store: Store) -> None:
    harmful = Tracing(WORLD, extra={"a": ("trojan",)})
    train = rows(["a", "b", "both"] * 2)
    run = trainer(store, WORLD, train, val=VAL, teacher=harmful, optimizer=Recipe(explore=0.0, prune=False)).fit()
    assert "reverted" in [version.how for version in run.course.versions]
    assert run.course.versions[-1].how == "reverted" or run.val == (0.25, 1.0)


def test_versions_that_were_joined_are_told_as_merged(store: Store) -> None:
    joined = agent().apply([AddItem(path="read/rules", item="mind a")])
    run = trainer(store, WORLD, TRAIN, val=VAL).fit()
    events = [event for event in store.events(run.id) if event.kind in TOLD_BY]
    first = next(at for at, event in enumerate(events) if event.kind == "checkpoint")
    version = next(event for event in events if event.kind == "version")
    data = {**version.data, "hash": joined.version, "parent": run.first.version}
    merged = version.model_copy(update={"data": data})  # as a crossing writes it: before any phase of its step
    course = read_course([*events[: first + 1], merged, *events[first + 1 :]])
    assert {v.hash: v.how for v in course.versions}[joined.version] == "merged"


def test_the_validation_after_all_steps_belongs_to_the_last_one(store: Store) -> None:
    late = Recipe(explore=0.0, groups=1, rise=2.0, accepts=99)
    run = trainer(store, WORLD, TRAIN, val=VAL, optimizer=late, steps=1).fit()
    assert len(list(store.events(run.id, kind="checkpoint"))) == 3  # before, after the step, after the validation
    assert [point.step for point in run.course.points] == [0, 1] and len(run.steps) == 1
    assert run.steps[0].validated is not None and run.steps[0].val == run.course.points[-1].val == run.val[1]  # type: ignore[index]
    assert run.steps[0].rows == len(TRAIN) and run.steps[0].decision is not None


@pytest.mark.parametrize("life", [3, 5, 9])
def test_a_run_that_was_killed_has_the_course_until_then(tmp_path: Path, life: int) -> None:
    with killed(tmp_path, life, lambda dying: trainer(dying, WORLD, TRAIN, val=VAL).fit()) as store:
        run = Run.read(store, store.run("last").id)
    assert run.status == "running"
    assert len(run.course.points) == (len(run.steps) + 1 if run.reached else 0)


def test_a_step_tells_what_was_proposed_now_or_kept_and_its_validation_has_the_last_word() -> None:
    yes, no = (Decision(accept=accept, reason="", before=0.0, after=1.0) for accept in (True, False))
    new, kept, tried = (Update(parameter=name, status="committed", earlier=name != "a") for name in "abc")
    step = StepRecord(0, 1, 0.0, Proposal(updates=(new, kept, tried)), decision=yes, kept=(1,))
    assert [at for at, _ in step.updates()] == [0, 1]
    assert [at for at, _ in step._replace(decision=no).updates()] == [0]
    assert step.accepted and step.held
    assert not step._replace(validated=no).held and step._replace(validated=no).accepted
    assert not step._replace(decision=None).accepted
