"""The gates keep what mends a failure and breaks nothing: no edit is believed, and none is dropped for another's sake.

The student is a double of a remote model that does what its rules say; rows, runs and scores are those of the trainer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from agentsym import Agent
from agentsym.learning.protocols import Row, Update
from agentsym.learning.symbolic.gates import FixGate, Mended, RegressionGate, spread
from agentsym.learning.training import Training
from agentsym.network.edits import DropItem, SetParameter
from agentsym.store.store import Store
from tests.learning.symbolic.world import Student, World, agent, cases, change, mind, rows, training

WORLD = World(
    needs={"a": ("read",), "b": ("sort",), "both": ("read", "sort")},
    harm={"poison": ("a", "b", "both", "free"), "spoils a": ("a",), "spoils free": ("free",)},
)


async def fixed(
    store: Store,
    kinds: Sequence[str],
    changes: Sequence[Update],
    *,
    world: World = WORLD,
    base: Agent | None = None,
    joint: bool = True,
    repeats: int = 1,
) -> tuple[Mended, Student]:
    """Try changes on failing tickets `t0`, `t1` …; returns what the gate found, and the student with its count."""
    student = Student(world)
    learning = training(store, student, rows(kinds), repeats=repeats, **({"agent": base} if base else {}))
    failures = await cases(learning, learning.agent, learning.sets.train)
    student.asked.clear()
    found = await FixGate(learning, joint=joint, most=repeats)(learning.agent, changes, failures)
    return found, student


async def test_a_change_is_kept_for_mending_a_failure_that_it_answers_and_for_nothing_else(store: Store) -> None:
    changes = [change("read", mind("a"), "t0"), change("sort", "be nice", "t1"), change("sort", mind("b"), "t0")]
    found, _ = await fixed(store, ["a", "both"], changes)
    assert found.kept == (0, 2)  # what answers the same failure shares the credit: only together they were tried
    assert found.scores == {"t0": 1.0, "t1": 0.0}


async def test_nothing_is_kept_where_no_failure_is_mended(store: Store) -> None:
    found, _ = await fixed(store, ["a"], [change("read", "be nice", "t0"), change("sort", mind("a"), "t0")])
    assert found.kept == ()


async def test_all_changes_are_tried_together_first_and_that_is_all_where_it_mends_everything(store: Store) -> None:
    changes = [change("read", mind("a"), "t0"), change("sort", mind("b"), "t1")]
    found, student = await fixed(store, ["a", "b"], changes)
    assert found.kept == (0, 1) and student.asked == {"t0": 2, "t1": 2}  # one run of two nodes each


async def test_changes_of_two_nodes_pass_together_where_each_alone_mends_nothing(store: Store) -> None:
    changes = [change("read", mind("both"), "t0"), change("sort", mind("both"), "t0")]
    together, _ = await fixed(store, ["both"], changes)
    alone, _ = await fixed(store, ["both"], changes, joint=False)
    assert together.kept == (0, 1) and alone.kept == ()


async def test_where_the_union_mends_nothing_the_changes_of_each_failure_are_tried_by_themselves(store: Store) -> None:
    changes = [change("read", mind("a"), "t0"), change("sort", "poison", "t1"), change("sort", mind("b"), "t2")]
    found, _ = await fixed(store, ["a", "both", "b"], changes)
    assert found.kept == (0, 2) and found.scores["t0"] == found.scores["t2"] == 1.0


async def test_a_change_that_answers_two_failures_is_kept_for_either(store: Store) -> None:
    """Alone, both failures have the same changes: one that is not mended must not hide the other."""
    changes = [change("read", mind("a"), "t0", "t1"), change("sort", "poison", "t2")]
    found, _ = await fixed(store, ["a", "both", "b"], changes)
    assert found.kept == (0,) and found.scores["t0"] == 1.0


async def test_where_the_union_mends_something_nothing_is_tried_alone(store: Store) -> None:
    changes = [change("read", mind("a"), "t0"), change("sort", mind("b"), "t1"), change("read", "spoils a", "t1")]
    found, student = await fixed(store, ["a", "b"], changes)
    assert found.kept == (1, 2)  # what hides the other is kept here; the next look at the other failure tells
    assert student.asked == {"t0": 2, "t1": 2}


async def test_what_rides_along_with_the_change_that_mends_is_dropped(store: Store) -> None:
    changes = [change("read", text, "t0") for text in ("no use", mind("both"), "no use either")]
    found, _ = await fixed(store, ["both"], [*changes, change("sort", mind("both"), "t0")])
    assert found.kept == (1, 3)


async def test_of_changes_that_each_would_do_one_stays(store: Store) -> None:
    half = World(needs={"a": ("read",)})
    changes = [change("read", mind("a"), "t0"), change("read", "no use", "t0"), change("read", "nor this", "t0")]
    found, _ = await fixed(store, ["a"], changes, world=half)
    assert found.kept == (0,)
    lucky = World(needs={})  # it would pass by itself: nothing is needed, and still one change gets the credit
    found, _ = await fixed(store, ["a"], changes, world=lucky)
    assert len(found.kept) <= 1


async def test_a_failure_may_be_mended_by_new_changes_of_one_node_with_earlier_ones_of_another(store: Store) -> None:
    world = World(needs={"both": ("read", "sort")})
    changes = [
        change("read", "no use", "t0"),
        change("sort", mind("both"), "t0"),
        change("read", mind("both"), "t0", earlier=True),
        change("sort", "no use either", "t0", earlier=True),
    ]
    found, _ = await fixed(store, ["both"], changes, world=world)
    assert found.kept == (1, 2) and found.scores["t0"] == 1.0


async def test_earlier_changes_are_not_tried_for_what_is_mended_without_them(store: Store) -> None:
    changes = [change("read", mind("a"), "t0"), change("sort", "no use", "t0", earlier=True)]
    found, student = await fixed(store, ["a"], changes)
    assert found.kept == (0,) and student.asked == {"t0": 2}


def text(value: str, *groups: str) -> Update:
    edit = SetParameter(path="read/rules", value=[{"text": value}])
    return Update(parameter=edit.path, status="committed", edits=(edit,), groups=groups)


async def test_of_alternatives_the_one_that_mends_most_stays(store: Store) -> None:
    texts = [text("no use", "t0", "t1"), text(mind("a"), "t0"), text("spoils a", "t1")]
    found, _ = await fixed(store, ["a", "b"], [*texts, change("sort", mind("b"), "t1")])
    assert found.kept == (1, 3) and found.scores == {"t0": 1.0, "t1": 1.0}


async def test_only_committed_changes_are_tried(store: Store) -> None:
    kept = Update(parameter="read", status="kept", groups=("t0",))
    found, student = await fixed(store, ["a"], [kept])
    assert found.kept == () and not student.asked


async def test_a_noisy_student_is_asked_anew_for_both_sides_of_each_pair(store: Store) -> None:
    """A ticket that fails at its first run only: once run again, the base does as well as the candidate."""
    lucky = World(needs={}, flaky={"t0": frozenset(range(1, 100))})
    found, student = await fixed(store, ["a"], [change("read", "no use", "t0")], world=lucky, repeats=5)
    assert found.kept == () and student.asked["t0"] >= 4
    once, _ = await fixed(store, ["a"], [change("read", mind("a"), "t0")], world=WORLD, repeats=5)
    assert once.kept == (0,)


class Rollouts(Student):
    """Notes which rollouts it was asked for, with and without rules."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.seen: dict[bool, list[int]] = {True: [], False: []}

    async def complete(self, request: Any) -> Any:
        if "# Task\nSort" not in request.messages[0].content:
            self.seen["mind" in request.messages[0].content].append(request.rollout)
        return await super().complete(request)


