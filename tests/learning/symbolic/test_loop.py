"""What the combined algorithm learns from the failures of train, and what it leaves alone.

Everything runs through the trainer; only the student and the teacher are doubles.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agentsym.errors import UsageError
from agentsym.learning.protocols import Repair, Row
from agentsym.learning.symbolic.recipe import RECIPES, Recipe, recipe_named
from agentsym.network.edits import AddItem, Edit, SetParameter
from agentsym.store.store import Store
from tests.learning.symbolic.world import (
    NODES,
    TRAIN,
    VAL,
    WORLD,
    OneByOne,
    Teacher,
    Tracing,
    World,
    calls,
    learned,
    mind,
    rows,
    rules_of,
    states,
    trainer,
)


def test_each_failure_is_mended_where_it_arises_and_learning_ends_when_none_is_left(store: Store) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL).fit()
    assert run.status == "done" and run.reason == "nothing fails on train any more"
    assert learned(run.best) == {"read": [mind("a"), mind("both")], "sort": [mind("b"), mind("both")]}
    assert run.val == (0.25, 1.0) and run.best.version == run.head.version


def test_rows_that_fail_alike_cost_one_gradient_call_and_one_run_at_the_gate(store: Store) -> None:
    learning = trainer(store, WORLD, rows(["a"] * 10 + ["b"] * 6), optimizer=Recipe(regression=0))
    run = learning.fit()
    assert learning.parts.teacher.asked == {"blame": 2, "mend": 2}
    assert calls(run)["forward"] == 2 * (16 + 16) and calls(run)["gate"] == 2 * 2


def test_nothing_is_accepted_that_mends_no_failure(store: Store) -> None:
    teacher = Tracing(WORLD, instead={"a": ("be nice",), "b": ("be brief",)})
    run = trainer(store, WORLD, rows(["a", "b", "free"]), teacher=teacher, steps=4).fit()
    assert run.accepted == 0 and run.best.version == run.first.version
    assert {step.decision.reason for step in run.steps if step.decision} == {"no edit mends a failure without harm"}


HALF = World(needs={"a": ("read",), "b": ("sort",)}, harm={mind("b"): ("free",), "trojan": ("free",)})


def test_what_does_harm_is_dropped_and_what_helps_is_kept(store: Store) -> None:
    run = trainer(store, HALF, rows(["free", "a", "b"]), steps=1).fit()
    first = run.steps[0]
    assert learned(run.best) == {"read": [mind("a")], "sort": []}
    assert first.kept == (0,) and first.credit == {0: 1.0} and "1 of 2 changes" in str(first.decision)


def test_without_the_regression_gate_the_harm_gets_in(store: Store) -> None:
    recipe = Recipe(regression=0, explore=0.0)
    run = trainer(store, HALF, rows(["free", "a", "b"]), optimizer=recipe, steps=1).fit()
    assert learned(run.head) == {"read": [mind("a")], "sort": [mind("b")]}


@pytest.mark.parametrize("repeats", [1, 5])
def test_of_an_answer_with_a_right_and_a_harmful_edit_the_right_one_is_kept(store: Store, repeats: int) -> None:
    teacher = Tracing(HALF, extra={"a": ("trojan",)})
    run = trainer(store, HALF, rows(["free", "a"] * 4), teacher=teacher, repeats=repeats).fit()
    assert learned(run.best) == {"read": [mind("a")], "sort": []}


def test_what_rides_along_with_one_failure_and_mends_another_is_not_lost_unseen(store: Store) -> None:
    """The second edit of the first answer is what mends the other failure, whose own edit is of no use."""
    world = World(needs={"a": ("read",), "c": ("read",)})
    teacher = Tracing(world, extra={"a": (mind("c"),)}, instead={"c": ("no use",)})
    run = trainer(store, world, rows(["a", "c"] + ["free"] * 12), teacher=teacher, steps=1).fit()
    state = states(store, run)[-1]
    assert (mind("c") in learned(run.head)["read"]) != any("t1" in group["rows"] for group in state["groups"])


def test_edits_of_two_nodes_that_help_only_together_are_accepted_and_alone_they_are_not(store: Store) -> None:
    train = rows(["both", "free"])
    together = trainer(store, WORLD, train).fit()
    alone = trainer(store, WORLD, train, optimizer=Recipe(joint=False, explore=0.0), steps=3).fit()
    assert learned(together.best) == {"read": [mind("both")], "sort": [mind("both")]}
    assert alone.accepted == 0


class Turns(Tracing):
    """Knows the right rule of a node only at that node's step; else it says something without use."""

    def __init__(self, world: World, right: Mapping[str, int]) -> None:
        super().__init__(world)
        self.right = right

    async def mend(self, repair: Repair) -> Sequence[Edit]:
        step = len(repair.tried)
        right = step == self.right[repair.node]
        return [AddItem(path=f"{repair.node}/rules", item=mind("both") if right else f"no use {step}")]


