"""Edits that ride along are dropped, but never two that could stand in for each other."""

from agentsym.learning.symbolic.gates import FixGate
from agentsym.store.store import Store
from tests.learning.symbolic.world import Student, World, agent, cases, change, mind, rows, training


async def test_of_answers_that_could_stand_in_for_each_other_one_stays(store: Store) -> None:
    world = World(needs={"a": ("read",)})
    at_work = training(store, Student(world), rows(["a"]))
    base = agent()
    (case,) = await cases(at_work, base, rows(["a"]))
    twice = [change(node, text, case.id) for node in ("read", "sort") for text in (mind("a"), f"{node} idles")]
    found = await FixGate(at_work, joint=True, most=1)(base, twice, [case])
    assert found.kept == (0,) and found.mends(case)
