"""An edit reads as what it does: what goes and what comes, with the text that it replaces."""

from agentsym.learning.report.edits import Piece, changed, learned, view
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
