"""What a noisy student did by chance binds nobody: it breaks no change, decides no second try, and keeps no version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsym.learning.symbolic.gates import FixGate, RegressionGate
from agentsym.learning.symbolic.pareto import plausible
from agentsym.learning.symbolic.significance import first_rollout
from agentsym.store.store import Store
from tests.learning.symbolic.world import Student, World, cases, change, mind, opened, rows, training


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as store:
        yield store


async def test_a_row_that_the_base_passed_by_luck_is_not_held_against_changes(store: Store) -> None:
    world = World(needs={}, harm={"spoils free": ("free",)}, flaky={"g0": frozenset({0})})
    learning = training(store, Student(world), rows(["free", "free"], "g"))
    changes = [change("read", "good", "t"), change("sort", "spoils free", "t"), change("sort", "fine", "t")]
    gate = RegressionGate(learning, most=5)
    assert await gate(learning.agent, changes, range(3), learning.sets.train, 11) == (0, 2)


async def test_a_right_change_that_had_bad_luck_is_judged_anew_at_another_step(store: Store) -> None:
    lucky = first_rollout(2, 5)
    world = World(needs={"a": ("read",)}, flaky={"t0": frozenset(range(lucky, lucky + 5))})
    learning = training(store, Student(world), rows(["a"]), repeats=5)
    failures = await cases(learning, learning.agent, learning.sets.train)
    gate, changes = FixGate(learning, joint=True, most=5), [change("read", mind("a"), "t0")]
    kept = [(await gate(learning.agent, changes, failures, first_rollout(step, 5))).kept for step in (1, 2)]
    assert kept == [(), (0,)]


def test_no_two_steps_share_a_rollout_and_none_has_that_of_a_look_unless_answers_never_vary() -> None:
    used = [range(first_rollout(step, 5), first_rollout(step, 5) + 2 * 5 + 1) for step in range(1, 30)]
    assert len({0, *(number for numbers in used for number in numbers)}) == 1 + 29 * 11
    assert {first_rollout(step, 1) for step in range(30)} == {0}


def test_a_version_that_won_one_row_by_luck_is_not_gone_on_with() -> None:
    best = {f"v{at}": float(at > 0) for at in range(10)}
    lucky = {f"v{at}": float(at == 0) for at in range(10)}
    close = {**best, "v0": 1.0, "v1": 0.0}
    assert plausible({"first": lucky, "best": best, "close": close}, "best").keys() == {"best", "close"}
    assert plausible({"first": lucky}, "first") == {"first": lucky}
