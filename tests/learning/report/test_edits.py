"""An edit reads as what it does: what goes and what comes, with the text that it replaces."""

import pytest

from agentsym import Agent
from agentsym.learning.report.edits import COMPARED, CONTEXT, Piece, changed, learned, view
from agentsym.network.diff import diff
from agentsym.network.edits import AddItem, AddNode, DropItem, ReplaceItem, SetParameter
from tests.learning.symbolic.world import NODES, agent, prompt

BASE = agent(read=["keep it short"])
RULE = BASE.parameter("read/rules").value[0].id


def said(edit: object, sign: str) -> list[str]:
    """Return the texts of an edit under a sign."""
    return [p.text for line in view(edit, BASE).lines for p in line.pieces if p.sign == sign]  # type: ignore[arg-type]


def test_what_is_added_comes_and_what_is_dropped_is_told_by_its_text() -> None:
    assert said(AddItem(path="read/rules", item="be kind"), "+") == ["be kind"]
    assert said(DropItem(path="read/rules", id=RULE), "-") == ["keep it short"]


def test_of_a_rewritten_text_only_the_words_that_differ_are_marked() -> None:
    edit = SetParameter(path="read/instructions", value="Read all of it.", why="more")
    assert said(edit, "-") == [] and said(edit, "+") == [" all of"]
    assert view(edit, BASE).why == "more"
    replaced = ReplaceItem(path="read/rules", id=RULE, item="keep it long")
    assert (said(replaced, "-"), said(replaced, "+")) == (["short"], ["long"])


def test_without_its_base_an_edit_still_says_what_comes() -> None:
    edit = SetParameter(path="read/instructions", value="Anew.")
    assert [piece.text for line in view(edit, None).lines for piece in line.pieces] == ["Anew."]


def test_a_new_node_is_told_with_its_place_and_its_task() -> None:
    shown = view(AddNode(node=prompt("check", ["fact"], "fact"), on_edge=NODES), BASE)
    assert shown.about == "add node check between read → sort"
    assert [line.pieces[0].text for line in shown.lines] == ["reads fact, writes fact", "Check it."]


@pytest.mark.parametrize(("way", "said"), [("after", "after read"), ("before", "before read")])
def test_a_new_node_may_stand_before_or_after_another(way: str, said: str) -> None:
    edit = AddNode.model_validate({"node": prompt("check", ["fact"], "fact"), way: "read"})
    assert view(edit, BASE).about == f"add node check {said}"


def test_a_list_that_is_set_anew_is_told_with_the_old_one() -> None:
    edit = SetParameter(path="read/rules", value=["be kind"])
    assert "keep it short" in said(edit, "-")[0] and said(edit, "+") == ['["be kind"]']


def test_of_long_texts_the_middle_is_left_out() -> None:
    same = "one two three four five six seven " * 20
    line = changed(f"{same}end", f"{same}END")
    assert [len(piece.text) for piece in line.pieces] == [2 * CONTEXT + len(" […] "), 3, 3]
    huge = changed("a b " * COMPARED, "a b " * COMPARED + "c")
    assert sum(len(piece.text) for piece in huge.pieces) < COMPARED


def test_examples_come_after_what_is_shorter_to_read() -> None:
    new = Agent("tickets", [prompt("read", ["ticket"], "fact", ["be kind"])], outputs=["fact"])
    old = Agent("tickets", [prompt("read", ["ticket"], "fact")], outputs=["fact"])
    new = new.apply([AddItem(path="read/examples", item={"input": {"ticket": "t"}, "output": {"fact": "f"}})])
    assert [shown.about for shown in learned(diff(old, new))] == ["read/rules", "read/examples"]


def test_a_text_that_was_rewritten_is_told_without_the_marks_of_a_diff() -> None:
    old = Agent("tickets", [prompt("read", ["ticket"], "fact")], outputs=["fact"])
    new = old.apply([SetParameter(path="read/instructions", value="Read all of it.")])
    (parameter,) = learned(diff(old, new))
    assert [(line.sign, line.pieces[0].text) for line in parameter.lines] == [
        ("-", "Read it."),
        ("+", "Read all of it."),
    ]


def test_code_is_compared_line_by_line() -> None:
    old = "def f(x):\n    y = x\n    z = y\n    return z\n"
    line = changed(old, old.replace("z = y", "z = 2 * y"))
    assert [piece for piece in line.pieces if piece.sign != " "] == [
        Piece("-", "    z = y\n"),
        Piece("+", "    z = 2 * y\n"),
    ]


def test_two_versions_differ_in_what_was_learned() -> None:
    (parameter,) = learned(diff(BASE, agent(read=["keep it short", "be kind"])))
    assert parameter.about == "read/rules"
    assert [(line.sign, line.pieces[0].text) for line in parameter.lines] == [("+", "be kind")]
