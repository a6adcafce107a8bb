"""What a run teaches follows from its events: what mended, what was in vain, what harmed, what was taken back."""

from typing import Any

import pytest

from agentsym.learning.memory.history import Bases, lessons_of
from agentsym.learning.memory.lesson import Lesson
from agentsym.learning.protocols import Decision, Proposal, Scores, Trial, Update
from agentsym.learning.run import Run
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.network.edits import DropEdge
from agentsym.network.records import LossReport, Trajectory
from agentsym.store.store import Store
from tests.learning.symbolic.world import TRAIN, VAL, WORLD, Tracing, World, agent, change, forked, mind, rows, trainer

HALF = World(needs={"a": ("read",), "b": ("sort",)}, harm={mind("b"): ("free",), "trojan": ("free",)})
LATE = World(needs={"a": ("read",), "b": ("sort",)}, harm={mind("b"): ("other",)})


def taught(store: Store, run: Run[Any]) -> tuple[Lesson, ...]:
    return lessons_of(store, store.run(run.id), Bases(store))


def fates(lessons: tuple[Lesson, ...]) -> dict[str, str]:
    return {lesson.edit: lesson.fate for lesson in lessons}


def test_what_mended_is_kept_with_its_credit_and_the_situation_that_it_was_for(store: Store) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL).fit()
    lessons = taught(store, run)
    assert {lesson.edit for lesson in lessons if lesson.helped} == {
        f"add_rule: {mind(kind)}" for kind in ("a", "b", "both")
    }
    first = next(lesson for lesson in lessons if lesson.edit.endswith(mind("a")))
    assert (first.run, first.agent, first.fate, first.credit) == (run.id, "tickets", "kept", 1.0)
    assert first.situation.kind == "rules" and first.situation.fault == "read does not know a"
    assert first.situation.task == "Read it. (ticket → fact)"


def test_what_did_harm_lies_below_what_helped(store: Store) -> None:
    lessons = taught(store, trainer(store, HALF, rows(["free", "a", "b"]), steps=1).fit())
    assert fates(lessons) == {f"add_rule: {mind('a')}": "kept", f"add_rule: {mind('b')}": "harmful"}
    helped, harmful = lessons
    assert helped.advantage > 0 > harmful.advantage and harmful.credit == 0.0


def test_what_answered_the_same_failure_in_vain_is_its_rival(store: Store) -> None:
    teacher = Tracing(WORLD, instead={"b": ("be nice",)})
    lessons = taught(store, trainer(store, WORLD, rows(["a", "b"]), teacher=teacher, steps=3).fit())
    vain = [lesson for lesson in lessons if lesson.edit == "add_rule: be nice"]
    assert [lesson.fate for lesson in vain] == ["vain"] * 3
    assert {lesson.advantage for lesson in vain} == {0.0}, "nobody found anything better for it"


@pytest.mark.parametrize("val", [["a", "b", "other", "other"], ["a", "a", "b", "other"]], ids=["no gain", "a gain"])
def test_what_validation_took_back_is_no_help_and_what_it_spared_is(store: Store, val: list[str]) -> None:
    run = trainer(store, LATE, rows(["a", "b", "free"]), val=rows(val, "v"), steps=1).fit()
    assert "validate_again" in [event.kind for event in store.events(run.id)]
    found = taught(store, run)
    assert fates(found) == {f"add_rule: {mind('a')}": "kept", f"add_rule: {mind('b')}": "taken back"}
    back = next(lesson for lesson in found if lesson.fate == "taken back")
    assert back.credit == 1.0 and back.warns and not back.helped


def test_what_broke_a_row_and_gained_more_is_kept(store: Store) -> None:
    run = trainer(store, LATE, rows(["b", "free"]), val=rows(["b", "b", "other"], "v"), steps=1).fit()
    assert "harmless" in [event.kind for event in store.events(run.id)] and run.val == pytest.approx((1 / 3, 2 / 3))
    assert fates(taught(store, run)) == {f"add_rule: {mind('b')}": "kept"}