def test_what_was_right_for_one_node_is_kept_in_mind_until_the_other_one_is_right(store: Store) -> None:
    run = trainer(store, WORLD, rows(["both", "free"]), teacher=Turns(WORLD, {"read": 0, "sort": 1})).fit()
    assert learned(run.best) == {"read": [mind("both")], "sort": [mind("both")]}
    never = trainer(store, WORLD, rows(["both", "free"]), teacher=Turns(WORLD, {"read": 0, "sort": 2}), steps=2).fit()
    assert never.accepted == 0  # only the last try is remembered


CONTRARY = World(
    needs={"a": ("read",), "b": ("sort",)},
    harm={mind("a"): ("b",), mind("b"): ("a",)},
)


def test_changes_that_spoil_what_the_other_mends_are_not_both_accepted(store: Store) -> None:
    """Each mends its own failure alone; taken together they mend nothing, however many other rows must hold."""
    run = trainer(store, CONTRARY, rows(["a", "b"] + ["free"] * 12), steps=1).fit()
    assert learned(run.head) != {"read": [mind("a")], "sort": [mind("b")]}


def test_what_passes_by_now_is_not_asked_about_again(store: Store) -> None:
    """Two failures of one cause: what was accepted for the first has mended the second."""
    world = World(needs={"a": ("read",)})
    train = (*rows(["a"]), Row(id="t1", inputs={"ticket": "t1 is a"}, expected={"label": "label a"}))
    teacher = Tracing(world)
    trainer(store, world, train, teacher=teacher, optimizer=Recipe(groups=1, explore=0.0)).fit()
    assert teacher.asked == {"blame": 1, "mend": 1}


def test_without_a_gate_one_of_the_answers_is_taken_all_the_same(store: Store) -> None:
    world = World(needs={"a": ("read",), "c": ("read",)})
    train = rows(["a", "c", "c", "free"])
    run = trainer(store, world, train, teacher=Rewriter(world), gate="always", steps=1).fit()
    assert learned(run.head)["read"] == [mind("c")]


class Counting(Tracing):
    """Writes the number of its answer to a node, and nothing of use."""

    async def mend(self, repair: Repair) -> Sequence[Edit]:
        self.asked[repair.node] += 1
        value = [{"text": f"try {self.asked[repair.node]}"}]
        return [SetParameter(path=f"{repair.node}/rules", value=value)]


def test_without_a_gate_nothing_of_an_earlier_step_comes_back(store: Store) -> None:
    world = World(needs={"h": (*NODES, "nobody")})
    run = trainer(store, world, rows(["h"]), teacher=Counting(world), gate="always", steps=2).fit()
    assert learned(run.head) == {"read": ["try 2"], "sort": ["try 2"]}


class Generous(Tracing):
    """Writes all there is to know into one text."""

    async def mend(self, repair: Repair) -> Sequence[Edit]:
        self.asked["mend"] += 1
        value = [{"text": mind(kind)} for kind in self.world.needs]
        return [SetParameter(path=f"{repair.node}/rules", value=value)]


def test_failures_that_pass_when_they_are_looked_at_again_are_mended(store: Store) -> None:
    world = World(needs={"a": ("read",), "c": ("read",)})
    teacher = Generous(world)
    run = trainer(
        store, world, rows(["a", "c"]), teacher=teacher, optimizer=Recipe(groups=1, explore=0.0), steps=4
    ).fit()
    assert run.reason == "nothing fails on train any more" and teacher.asked == {"blame": 1, "mend": 1}


def test_each_try_of_a_failure_looks_at_another_of_its_rows(store: Store) -> None:
    hopeless = World(needs={"h": ("nobody",)})
    teacher = Tracing(hopeless, instead={"h": ("no use",)})
    alike = tuple(row.model_copy(update={"expected": {"label": "label"}}) for row in rows(["h", "h"]))
    trainer(store, hopeless, alike, teacher=teacher, steps=3).fit()
    assert [repair.evidence[0].row.id for repair in teacher.repairs] == ["t0", "t1", "t0"]


