"""Which version is the best one, and which is learned on: late validation, the Pareto front, a new pipeline.

Everything runs through the trainer; only the student and the teacher are doubles.
"""

import pytest

from agentsym.learning.symbolic.recipe import Recipe
from agentsym.store.store import Store
from tests.learning.symbolic.world import (
    TRAIN,
    VAL,
    WORLD,
    OneByOne,
    Tracing,
    World,
    forked,
    learned,
    mind,
    rows,
    states,
    trainer,
)

RIVALS = World(needs={"a": ("read",), "x": ("sort",), "h": ("nobody",)}, harm={mind("a"): ("p",), mind("x"): ("q",)})


CONTESTED = rows(["a", "a", "x", "x", "p", "q"], "v")  # each of the two rules wins two rows and loses one


def test_validation_waits_until_train_says_that_it_is_worth_it(store: Store) -> None:
    """One failure a step, of ten: validated when every tenth more of train passes, and after three accepts at most."""
    needs = {f"k{at}": ("read",) for at in range(6)}
    train = rows([*needs, *["free"] * 54])
    recipe = Recipe(rows=60, groups=1, explore=0.0, rise=1.0, accepts=3)
    run = trainer(store, World(needs), train, val=rows(["k0", "free"], "v"), optimizer=recipe, steps=6).fit()
    assert [step.validated is not None for step in run.steps] == [False, False, True, False, False, True]
    recipe = recipe.model_copy(update={"rise": 0.03, "accepts": 100})
    run = trainer(store, World(needs), train, val=rows(["k0", "free"], "v"), optimizer=recipe, steps=6).fit()
    assert [step.validated is not None for step in run.steps] == [False, True, False, True, False, True]
    recipe = recipe.model_copy(update={"rise": 1.0})
    run = trainer(store, World(needs), train, val=rows(["k0", "free"], "v"), optimizer=recipe, steps=7).fit()
    assert [step.validated is not None for step in run.steps] == [*[False] * 5, True, False]  # nothing fails any more


def test_validation_comes_where_learning_is_stuck(store: Store) -> None:
    """What was accepted may be what stands in the way."""
    world = World({"k": ("read",), "h": ("nobody",)})
    recipe = Recipe(groups=1, explore=0.0, rise=1.0, accepts=100, stagnation=2)
    train = rows(["k", "k", "h", "free"])
    run = trainer(store, world, train, val=rows(["k", "free"], "v"), optimizer=recipe, steps=5).fit()
    assert [step.validated is not None for step in run.steps] == [False, False, True, False, False]


def test_what_was_accepted_last_is_validated_at_the_end(store: Store) -> None:
    needs = {f"k{at}": ("read",) for at in range(3)}
    recipe = Recipe(rows=30, groups=1, explore=0.0, rise=1.0, accepts=100)
    run = trainer(
        store, World(needs), rows([*needs, *["free"] * 27]), val=rows(needs, "v"), optimizer=recipe, steps=2
    ).fit()
    assert run.best.version == run.head.version and run.val == (0.0, pytest.approx(2 / 3))


def test_a_head_that_is_worse_than_the_best_version_is_given_up(store: Store) -> None:
    """What is right for train is wrong for validation, and no part of it helps there."""
    world = World(needs={"a": ("read",)}, harm={mind("a"): ("other",)})
    val = rows(["other"] * 9, "v")
    run = trainer(store, world, rows(["a", "free"]), val=val, steps=1).fit()
    assert run.best.version == run.head.version == run.first.version
    assert run.accepted and run.steps[0].validated is not None and not run.steps[0].validated.accept


