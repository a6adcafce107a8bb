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


async def test_what_rides_along_with_an_answer_for_several_failures_goes_too(store: Store) -> None:
    world = World(needs={"a": ("read",), "b": ("read",)})
    at_work = training(store, Student(world), rows(["a", "b"]))
    base = agent()
    both = await cases(at_work, base, rows(["a", "b"]))
    ids = [case.id for case in both]
    answer = [change("read", text, *ids) for text in (mind("a"), mind("b"), "read idles")]
    found = await FixGate(at_work, joint=True, most=1)(base, answer, both)
    assert found.kept == (0, 1) and all(found.mends(case) for case in both)