def test_changes_that_teach_nothing_count_when_validation_names_others_by_number(store: Store) -> None:
    base, trajectory = agent(), Trajectory(id="t", version=agent().version, example_id="t0", inputs={})
    move = Update(
        parameter="structure", status="committed", edits=(DropEdge(source="read", target="sort"),), groups=("t0",)
    )
    changes = (move, change("read", "one", "t0"), change("sort", "two", "t0"))
    loss = LossReport(example_id="t0", score=0.0, text="wrong")
    yes, no = (Decision(accept=accept, reason="so") for accept in (True, False))
    trial = Trial(candidate="c", before=Scores(), after=Scores(), decision=yes, kept=(0, 1, 2), credit={1: 1.0, 2: 1.0})
    store.append("r", "run", {"agent": "tickets", "config": {}})
    store.append("r", "version", {"hash": base.version, "content": base.model_dump(mode="json")})
    store.append("r", "trajectory", {"trajectory": trajectory, "phase": "forward", "step": 0})
    store.append("r", "forward", {"step": 0, "losses": [loss]})
    for kind, value in (("proposal", Proposal(updates=changes)), ("gate", trial)):
        store.append("r", kind, {"value": value})
    for kind, data in (
        ("validate", {"decision": no}),
        ("harmless", {"kept": [1]}),
        ("validate_again", {"decision": no}),
    ):
        store.append("r", kind, {"value": data})
    assert fates(lessons_of(store, store.run("r"), Bases(store))) == {
        "add_rule: one": "kept",
        "add_rule: two": "taken back",
    }


def test_what_was_given_up_with_all_that_came_with_it_is_taken_back(store: Store) -> None:
    run = trainer(store, LATE, rows(["b", "free"]), val=rows(["other"] * 4, "v"), steps=1).fit()
    assert fates(taught(store, run)) == {f"add_rule: {mind('b')}": "taken back"}


def test_no_text_of_validation_or_must_pass_rows_is_in_a_lesson(store: Store) -> None:
    val = rows(["a", "b", "other", "other"], "secretval")
    must = rows(["free", "other"], "secretmust")
    run = trainer(store, LATE, rows(["a", "b", "free"]), val=val, must_pass=must, steps=3).fit()
    lessons = taught(store, run)
    assert lessons and not any("secret" in lesson.model_dump_json() for lesson in lessons)


def test_moves_of_the_pipeline_teach_nothing_and_do_not_confuse_the_count(store: Store) -> None:
    world = World(needs={"c": ("check",), "a": ("read",)})
    run = trainer(store, world, rows(["c", "a"]), val=rows(["c", "a"], "v"), steps=8, **forked()).fit()
    assert "check" in [node.id for node in run.best.nodes]
    assert fates(taught(store, run))[f"add_rule: {mind('a')}"] == "kept"
    assert all("add_node" not in lesson.edit for lesson in taught(store, run))


def test_lessons_are_the_same_after_everything_derived_was_derived_anew(store: Store) -> None:
    runs = [trainer(store, world, TRAIN, val=VAL).fit() for world in (WORLD, HALF)]
    before = [taught(store, run) for run in runs]
    store.rebuild()
    assert all(before) and [taught(store, run) for run in runs] == before


def test_a_run_of_another_algorithm_teaches_nothing(store: Store) -> None:
    run = trainer(store, WORLD, rows(["a", "b"]), optimizer="paper", comments="metric", steps=1).fit()
    assert taught(store, run) == ()
    assert store.ended_runs("tickets", having="blame", lacking="forget", most=9) == ()


def test_an_answer_for_several_failures_is_credited_with_the_mean(store: Store) -> None:
    recipe = Recipe(explore=0.0, per="node")
    lessons = taught(store, trainer(store, WORLD, rows(["a", "both"]), optimizer=recipe, steps=1).fit())
    assert all(0.0 <= lesson.credit <= 1.0 for lesson in lessons)