def test_a_change_that_breaks_validation_is_taken_back_and_the_others_stay(store: Store) -> None:
    world = World(needs={"a": ("read",), "b": ("sort",)}, harm={mind("b"): ("other",)})
    run = trainer(store, world, rows(["a", "b", "free"]), val=rows(["a", "other", "other"], "v"), steps=1).fit()
    assert learned(run.best) == {"read": [mind("a")], "sort": []} and run.head.version == run.best.version
    assert run.val == (pytest.approx(2 / 3), 1.0)
    assert run.steps[0].validated is not None and run.steps[0].validated.accept  # as it stands after that
    state = states(store, run)[-1]
    assert state["groups"] == state["passing"] == []  # what was known was known of another version


def test_how_much_of_train_passes_is_found_anew_where_learning_goes_on_from_another_version(store: Store) -> None:
    """Else the rate of a version that nobody has run would be the one to beat, and no rise would ever be seen."""
    world = World(needs={"a": ("read",), "b": ("read",), "c": ("sort",)}, harm={mind("c"): ("other",)})
    recipe = Recipe(groups=1, explore=0.0, accepts=1)
    train = rows(["c", "a", "b", "free"])
    run = trainer(store, world, train, val=rows(["a", "other"], "v"), optimizer=recipe, steps=2).fit()
    first, taken_back, *_ = states(store, run)
    assert taken_back["head"] == first["head"] and taken_back["validated_rate"] == -1.0
    assert states(store, run)[2]["validated_rate"] != 1.0


def test_what_validation_takes_back_is_told_to_the_teacher_as_tried_in_vain(store: Store) -> None:
    world = World(needs={"a": ("read",)}, harm={mind("a"): ("other",)})
    teacher = Tracing(world)
    trainer(store, world, rows(["a", "free"]), val=rows(["other"], "v"), teacher=teacher, steps=2).fit()
    first, second = teacher.repairs
    assert first.tried == ()
    (tried,) = second.tried
    assert mind("a") in tried and "broke what was right" in tried


def test_what_stays_although_it_cost_a_row_is_not_called_in_vain(store: Store) -> None:
    run = trainer(store, RIVALS, rows(["a", "free"]), val=CONTESTED, steps=1).fit()
    assert learned(run.head)["read"] == [mind("a")] and states(store, run)[-1]["attempts"] == {}


def test_a_row_that_must_pass_keeps_a_version_from_becoming_the_best(store: Store) -> None:
    world = World(needs={"a": ("read",)}, harm={mind("a"): ("precious",)})
    must_pass = rows(["precious"], "m")
    more = {"val": rows(["a"], "v"), "must_pass": must_pass, "steps": 2}
    run = trainer(store, world, rows(["a", "free"]), **more).fit()
    assert run.best.version == run.first.version and "without harm" in str(run.steps[0].decision)
    run = trainer(store, world, rows(["a", "free"]), **more, optimizer=Recipe(regression=0, explore=0.0)).fit()
    assert run.best.version == run.first.version and "must-pass" in str(run.steps[0].validated)


def test_one_edit_that_breaks_a_must_pass_row_does_not_cost_the_good_ones(store: Store) -> None:
    world = World(needs={"a": ("read",), "b": ("sort",)}, harm={mind("a"): ("precious",)})
    more = {"val": rows(["a", "b"], "v"), "must_pass": rows(["precious"], "m"), "steps": 3}
    run = trainer(store, world, rows(["a", "b", "free"]), **more).fit()
    assert learned(run.best) == {"read": [], "sort": [mind("b")]}


def test_no_validation_row_is_ever_shown_to_the_teacher(store: Store) -> None:
    world = World(needs={"a": ("read",), "b": ("sort",)}, harm={mind("b"): ("other",)})
    teacher = Tracing(world)
    trainer(store, world, rows(["a", "b", "free"]), val=rows(["a", "other"], "v"), teacher=teacher).fit()
    shown = {item.row.id for repair in teacher.repairs for item in repair.evidence}
    assert shown and not any(row.startswith("v") for row in shown)