def test_what_was_said_of_a_node_before_is_told_to_whoever_mends_it(store: Store) -> None:
    world = World(needs={"a": ("read",), "c": ("read",)})
    teacher = Tracing(world)
    recipe = Recipe(groups=1, explore=0.0)
    trainer(store, world, rows(["a", "a", "c"]), teacher=teacher, optimizer=recipe, steps=2).fit()
    assert [repair.before for repair in teacher.repairs] == [(), ("read does not know a",)]


def test_after_two_tries_in_vain_unseen_rows_come_first(store: Store) -> None:
    world = World(needs={"h": ("nobody",), "a": ("read",)})
    teacher = Tracing(world)
    train = rows(["h", "a", "free"])
    run = trainer(store, world, train, teacher=teacher, sampler=OneByOne(), steps=3).fit()
    assert [repair.evidence[0].row.id for repair in teacher.repairs] == ["t0", "t0", "t1"] and run.accepted == 1


def test_learning_ends_when_all_of_train_was_seen_to_pass_and_not_before(store: Store) -> None:
    run = trainer(store, WORLD, rows(["free", "a", "free"]), sampler=OneByOne()).fit()
    assert learned(run.best)["read"] == [mind("a")] and run.reason == "nothing fails on train any more"


def test_what_was_mended_by_a_change_that_had_to_go_is_looked_at_again(store: Store) -> None:
    """The half that is left mends nothing by itself, so it goes too, however many rows must hold."""
    world = World(needs={"both": NODES}, harm={f"sort: {mind('both')}": ("free",)})
    run = trainer(store, world, rows(["both"] + ["free"] * 12), steps=1).fit()
    assert run.accepted == 0


class Rewriter(Tracing):
    """Writes one text for a node, which names the kinds of the failures that it was shown first."""

    async def mend(self, repair: Repair) -> Sequence[Edit]:
        self.repairs.append(repair)
        (kind, *_) = dict.fromkeys(str(item.trajectory.inputs["ticket"]).split()[-1] for item in repair.evidence)
        known = rules_of(repair.network, repair.node)
        value = [{"text": text} for text in (*known, mind(kind))]
        return [SetParameter(path=f"{repair.node}/rules", value=value)]


def test_of_answers_of_which_one_can_be_taken_the_one_that_mends_most_rows_is_taken_first(store: Store) -> None:
    world = World(needs={"a": ("read",), "c": ("read",)})
    run = trainer(store, world, rows(["a", "c", "c", "free"]), teacher=Rewriter(world), steps=1).fit()
    assert learned(run.head)["read"] == [mind("c")]
    done = trainer(store, world, rows(["a", "c", "c", "free"]), teacher=Rewriter(world)).fit()
    assert sorted(learned(done.best)["read"]) == [mind("a"), mind("c")]


def test_a_teacher_with_the_papers_three_questions_is_asked_node_by_node(store: Store) -> None:
    teacher = Teacher(WORLD)
    run = trainer(store, WORLD, TRAIN, val=VAL, teacher=teacher).fit()
    assert run.val == (0.25, 1.0) and set(teacher.asked) == {"gradient", "propose"}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_learns(store: Store, name: str) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL, optimizer=name, steps=16).fit()
    assert run.val is not None and run.val[1] >= 0.75 and run.config["optimizer"] == name


def test_the_recipes_are_chosen_by_name() -> None:
    assert recipe_named("gepa").blame == "turns" and recipe_named("textgrad").blame == "nodes"
    with pytest.raises(UsageError, match="there is no recipe 'nobody'; there are: symbolic, textgrad, gepa"):
        recipe_named("nobody")


@pytest.mark.parametrize(
    ("way", "accepted"), [("trajectory", True), ("nodes", True), ("shuffled", False), ("last", False)]
)
def test_blame_for_the_wrong_node_learns_nothing(store: Store, way: Any, accepted: bool) -> None:
    world = World(needs={"a": ("read",)})
    run = trainer(store, world, rows(["a", "free"]), optimizer=Recipe(blame=way, explore=0.0), steps=2).fit()
    assert bool(run.accepted) is accepted


def test_a_failure_that_does_not_come_back_is_no_failure_for_a_noisy_student(store: Store) -> None:
    flaky = World(needs={}, flaky={"t0": frozenset(range(1, 100))})
    teacher = Tracing(flaky)
    run = trainer(store, flaky, rows(["a", "free"]), teacher=teacher, repeats=5, steps=2).fit()
    assert not teacher.asked and run.accepted == 0


def test_a_noisy_student_learns_from_failures_that_come_back(store: Store) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL, repeats=5).fit()
    assert run.val == (0.25, 1.0)
