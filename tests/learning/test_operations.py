"""The operations that a language model is offered: only legal ones, and each becomes the edit that it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agentsym.errors import NetworkError, UsageError
from agentsym.learning.teacher.operations import (
    described,
    editable_at,
    edits_of,
    node_edits_form,
    structure_form,
)
from agentsym.learning.teacher.replies import Form, schema_of
from agentsym.models.structured import parse_model
from agentsym.network.edits import Edit
from agentsym.network.fields import Choice, Field
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, PromptNode, Tool, ToolNode
from agentsym.network.parameters import Code, Number, Option, Structure, Text
from tests.learning.runs import chain

SOURCE = "def look_up(key: str, depth: int = 1):\n    return key\n"
TESTS = "def test_it():\n    assert look_up('a') == 'a'\n"
BETTER = "def look_up(key: str, depth: int = 1):\n    return key.strip()\n"


def look_up(name: str = "look_up", **more: Any) -> Tool:
    weights = {
        "description": Text("Looks up."),
        "code": Code(SOURCE, entry="look_up", tests=TESTS),
        "depth": Number(1, 0, 9),
    }
    arguments = (Field(name="key", type="string"),)
    return Tool(name=name, arguments=arguments, parameters=weights | more)


def agent(*, structure: bool = True) -> Network:
    """Write → sort, with a learned tool of its own, one that nobody uses, and a tool node between them."""
    write = PromptNode(
        "write",
        "Think.",
        inputs=["question"],
        output={"notes": str},
        rules=["Be brief."],
        tools=[look_up()],
        temperature=Number(0.5, 0.0, 1.0),
        model=Option("a/small", ["a/small", "a/large"]),
    )
    pad = ToolNode("pad", look_up("padder").model_copy(update={"name": "pad"}), inputs=["key"], output="padded")
    sort = PromptNode(
        "sort",
        "Sort.",
        inputs=["notes", "padded"],
        output={"kind": Choice({"good": "", "bad": ""})},
        examples=[{"input": {"notes": "n", "padded": "p"}, "output": {"kind": "good"}}],
    )
    edges = [("write", "pad"), ("pad", "sort")]
    spare = Tool(name="spare", arguments=(), parameters={"code": Code("def spare(): return 1", entry="spare")})
    return Network(
        "agent", [write, pad, sort], edges, outputs=["kind"], tools=[spare], structure=Structure(learnable=structure)
    )


AGENT = agent()
RULE = AGENT.parameter("write/rules").value[0].id  # type: ignore[attr-defined]
EXAMPLE = AGENT.parameter("sort/examples").value[0].id  # type: ignore[attr-defined]
SHOWN = {"input": {"notes": "m", "padded": ""}, "output": {"kind": "bad"}}
ARGUMENT = {"name": "x", "type": "integer", "description": "a number"}
NO_PLACE = {"tools": None, "on_edge": None, "after": None, "before": None, "max_visits": None}
CHECK = {"id": "check", "description": "checks", "instructions": "Check {{notes}}.", "inputs": ["notes"]}
NOTES = [{"name": "notes", "type": "string", "description": ""}]
CREATED = {
    "name": "twice",
    "description": "Doubles.",
    "arguments": [ARGUMENT],
    "returns": "integer",
    "source": "def twice(x):\n    return 2 * x\n",
    "tests": "def test_twice():\n    assert twice(2) == 4\n",
    "attach_to": ["write"],
}
NODE_OPERATIONS: dict[str, tuple[str, dict[str, Any], str]] = {  # op → node, its fields, what then stands in the agent
    "set_text": ("write", {"path": "write/instructions", "value": "Think hard."}, "Think hard."),
    "add_rule": ("write", {"path": "write/rules", "text": "Be exact."}, "Be exact."),
    "replace_rule": ("write", {"path": "write/rules", "id": RULE, "text": "Be curt."}, "Be curt."),
    "drop_rule": ("write", {"path": "write/rules", "id": RULE}, "-Be brief."),
    "define_label": ("sort", {"path": "sort/choices/kind", "label": "bad", "definition": "is bad"}, "is bad"),
    "add_example": ("sort", {"path": "sort/examples", **SHOWN}, '"notes": "m"'),
    "replace_example": ("sort", {"path": "sort/examples", "id": EXAMPLE, **SHOWN}, '-"notes": "n"'),
    "drop_example": ("sort", {"path": "sort/examples", "id": EXAMPLE}, '-"notes": "n"'),
    "set_number": ("write", {"path": "look_up/depth", "value": 4}, '"value": 4.0'),
    "set_option": ("write", {"path": "write/model", "value": "a/large"}, '"value": "a/large"'),
    "improve_tool": (
        "write",
        {"tool": "look_up", "description": "Finds things.", "argument_docs": {"key": "a word"}},
        '"description": "a word"',
    ),
    "rewrite_code": ("pad", {"path": "pad/code", "source": BETTER}, '"author": "learned"'),
    "create_tool": ("write", CREATED, '"name": "twice"'),
    "attach_tool": ("write", {"node": "write", "tool": "spare"}, '"tools": ["look_up", "spare"]'),
    "detach_tool": ("write", {"node": "write", "tool": "look_up"}, '-"tools": ["look_up"]'),
}
MOVES: dict[str, tuple[dict[str, Any], str]] = {
    "add_node": ({**CHECK, "outputs": NOTES, **NO_PLACE, "on_edge": ["write", "pad"]}, '"id": "check"'),
    "delete_node": ({"node": "write"}, '-"id": "write"'),
    "move_node": ({"node": "pad", "after": "__start__"}, '"source": "pad", "target": "write"'),
    "add_edge": (
        {"source": "write", "target": "sort", "when": {"field": "notes", "op": "eq", "value": "x"}},
        '"source": "write", "target": "sort"',
    ),
    "drop_edge": ({"source": "write", "target": "pad"}, '-"source": "write", "target": "pad"'),
    "set_condition": (
        {"source": "pad", "target": "sort", "when": None, "priority": 3},
        '"priority": 3',
    ),
    "set_entry": ({"node": "pad"}, '-"source": "__start__", "target": "write"'),
    "set_description": ({"node": "write", "value": "takes notes"}, '"description": "takes notes"'),
    "set_inputs": ({"node": "write", "value": ["question", "hint"]}, '"inputs": ["question", "hint"]'),
    "set_output": (
        {"node": "write", "value": [*NOTES, {"name": "doubt", "type": "string", "description": ""}]},
        '"name": "doubt"',
    ),
    "create_tool": (CREATED, '"name": "twice"'),
    "attach_tool": ({"node": "write", "tool": "spare"}, '"tools": ["look_up", "spare"]'),
    "detach_tool": ({"node": "write", "tool": "look_up"}, '-"tools": ["look_up"]'),
    "delete_tool": ({"tool": "spare"}, '-"name": "spare"'),
}
TOGETHER: dict[str, list[dict[str, Any]]] = {  # what a move needs beside it to leave a legal agent
    "delete_node": [{"op": "set_inputs", "node": "sort", "value": ["padded"]}],
    "add_edge": [{"op": "set_inputs", "node": "sort", "value": ["notes"]}],
    "drop_edge": [
        {"op": "delete_node", "node": "pad"},
        {"op": "add_edge", "source": "write", "target": "sort", "when": None},
        {"op": "set_inputs", "node": "sort", "value": ["notes"]},
    ],
    "set_entry": [{"op": "move_node", "node": "write", "after": "pad"}],
    "set_inputs": [
        {
            "op": "add_node",
            **CHECK,
            "inputs": ["question"],
            "instructions": "Give a hint.",
            "outputs": [{"name": "hint", "type": "string", "description": ""}],
            "before": "write",
        }
    ],
}


def form_at(node: str, network: Network = AGENT) -> Form:
    return node_edits_form(network, node, editable_at(network, node))


def said(form: Form, *edits: dict[str, Any], network: Network = AGENT) -> tuple[Edit, ...]:
    """Return the edits of an answer as a model would write it."""
    answer = {"analysis": "because", "edits": [{"why": "for this", **edit} for edit in edits]}
    return edits_of(network, parse_model(form)(json.dumps(answer)))


def text_of(network: Network) -> str:
    return json.dumps(network.model_dump(mode="json"))


def holds(network: Network, sign: str) -> bool:
    gone = sign.startswith("-")
    return (sign.removeprefix("-") in text_of(network)) != gone


def ops(form: Form) -> set[str]:
    return {each["properties"]["op"]["const"] for each in schema_of(form)["$defs"].values() if _is_edit(each)}


def _is_edit(schema: dict[str, Any]) -> bool:
    return "why" in schema.get("properties", {})


@pytest.mark.parametrize("op", NODE_OPERATIONS)
def test_each_operation_on_a_node_becomes_an_edit_that_does_what_it_says(op: str) -> None:
    node, fields, sign = NODE_OPERATIONS[op]
    (edit,) = said(form_at(node), {"op": op, **fields})
    assert edit.why == "for this"
    assert not holds(AGENT, sign) and holds(AGENT.apply([edit]), sign)


@pytest.mark.parametrize("op", MOVES)
def test_each_move_of_the_pipeline_becomes_an_edit_that_does_what_it_says(op: str) -> None:
    fields, sign = MOVES[op]
    edits = said(structure_form(AGENT), {"op": op, **fields}, *TOGETHER.get(op, []))
    assert edits[0].op == op
    assert not holds(AGENT, sign) and holds(AGENT.apply(edits), sign)


def test_every_operation_that_is_offered_is_tried_above_and_described() -> None:
    offered = {op for node in ("write", "pad", "sort") for op in ops(form_at(node))}
    assert offered == set(NODE_OPERATIONS)
    assert ops(structure_form(AGENT)) == set(MOVES)
    for form in (form_at("write"), structure_form(AGENT)):
        assert {line.split("`")[1] for line in described(form)} == ops(form)


def test_a_frozen_pipeline_is_offered_no_operation_on_it() -> None:
    frozen = agent(structure=False)
    assert ops(form_at("write", frozen)).isdisjoint({"create_tool", "attach_tool", "detach_tool"})
    with pytest.raises(UsageError, match="structure=Structure"):
        structure_form(frozen)


def test_nothing_frozen_is_offered() -> None:
    frozen = AGENT.freeze("write/rules", "look_up/code", "pad/code", "sort/choices/kind", "spare/code")
    schema = json.dumps(schema_of(form_at("write", frozen)))
    assert "write/rules" not in schema and "look_up/code" not in schema and "look_up/depth" in schema
    assert "rewrite_code" not in ops(form_at("pad", frozen)) and "set_number" in ops(form_at("pad", frozen))
    moves = schema_of(structure_form(frozen))
    assert {"delete_node", "delete_tool", "detach_tool"}.isdisjoint(ops(structure_form(frozen)))
    assert "MoveNode" in moves["$defs"]


def test_a_node_without_anything_learnable_has_no_form() -> None:
    network = Network("n", [PromptNode("a", "x", inputs=["q"], output={"b": str})])
    with pytest.raises(UsageError, match="a: no component"):
        node_edits_form(network, "a", [])


def test_the_tools_that_a_node_may_call_are_editable_with_it_inner_agents_included() -> None:
    assert {"write/rules", "look_up/code", "look_up/depth"} <= set(editable_at(AGENT, "write"))
    assert "pad/description" not in editable_at(AGENT, "pad")
    outer = Network("outer", [AgentNode("inner", AGENT)], structure=Structure(learnable=True))
    inner = editable_at(outer, "inner/write")
    assert {"inner/write/rules", "inner/look_up/code", "inner/look_up/description"} <= set(inner)
    form = form_at("inner/write", outer)
    assert "create_tool" not in ops(form)
    text = {"op": "set_text", "path": "inner/look_up/description", "value": "Finds all."}
    assert "Finds all." in text_of(outer.apply(said(form, text, network=outer)))


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "unknown path": ("write", {"op": "add_rule", "path": "sort/rules", "text": "x"}),
    "unknown id": ("write", {"op": "drop_rule", "path": "write/rules", "id": "r0"}),
    "unknown label": ("sort", {"op": "define_label", "path": "sort/choices/kind", "label": "new", "definition": ""}),
    "too large": ("write", {"op": "set_number", "path": "look_up/depth", "value": 10}),
    "bounds of another number": ("write", {"op": "set_number", "path": "write/temperature", "value": 2}),
    "no such option": ("write", {"op": "set_option", "path": "write/model", "value": "a/huge"}),
    "unknown operation": ("write", {"op": "delete_all"}),
    "field of another operation": ("write", {"op": "drop_rule", "path": "write/rules", "id": RULE, "text": "x"}),
    "no field of the node": ("sort", {"op": "add_example", "path": "sort/examples", **SHOWN, "input": {"x": 1}}),
    "unknown argument": (
        "write",
        {"op": "improve_tool", "tool": "look_up", "description": "", "argument_docs": {"depth": "no"}},
    ),
    "name of a tool": ("write", {"op": "create_tool", **CREATED, "name": "no name"}),
    "tests edited": ("pad", {"op": "rewrite_code", "path": "pad/code", "source": BETTER, "tests": ""}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_legal_is_refused_by_the_form(case: str) -> None:
    node, edit = REFUSED[case]
    with pytest.raises(ValueError, match="edits"):
        said(form_at(node), edit)


def test_a_node_stands_at_one_place_and_an_edge_is_two_nodes() -> None:
    node = {"op": "add_node", **CHECK, "outputs": NOTES, **NO_PLACE}
    for places in (
        {"after": "write", "before": "pad"},
        {"on_edge": ["write"]},
        {"after": "no place"},
        {"after": "write", "max_visits": 0},
    ):
        with pytest.raises(ValueError, match="edits"):
            said(structure_form(AGENT), node | places)


def test_a_rewrite_keeps_the_tests_of_the_code() -> None:
    edits = said(form_at("pad"), {"op": "rewrite_code", "path": "pad/code", "source": BETTER})
    code = AGENT.apply(edits).parameter("pad/code")
    assert isinstance(code, Code) and (code.value, code.tests) == (BETTER, TESTS)


def test_a_created_tool_has_its_description_code_and_tests_and_can_be_used_by_a_node_of_the_same_move() -> None:
    node = {"op": "add_node", **CHECK, "outputs": NOTES, **NO_PLACE, "tools": ["twice"], "after": "write"}
    made = AGENT.apply(said(structure_form(AGENT), {"op": "create_tool", **CREATED}, node))
    tool = made.tool("twice")
    assert tool.arguments == (Field(name="x", type="integer", description="a number"),)
    assert tool.returns.type == "integer"
    assert tool.parameters["code"].learnable and tool.parameters["description"].content == "Doubles."
    assert made.node("write").tools == ("look_up", "twice") and made.node("check").tools == ("twice",)  # type: ignore[union-attr]


def test_a_node_that_corrects_a_choice_has_its_labels() -> None:
    kinds = [{"name": "kind", "type": "choice", "description": "how it is"}]
    node = {"op": "add_node", **CHECK, "inputs": ["kind", "notes"], **NO_PLACE, "after": "sort"}
    made = AGENT.apply(said(structure_form(AGENT), node | {"outputs": kinds}))
    assert made.parameter("check/choices/kind").content == AGENT.parameter("sort/choices/kind").content
    assert made.parameter("check/instructions").learnable
    with pytest.raises(NetworkError, match="choices are kind"):
        said(structure_form(AGENT), node | {"outputs": [kinds[0] | {"name": "other"}]})


def test_conditions_keep_the_types_of_their_values() -> None:
    for value in (True, 1, 0.5, "1", ["a", 2], None):
        when = {"field": "notes", "op": "eq", "value": value}
        edit = {"op": "add_edge", "source": "write", "target": "sort", "when": when}
        made: Any = said(structure_form(AGENT), edit)[0]
        assert json.dumps(made.model_dump(mode="json")["edge"]["when"]["value"]) == json.dumps(value)


@pytest.mark.parametrize("form", [form_at("write"), form_at("sort"), structure_form(AGENT)])
def test_schemas_are_closed_flat_and_have_every_field_required(form: Form) -> None:
    schema = schema_of(form)
    for inner in _schemas(schema):
        if "properties" in inner:
            assert inner["required"] == list(inner["properties"]) and inner["additionalProperties"] is False
        assert "oneOf" not in inner and "pattern" not in inner and "prefixItems" not in inner
        assert not any(option.keys() == {"anyOf"} for option in inner.get("anyOf", ()))


def _schemas(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from _schemas(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _schemas(inner)


def test_components_of_several_nodes_in_one_form_keep_their_own_ids_and_fields() -> None:
    outer = Network("outer", [AgentNode("one", AGENT), AgentNode("two", chain("a", "b"))], [("one", "two")])
    form = node_edits_form(outer, "one", [path for path in outer.parameters() if path != "structure"])
    shown = {"input": {"question": "q"}, "output": {"a_out": "x"}}
    edits = said(
        form,
        {"op": "add_example", "path": "one/sort/examples", **SHOWN},
        {"op": "add_example", "path": "two/a/examples", **shown},
        {"op": "drop_rule", "path": "one/write/rules", "id": RULE},
        network=outer,
    )
    assert outer.apply(edits).parameter("two/a/examples").content[0]["output"] == {"a_out": "x"}
    for edit in (
        {"op": "add_example", "path": "two/a/examples", **SHOWN},
        {"op": "drop_rule", "path": "two/a/rules", "id": RULE},
    ):
        with pytest.raises(ValueError, match="edits"):
            said(form, edit, network=outer)
