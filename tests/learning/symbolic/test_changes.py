"""Changes of many answers become one list: without doubles, without contradictions, whoever answered first."""

from itertools import permutations

import pytest

from agentsym import Agent, PromptNode
from agentsym.learning.protocols import Update
from agentsym.learning.symbolic.changes import applied, as_changes, compatible, merged, places, target
from agentsym.network.edits import AddItem, DeleteNode, DropItem, Edit, ReplaceItem, SetParameter
from agentsym.network.fields import Field
from agentsym.network.nodes import Tool
from agentsym.network.parameters import Code
from tests.learning.symbolic.world import agent, change, rules_of


def update(edit: Edit, *groups: str) -> Update:
    return Update(parameter=target(edit), status="committed", edits=(edit,), groups=groups)


def text(value: str, *groups: str) -> Update:
    return update(SetParameter(path="read/instructions", value=value), *groups)


def test_each_edit_of_a_prompt_is_a_change_of_its_own() -> None:
    edits = [AddItem(path="read/rules", item="x"), SetParameter(path="sort/instructions", value="y")]
    found = as_changes(agent(), "read", edits, ["r1"])
    assert [change.edits for change in found] == [(edits[0],), (edits[1],)]
    assert [change.parameter for change in found] == ["read/rules", "sort/instructions"]
    assert {change.groups for change in found} == {("r1",)} and {change.status for change in found} == {"committed"}


def test_edits_of_code_and_pipeline_stay_together() -> None:
    code = Code("def half(n):\n    return n / 2\n", entry="half")
    tool = Tool(name="half", arguments=(Field(name="n"),), parameters={"code": code})
    network = Agent("t", [PromptNode("say", "Say.", inputs=["q"], output="text", tools=[tool])])
    edits = [
        SetParameter(path="half/code", value="def half(n):\n    return n // 2\n"),
        SetParameter(path="say/instructions", value="Say it."),
        DeleteNode(node="say"),
    ]
    alone, whole = as_changes(network, "say", edits, ["r1"])
    assert alone.edits == (edits[1],)
    assert whole.edits == (edits[0], edits[2]) and whole.parameter == "half/code"


def test_equal_changes_are_one_for_the_groups_of_both_whatever_their_reasons() -> None:
    reasoned = AddItem(path="read/rules", item="x", why="another reason")
    found = merged([change("read", "x", "r1"), change("read", "y", "r2"), update(reasoned, "r3", "r1")])
    assert [(each.edits[0].item, each.groups) for each in found] == [("x", ("r1", "r3")), ("y", ("r2",))]


def test_equal_texts_for_two_nodes_are_two_changes() -> None:
    assert len(merged([change("read", "x", "r1"), change("sort", "x", "r1")])) == 2


def test_of_changes_of_the_same_text_the_one_for_most_rows_wins_and_the_others_are_alternatives() -> None:
    changes = [text("few", "r1"), change("read", "rule", "r1"), text("many", "r2", "r3"), text("some", "r1", "r4")]
    weight = {"r1": 1, "r2": 2, "r3": 3, "r4": 2}
    assert compatible(changes, range(4), weight) == ((1, 2), (3, 0))


def test_of_equals_the_first_wins() -> None:
    assert compatible([text("one", "r1"), text("two", "r2")], range(2), {"r1": 1, "r2": 1}) == ((0,), (1,))


def test_additions_never_contradict_each_other_but_changes_of_one_item_do() -> None:
    path, item = "read/rules", "r1"
    added = [change("read", "x", "g"), change("read", "y", "g")]
    replaced = update(ReplaceItem(path=path, id=item, item="z"), "g")
    dropped = update(DropItem(path=path, id=item), "g")
    assert compatible([*added, replaced, dropped], range(4), {"g": 1}) == ((0, 1, 2), (3,))
    assert places(added[0]) == set() and places(replaced) == places(dropped) == {"read/rules r1"}


def test_what_is_merged_does_not_depend_on_the_order_of_the_answers() -> None:
    answers = [change("read", "x", "r1"), text("few", "r1"), text("many", "r2", "r3"), change("read", "x", "r2")]
    weight = {"r1": 1, "r2": 1, "r3": 1}
    candidates = set()
    for order in permutations(answers):
        changes = merged(order)
        union, _ = compatible(changes, range(len(changes)), weight)
        candidate, done = applied(agent().unfreeze("read/instructions"), changes, union)
        candidates.add((str(candidate.parameter("read/instructions").content), *rules_of(candidate, "read")))
        assert done == union
    assert candidates == {("many", "x")}


def test_a_change_that_cannot_be_applied_is_left_out_as_a_whole() -> None:
    gone = DropItem(path="read/rules", id="nobody")
    half = Update(parameter="read", status="committed", edits=(AddItem(path="read/rules", item="half"), gone))
    candidate, done = applied(agent(), [half, change("read", "x")], range(2))
    assert done == (1,) and rules_of(candidate, "read") == ["x"]


@pytest.mark.parametrize("which", [(0, 1), (1,), ()])
def test_only_the_changes_asked_for_are_applied(which: tuple[int, ...]) -> None:
    candidate, done = applied(agent(), [change("read", "x"), change("read", "y")], which)
    assert done == which and rules_of(candidate, "read") == [["x", "y"][at] for at in which]
