"""Validation is broken off as soon as it is lost, else the gate decides; what is best at anything is remembered."""

import asyncio

import pytest

from agentsym import Agent
from agentsym.learning.protocols import Scores
from agentsym.learning.symbolic.validation import Validated, Validation, pooled
from agentsym.learning.training import Training
from agentsym.models.protocol import Reply, Request
from agentsym.store.store import Store
from tests.learning.symbolic.world import Student, World, agent, mind, rows, training

WORLD = World(needs={"a": ("read",)}, harm={"poison": ("free",)})
VAL = rows(["free"] * 20 + ["a"] * 4, "v")
FREE = {row.id: float(at < 20) for at, row in enumerate(VAL)}


async def validate(learning: Training[Agent], network: Agent, before: Scores, concurrency: int = 4) -> Validated:
    return await Validation(learning, concurrency)(network, before)


class Hanging(Student):
    """Never answers of some tickets, and notes who stopped waiting."""

    def __init__(self, world: World, silent: frozenset[str]) -> None:
        super().__init__(world)
        self.silent, self.cancelled = silent, set[str]()

    async def complete(self, request: Request) -> Reply:
        ticket = request.messages[1].content.split()[3]
        if ticket in self.silent:
            self.asked[ticket] += 1
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.add(ticket)
                raise
        return await super().complete(request)


async def test_a_race_that_is_lost_is_not_run_to_its_end_and_what_is_in_flight_is_cancelled(store: Store) -> None:
    student = Hanging(WORLD, frozenset(row.id for row in VAL[8:]))
    learning = training(store, student, val=VAL)
    found = await validate(learning, agent(read=["poison"]), Scores(val=FREE), concurrency=24)
    assert not found.finished and not found.decision.accept
    assert found.val == dict.fromkeys((row.id for row in VAL[:8]), 0.0)
    assert student.cancelled == {row.id for row in VAL[8:16]} == set(student.asked) - set(found.val)
    assert "could not reach 0.833 (after 8 rows: 0.000)" in found.decision.reason
    assert (found.decision.before, found.decision.after) == (pytest.approx(20 / 24), 0.0)


async def test_a_race_that_may_still_be_won_sees_every_row_and_the_gate_decides(store: Store) -> None:
    student = Student(WORLD)
    learning = training(store, student, val=VAL)
    found = await validate(learning, agent(read=[mind("a")]), Scores(val=FREE))
    assert found.finished and found.decision.accept and set(found.val.values()) == {1.0}
    assert set(student.asked) == {row.id for row in VAL}
    assert (await validate(learning, agent(read=["x"]), Scores(val=FREE))).decision.accept  # a tie


async def test_rows_that_must_pass_are_run_last_and_decide_alone(store: Store) -> None:
    student = Student(WORLD)
    learning = training(store, student, val=rows(["a"], "v"), must_pass=rows(["free"], "m"))
    before = Scores(val={"v0": 0.0}, must_pass={"m0": 1.0})
    found = await validate(learning, agent(read=[mind("a"), "poison"]), before)
    assert found.finished and found.val == {"v0": 1.0} and found.must_pass == {"m0": 0.0}
    assert not found.decision.accept and "m0" in found.decision.reason


async def test_a_lost_race_runs_no_row_that_must_pass(store: Store) -> None:
    student = Student(WORLD)
    learning = training(store, student, val=VAL, must_pass=rows(["free"], "m"))
    await validate(learning, agent(read=["poison"]), Scores(val=FREE, must_pass={"m0": 1.0}))
    assert "m0" not in student.asked


async def test_a_gate_that_tolerates_losses_lets_nobody_race(store: Store) -> None:
    student = Student(WORLD)
    found = await validate(training(store, student, val=VAL, gate="tolerant"), agent(read=["poison"]), Scores(val=FREE))
    assert found.finished and len(found.val) == len(VAL) and not found.decision.accept


async def test_scores_of_several_samples_are_means_and_are_not_broken_off(store: Store) -> None:
    student = Student(WORLD._replace(flaky={"v0": frozenset({0, 2})}))
    learning = training(store, student, val=rows(["free"] * 9, "v"), samples=4)
    found = await validate(learning, agent(), Scores(val={f"v{at}": 1.0 for at in range(9)}))
    assert found.finished and found.val["v0"] == 0.5 and not found.decision.accept


async def test_without_validation_rows_only_those_that_must_pass_are_run(store: Store) -> None:
    student = Student(WORLD)
    learning = training(store, student, must_pass=rows(["free"], "m"))
    found = await validate(learning, agent(), Scores(must_pass={"m0": 1.0}))
    assert found.finished and found.val == {} and found.decision.accept and set(student.asked) == {"m0"}


def test_the_pool_keeps_what_is_best_at_something_and_forgets_the_rest() -> None:
    pool = {"old": {"r1": 1.0, "r2": 0.0}}
    assert pooled(pool, "other", {"r1": 0.0, "r2": 1.0}) == {**pool, "other": {"r1": 0.0, "r2": 1.0}}
    assert pooled(pool, "better", {"r1": 1.0, "r2": 1.0}) == {"better": {"r1": 1.0, "r2": 1.0}}
    assert pooled(pool, "worse", {"r1": 0.0, "r2": 0.0}) == pool
