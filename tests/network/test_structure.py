"""What the structural edits do to the graph, exactly, and when they are refused."""

from typing import Any

import pytest

from agentsym.errors import NetworkError
from agentsym.network.fields import Choice
from agentsym.network.network import END, START, Network
from tests.network.samples import ALL, LEARNED, chain, diamond, loop, prompt, router
from tests.network.test_edits import edited

NEW = {"kind": "prompt", "id": "new", "inputs": ["question"], "output": {"new_out": "string"}}
REFUND, FRAUD = ("sort", "refund", None), ("sort", "fraud", "fraud")


def edges(network: Network) -> set[tuple[str, str, Any]]:
    return {(edge.source, edge.target, edge.when.value if edge.when else None) for edge in network.edges}


def changed(before: Network, *edits: dict[str, Any]) -> tuple[set[Any], set[Any]]:
    """The edges that are gone and those that are new."""
    after = edited(before, *edits)
    return edges(before) - edges(after), edges(after) - edges(before)


TABLE: list[tuple[str, str, list[dict[str, Any]], set[Any], set[Any]]] = [
    (
        "on an edge the node takes over its condition",
        "router",
        [{"op": "add_node", "node": NEW, "on_edge": ["sort", "fraud"]}],
        {FRAUD},
        {("sort", "new", "fraud"), ("new", "fraud", None)},
    ),
    (
        "after a node the new one makes the choice",
        "router",
        [{"op": "add_node", "node": NEW, "after": "sort"}],
        {FRAUD, REFUND},
        {("sort", "new", None), ("new", "fraud", "fraud"), ("new", "refund", None)},
    ),
    (
        "before a node every way to it leads through the new one",
        "router",
        [{"op": "add_node", "node": NEW, "before": "close"}],
        {("refund", "close", None), ("fraud", "close", None)},
        {("refund", "new", None), ("fraud", "new", None), ("new", "close", None)},
    ),
    (
        "a node may be added first and connected then",
        "chain",
        [
            {"op": "add_node", "node": NEW},
            {"op": "add_edge", "edge": {"source": "draft", "target": "new"}},
            {"op": "add_edge", "edge": {"source": "new", "target": END}},
        ],
        set(),
        {("draft", "new", None), ("new", END, None)},
    ),
    (
        "a bridge joins the predecessor with its condition to the successor",
        "router",
        [{"op": "set_output", "node": "sort", "value": [{"name": "intent", "type": "choice"}, {"name": "reply"}]},
         {"op": "delete_node", "node": "fraud"}],
        {FRAUD, ("fraud", "close", None)},
        {("sort", "close", "fraud")},
    ),
    (
        "explicit deletion leaves just the given edges",
        "router",
        [{"op": "set_output", "node": "sort", "value": [{"name": "intent", "type": "choice"}]},
         {"op": "delete_node", "node": "fraud", "mode": "explicit", "edges": []}],
        {FRAUD, ("fraud", "close", None)},
        set(),
    ),
    (
        "the entry moves to the only successor",
        "loop",
        [{"op": "set_inputs", "node": "check", "value": ["question"]},
         {"op": "set_output", "node": "check",
          "value": [{"name": "fine", "type": "choice"}, {"name": "write_out"}]},
         {"op": "delete_node", "node": "write"}],
        {(START, "write", None), ("write", "check", None), ("check", "write", "no")},
        {(START, "check", None)},
    ),
    (
        "a moved node is bridged where it was and inserted where it goes",
        "diamond",
        [{"op": "move_node", "node": "left", "after": "split"}],
        {("split", "right", None), ("left", "merge", None)},
        {("left", "right", None)} | {("left", "merge", None)},
    ),
    (
        "a condition is set and the edge stays",
        "router",
        [{"op": "set_condition", "source": "sort", "target": "fraud", "when": {"intent": "refund"}}],
        {FRAUD},
        {("sort", "fraud", "refund")},
    ),
    (
        "the entry is set",
        "router",
        [{"op": "set_entry", "node": "sort"}],
        set(),
        set(),
    ),
    (
        "an edge goes and another comes",
        "chain",
        [{"op": "add_node", "node": NEW, "on_edge": ["final", END]},
         {"op": "drop_edge", "source": "new", "target": END},
         {"op": "add_edge", "edge": ["new", END]}],
        {("final", END, None)},
        {("final", "new", None), ("new", END, None)},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "edits", "gone", "new"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_graph_afterwards(name: str, edits: list[dict[str, Any]], gone: set[Any], new: set[Any]) -> None:
    assert changed(ALL[name](), *edits) == (gone - new, new - gone)


def test_a_node_before_a_join_waits_in_its_place() -> None:
    assert edited(diamond(), {"op": "add_node", "node": NEW, "before": "merge"}).node("new").join == "all"


def test_a_node_that_chose_hands_its_choice_to_its_only_predecessor() -> None:
    labels = {"intent": Choice(["refund", "fraud"])}
    nodes = [prompt("first", output=labels), prompt("sort"), prompt("refund"), prompt("fraud")]
    ways = [("first", "sort"), ("sort", "fraud", {"intent": "fraud"}), ("sort", "refund")]
    network = Network("net", nodes, ways, outputs=["intent"], structure=LEARNED)
    gone, new = changed(network, {"op": "delete_node", "node": "sort"})
    assert gone == {("first", "sort", None), FRAUD, REFUND}
    assert new == {("first", "fraud", "fraud"), ("first", "refund", None)}


def test_tools_are_made_given_taken_and_removed() -> None:
    tool = {
        "name": "shout",
        "arguments": [{"name": "text"}],
        "parameters": {"code": {"kind": "code", "value": "def f(text): return text", "entry": "f"}},
    }
    made = edited(chain(), {"op": "create_tool", "tool": tool, "attach_to": ["final"]})
    assert made.node("final").tools == ("shout",)  # type: ignore[union-attr]
    moved = edited(
        made,
        {"op": "detach_tool", "node": "final", "tool": "shout"},
        {"op": "attach_tool", "node": "draft", "tool": "shout"},
    )
    assert moved.node("draft").tools == ("calc", "shout")  # type: ignore[union-attr]
    assert edited(moved, {"op": "delete_tool", "tool": "shout"}) == chain()


def test_what_a_node_is_for_reads_and_writes_can_be_set() -> None:
    after = edited(
        chain(),
        {"op": "set_description", "node": "final", "value": "judges"},
        {"op": "set_inputs", "node": "final", "value": ["notes", "question"]},
        {"op": "set_output", "node": "draft", "value": [{"name": "notes"}, {"name": "more", "type": "list"}]},
    )
    assert after.node("final").description == "judges"
    assert after.node("final").inputs == ("notes", "question")
    assert [field.name for field in after.node("draft").output] == ["notes", "more"]


def test_labels_go_with_their_field() -> None:
    after = edited(router(), {"op": "set_output", "node": "sort", "value": [{"name": "intent", "type": "string"}]})
    assert "sort/choices/intent" not in after.parameters()


FOREIGN = {"kind": "function", "id": "new", "code_ref": {"ref": "os:system", "sha256": ""}}
REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("name taken", "chain", {"op": "add_node", "node": {**NEW, "id": "calc"}, "after": "draft"}, "is taken"),
    (
        "no such edge",
        "chain",
        {"op": "add_node", "node": NEW, "on_edge": ["final", "draft"]},
        "there are draft → final",
    ),
    ("no such place", "chain", {"op": "add_node", "node": NEW, "after": "nowhere"}, "the nodes are draft, final"),
    ("nobody before", "chain", {"op": "add_node", "node": NEW, "before": "nowhere"}, "no edge leads to"),
    ("unconnected", "chain", {"op": "add_node", "node": NEW}, "unreachable"),
    (
        "unknown tool",
        "chain",
        {"op": "add_node", "node": {**NEW, "tools": ["x"]}, "after": "draft"},
        "create_tool first",
    ),
    ("foreign code", "chain", {"op": "add_node", "node": FOREIGN, "after": "draft"}, "os:system"),
    (
        "foreign tool",
        "chain",
        {"op": "create_tool", "tool": {"name": "x", "code_ref": FOREIGN["code_ref"]}},
        "os:system",
    ),
    ("producer deleted", "chain", {"op": "delete_node", "node": "draft"}, "reads 'notes'"),
    ("output deleted", "diamond", {"op": "delete_node", "node": "merge"}, "output 'merge_out'"),
    ("unknown node", "chain", {"op": "delete_node", "node": "x"}, "no node 'x'; it has draft, final"),
    ("entry without one successor", "router", {"op": "delete_node", "node": "sort"}, "mode='explicit'"),
    ("dangling", "chain", {"op": "delete_node", "node": "draft", "mode": "explicit"}, "no_entry"),
    ("after itself", "chain", {"op": "move_node", "node": "draft", "after": "draft"}, "name another node"),
    ("moved behind its reader", "chain", {"op": "move_node", "node": "draft", "after": "final"}, "reads 'notes'"),
    ("edge twice", "chain", {"op": "add_edge", "edge": ["draft", "final"]}, "already"),
    ("edge to nowhere", "chain", {"op": "add_edge", "edge": ["draft", "x"]}, "'x' cannot stand there"),
    ("edge from END", "chain", {"op": "add_edge", "edge": [END, "draft"]}, "cannot stand there"),
    ("endless", "chain", {"op": "add_edge", "edge": ["final", "draft"]}, "endless_cycle"),
    ("no edge to drop", "chain", {"op": "drop_edge", "source": "final", "target": "draft"}, "there is no edge"),
    ("way out dropped", "loop", {"op": "drop_edge", "source": "check", "target": END}, "no_fallback"),
    ("no edge to change", "chain", {"op": "set_condition", "source": "final", "target": "draft"}, "there is no edge"),
    (
        "condition on nothing",
        "chain",
        {"op": "set_condition", "source": "draft", "target": "final", "when": {"x": 1}},
        "no_fallback",
    ),
    ("entry skips a producer", "chain", {"op": "set_entry", "node": "final"}, "unreachable"),
    ("unknown entry", "chain", {"op": "set_entry", "node": "x"}, "no node 'x'"),
    ("reads nothing", "chain", {"op": "set_inputs", "node": "final", "value": ["x"]}, "reads 'x'"),
    ("writes it no more", "chain", {"op": "set_output", "node": "draft", "value": []}, "reads 'notes'"),
    (
        "labels from nowhere",
        "chain",
        {"op": "set_output", "node": "draft", "value": [{"name": "notes", "type": "choice"}]},
        "needs labels",
    ),
    ("tool name taken", "chain", {"op": "create_tool", "tool": {"name": "draft"}}, "is taken"),
    ("tool unknown", "chain", {"op": "delete_tool", "tool": "x"}, "no tool 'x'; it has calc"),
    ("attached already", "chain", {"op": "attach_tool", "node": "draft", "tool": "calc"}, "has tool 'calc' already"),
    (
        "not attached",
        "chain",
        {"op": "detach_tool", "node": "final", "tool": "calc"},
        "has no tool 'calc'; it has none",
    ),
    (
        "no model calls it",
        "nested",
        {"op": "attach_tool", "node": "inner", "tool": "calc"},
        "only prompt nodes call tools",
    ),
]


@pytest.mark.parametrize(("name", "edit", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_makes_no_sense_is_refused_with_the_reason(name: str, edit: dict[str, Any], reason: str) -> None:
    network = ALL[name]()
    with pytest.raises(NetworkError) as caught:
        edited(network, edit)
    assert reason in str(caught.value)
    assert network == ALL[name]()


def test_one_place_for_a_new_node() -> None:
    with pytest.raises(ValueError, match="one of on_edge, after and before"):
        edited(chain(), {"op": "add_node", "node": NEW, "after": "draft", "before": "final"})


def test_a_loop_closed_by_a_condition_is_legal() -> None:
    after = edited(
        chain(),
        {"op": "add_edge", "edge": {"source": "final", "target": "draft", "when": {"verdict": "no"}}},
    )
    assert ("final", "draft", "no") in edges(after)
    assert ("write", "check", None) in edges(loop())