def test_without_validation_the_head_is_the_best_version_after_every_step(store: Store) -> None:
    needs = {f"k{at}": ("read",) for at in range(3)}
    recipe = Recipe(rows=30, groups=1, rise=1.0, accepts=100)
    run = trainer(store, World(needs), rows([*needs, *["free"] * 27]), optimizer=recipe, steps=3).fit()
    assert [state["best"] == state["head"] for state in states(store, run)] == [True] * 4 and run.accepted == 3


def test_the_target_ends_the_run_once_validation_reaches_it(store: Store) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL, target=0.9).fit()
    assert "target of 0.9" in run.reason and run.val is not None and run.val[1] >= 0.9


def test_learning_goes_on_from_another_version_of_the_front_now_and_then(store: Store) -> None:
    def heads(explore: float) -> set[str]:
        """Return which version is gone on from after the first was accepted, in some seeds."""
        runs = [
            trainer(
                store, RIVALS, rows(["a"]), val=CONTESTED, optimizer=Recipe(explore=explore), steps=1, seed=seed
            ).fit()
            for seed in range(4)
        ]
        assert {learned(run.best)["read"][0] for run in runs} == {mind("a")}
        return {"the first" if run.head.version == run.first.version else "the best" for run in runs}

    assert heads(0.0) == {"the best"} and heads(1.0) == {"the first", "the best"}


def test_two_versions_that_are_best_at_different_rows_are_joined_where_learning_is_stuck(store: Store) -> None:
    """With this seed learning goes on from the first version after each of the two rules."""
    teacher = Tracing(RIVALS)
    run = trainer(
        store,
        RIVALS,
        rows(["a", "x", "h"]),
        val=CONTESTED,
        teacher=teacher,
        sampler=OneByOne(),
        optimizer=Recipe(explore=1.0, stagnation=1),
        seed=2,
        steps=4,
    ).fit()
    assert learned(run.best) == {"read": [mind("a")], "sort": [mind("x")]}
    assert run.val == (pytest.approx(2 / 6), pytest.approx(4 / 6)) and run.accepted == 2
    assert teacher.asked == {"blame": 3, "mend": 3}  # the joined version costs no call of the teacher
    parents = {event.data["hash"]: event.data["parent"] for event in store.events(run.id, kind="version")}
    assert parents[parents[run.best.version]] == run.first.version
    assert states(store, run)[-1]["parents"] == {name: parent for name, parent in parents.items() if parent}


CHECKED = World(needs={"c": ("check",)})


def test_where_edits_of_nodes_have_stopped_to_help_the_pipeline_is_changed(store: Store) -> None:
    teacher = Tracing(CHECKED, instead={"c": ("no use",)})
    run = trainer(store, CHECKED, rows(["c", "free"]), teacher=teacher, **forked()).fit()
    assert run.status == "done" and "check" in [node.id for node in run.best.nodes]
    assert teacher.asked["redesign"] == 2  # drafts of one move
    assert [step.decision is not None and step.decision.accept for step in run.steps][:3] == [False, False, True]
    assert set(teacher.redesigns[0].critiques) == {"sort: sort does not know c"}


def test_a_pipeline_that_may_not_be_learned_stays_as_it_is(store: Store) -> None:
    teacher = Tracing(CHECKED, instead={"c": ("no use",)})
    run = trainer(store, CHECKED, rows(["c", "free"]), teacher=teacher, optimizer=Recipe(stagnation=1), steps=4).fit()
    assert run.accepted == 0 and teacher.asked["redesign"] == 0


def test_moves_of_the_pipeline_and_edits_of_nodes_take_turns_while_nothing_helps(store: Store) -> None:
    hopeless = World(needs={"c": ("nobody",)})
    teacher = Tracing(hopeless, instead={"c": ("no use",)})
    more = forked()
    run = trainer(store, hopeless, rows(["c", "free"]), teacher=teacher, steps=6, **more).fit()
    moves = [any(u.parameter == "structure" for u in step.proposal.updates) for step in run.steps]
    assert moves == [False, False, True, False, True, False]
    assert teacher.redesigns[0].tried == () and len(teacher.redesigns[2].tried) == 1