async def test_no_run_of_base_or_candidate_is_shown_twice(store: Store) -> None:
    student = Rollouts(World(needs={"a": ("read",)}))
    learning = training(store, student, rows(["a"]), repeats=5)
    failures = await cases(learning, learning.agent, learning.sets.train)
    await FixGate(learning, joint=True, most=5)(learning.agent, [change("read", mind("a"), "t0")], failures)
    assert len(student.seen[True]) == len(set(student.seen[True])) == 4  # four of four pairs: p = 1/16
    assert len(student.seen[False]) == len(set(student.seen[False])) == 5  # the failing run, and one for each pair


# --- what works must go on working


async def held(
    store: Store, changes: Sequence[Update], guarded: Sequence[str], *, base: Agent | None = None, repeats: int = 1
) -> tuple[tuple[int, ...], Student]:
    student = Student(WORLD)
    learning: Training[Agent] = training(store, student, rows(guarded, "g"), **({"agent": base} if base else {}))
    gate = RegressionGate(learning, most=repeats)
    return await gate(learning.agent, changes, range(len(changes)), learning.sets.train), student


async def test_the_change_that_breaks_a_row_is_found_among_good_ones_and_they_stay(store: Store) -> None:
    changes = [change("read", f"good {at}", "t") for at in range(7)]
    changes.insert(4, change("sort", "spoils free", "t"))
    kept, student = await held(store, changes, ["free"])
    assert kept == (0, 1, 2, 3, 5, 6, 7)
    assert student.asked["g0"] <= 2 * (1 + 4 + 1)  # all, halving, and what is left


async def test_one_answer_with_a_right_and_a_wrong_rule_keeps_its_good_half(store: Store) -> None:
    changes = [change("read", mind("a"), "t0"), change("read", "spoils free", "t0")]
    assert (await held(store, changes, ["free"]))[0] == (0,)


async def test_changes_that_break_different_rows_all_go(store: Store) -> None:
    changes = [change("read", "spoils a", "t"), change("read", "good", "t"), change("sort", "spoils free", "t")]
    assert (await held(store, changes, ["a", "free"], base=agent(read=[mind("a")])))[0] == (1,)


async def test_what_breaks_nothing_stays_after_one_look(store: Store) -> None:
    kept, student = await held(store, [change("read", "good", "t"), change("sort", "fine", "t")], ["free", "free"])
    assert kept == (0, 1) and student.asked == {"g0": 2, "g1": 2}


async def test_without_rows_that_must_hold_everything_stays_unasked(store: Store) -> None:
    kept, student = await held(store, [change("read", "poison", "t")], [])
    assert kept == (0,) and not student.asked


async def test_what_only_another_change_had_made_up_for_goes_with_it(store: Store) -> None:
    """One answer takes the rule of a kind away; another one puts it back, and spoils something else."""
    base = agent(read=[mind("a")])
    dropped = DropItem(path="read/rules", id=base.parameter("read/rules").value[0].id)
    added = [*change("read", mind("a")).edits, *change("read", "spoils free").edits]
    changes = [
        Update(parameter="read/rules", status="committed", edits=edits, groups=("t",))
        for edits in ((dropped,), tuple(added))
    ]
    assert (await held(store, changes, ["a", "free"], base=base))[0] == ()


async def test_a_row_that_fails_now_and_then_is_not_held_against_a_change(store: Store) -> None:
    student = Student(World(needs={}, flaky={"g0": frozenset({1, 2, 3, 4})}))
    learning = training(store, student, rows(["free"], "g"))
    tried = (learning.agent, [change("read", "x", "t")], [0], learning.sets.train)
    assert await RegressionGate(learning, most=5)(*tried) == (0,)
    assert await RegressionGate(learning, most=1)(*tried) == ()


def labelled(strata: Mapping[str, str]) -> tuple[Row, ...]:
    return tuple(Row(id=row, inputs={}) for row in strata)


def test_one_row_of_every_stratum_comes_before_a_second_of_any() -> None:
    strata = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "c1": "c", "b2": "b"}
    assert [row.id for row in spread(labelled(strata), strata, 5)] == ["a1", "b1", "c1", "a2", "b2"]
    assert [row.id for row in spread(labelled(strata), strata, 2)] == ["a1", "b1"]
