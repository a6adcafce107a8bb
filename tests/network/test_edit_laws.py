"""Laws of editing: legal edits keep an agent legal, illegal ones change nothing, frozen weights stay what they are."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsym.errors import NetworkError
from agentsym.network.edits import EDITS, CreateTool, apply
from agentsym.network.lint import lint
from agentsym.network.network import END, START, Network
from agentsym.network.nodes import FunctionNode, PromptNode, as_tool
from agentsym.network.parameters import Option, Structure, Text
from tests.network.samples import ALL, LEARNED, calc, chain, prompt, router
from tests.network.test_edits import edited


@st.composite
def random_edits(draw: st.DrawFn, network: Network) -> dict[str, Any]:
    """Any operation on names that mostly exist; about half of them make sense."""
    node = st.sampled_from([*(node.id for node in network.nodes), "new", "new2"])
    place = st.sampled_from([START, END]) | node
    known = sorted((edge.source, edge.target) for edge in network.edges)
    field = st.sampled_from(["question", "notes", "reply", "new_out", "intent", "fine"])
    paths = st.sampled_from(sorted(network.parameters()))
    condition = st.none() | st.sampled_from([{"intent": "fraud"}, {"fine": "no"}, {"question": "x"}])
    source, target = draw(st.sampled_from(known) | st.tuples(place, place))
    new = {"kind": "prompt", "id": draw(st.sampled_from(["new", "new2"])), "inputs": ["question"]}
    new["output"] = {draw(field): "string"}
    edit: dict[str, Any] = draw(
        st.sampled_from(
            [
                {
                    "op": "set_parameter",
                    "path": draw(paths),
                    "value": draw(st.sampled_from(["", "{{question}}", [], None])),
                },
                {"op": "add_item", "path": draw(paths), "item": draw(st.sampled_from(["One.", "`x` two.", ""]))},
                {"op": "improve_tool", "tool": draw(st.sampled_from(["calc", "x"])), "description": "Better."},
                {"op": "detach_tool", "node": draw(node), "tool": "calc"},
                {"op": "attach_tool", "node": draw(node), "tool": "calc"},
                {"op": "delete_tool", "tool": "calc"},
                {"op": "add_node", "node": new, "on_edge": [source, target]},
                {"op": "add_node", "node": new, "after": draw(place)},
                {"op": "add_node", "node": new, "before": draw(place)},
                {"op": "delete_node", "node": draw(node)},
                {"op": "delete_node", "node": draw(node), "mode": "explicit", "edges": [[source, target]]},
                {"op": "move_node", "node": draw(node), "after": draw(place)},
                {"op": "add_edge", "edge": {"source": draw(place), "target": draw(place), "when": draw(condition)}},
                {"op": "drop_edge", "source": source, "target": target},
                {"op": "set_condition", "source": source, "target": target, "when": draw(condition)},
                {"op": "set_entry", "node": draw(node)},
                {"op": "set_description", "node": draw(node), "value": "x"},
                {"op": "set_inputs", "node": draw(node), "value": draw(st.lists(field, max_size=2, unique=True))},
                {"op": "set_output", "node": draw(node), "value": [{"name": draw(field)}]},
            ]
        )
    )
    return edit


@settings(max_examples=100)
@given(st.sampled_from(sorted(ALL)), st.data())
def test_legal_edits_keep_an_agent_legal_and_illegal_ones_leave_its_version(name: str, data: st.DataObject) -> None:
    network = ALL[name]()
    if data.draw(st.booleans()):
        frozen = data.draw(st.sampled_from([path for path in network.parameters() if path != "structure"]))
        network = network.freeze(frozen)
    before = {path: p for path, p in network.parameters().items() if not p.learnable and p.content not in ("", [])}
    for _ in range(5):
        version, edit = network.version, data.draw(random_edits(network))
        try:
            after = apply(network, EDITS.validate_python([edit]))
        except NetworkError:
            assert network.replace().version == version
            continue
        assert lint(after) == []
        assert before.items() <= after.parameters().items()
        assert after.replace().version == after.version
        network = after


def guarded() -> Network:
    """A chain whose second node holds a frozen policy, a model, a temperature; the tool's text is frozen too."""
    policy = prompt(
        "policy",
        inputs=["notes"],
        output={"verdict": str},
        rules=["Refuse to reveal secrets."],
        model="openai/x",
        temperature=0.0,
        tools=["calc"],
    )
    draft = chain().node("draft")
    assert isinstance(draft, PromptNode)
    draft = draft.model_copy(update={"tools": ()})
    made = Network(
        "net", [draft, policy], [("draft", "policy")], tools=[calc()], outputs=["verdict"], structure=LEARNED
    )
    return made.freeze("policy/rules", "calc/description")


TRICKS: dict[str, list[dict[str, Any]]] = {
    "set": [{"op": "set_parameter", "path": "policy/rules", "value": []}],
    "add": [{"op": "add_item", "path": "policy/rules", "item": "Reveal them."}],
    "drop": [{"op": "drop_item", "path": "policy/rules", "id": "x"}],
    "model": [{"op": "set_parameter", "path": "policy/model", "value": "openai/y"}],
    "temperature": [{"op": "set_parameter", "path": "policy/temperature", "value": 1.0}],
    "delete": [{"op": "delete_node", "node": "policy", "mode": "explicit", "edges": [["draft", END]]}],
    "delete and put back unfrozen": [
        {"op": "delete_node", "node": "policy"},
        {
            "op": "add_node",
            "node": {
                "kind": "prompt",
                "id": "policy",
                "output": {"verdict": "string"},
                "rules": ["Refuse to reveal secrets."],
            },
            "on_edge": ["draft", END],
        },
    ],
    "add under its name": [
        {"op": "add_node", "node": {"kind": "prompt", "id": "policy", "output": {"x": "string"}}, "after": "draft"}
    ],
    "improve": [{"op": "improve_tool", "tool": "calc", "description": "Anything."}],
    "document": [{"op": "improve_tool", "tool": "calc", "argument_docs": {"question": "anything"}}],
    "delete tool": [{"op": "delete_tool", "tool": "calc"}],
    "detach its last": [{"op": "detach_tool", "node": "policy", "tool": "calc"}],
}


@pytest.mark.parametrize("trick", TRICKS)
def test_what_is_frozen_cannot_be_changed_by_any_trick(trick: str) -> None:
    network = guarded()
    with pytest.raises(NetworkError, match=r"frozen|is taken"):
        edited(network, *TRICKS[trick])
    assert network == guarded()


def test_a_choice_field_with_frozen_labels_cannot_be_dropped() -> None:
    network = router().freeze("sort/choices/intent")
    with pytest.raises(NetworkError, match="would remove sort/choices/intent, which is frozen"):
        edited(network, {"op": "set_output", "node": "sort", "value": [{"name": "intent"}]})


def test_a_frozen_node_may_be_moved_since_it_keeps_its_weights() -> None:
    network = edited(guarded(), {"op": "add_node", "node": prompt("more").model_dump(), "after": "policy"})
    moved = edited(
        network, {"op": "move_node", "node": "policy", "after": "more"}, {"op": "set_entry", "node": "draft"}
    )
    assert moved.node("policy") == network.node("policy")


def test_without_a_learnable_structure_only_weights_change() -> None:
    network = chain(structure=Structure())
    assert edited(network, {"op": "add_item", "path": "draft/rules", "item": "Be kind."}) != network
    for edit in ({"op": "set_description", "node": "draft", "value": "x"}, {"op": "delete_tool", "tool": "calc"}):
        with pytest.raises(NetworkError, match="structure of this agent is frozen"):
            edited(network, edit)


def test_people_may_change_what_is_frozen_but_not_what_is_illegal() -> None:
    network = guarded().freeze("structure")
    after = edited(network, {"op": "set_parameter", "path": "policy/model", "value": "openai/x"}, force=True)
    assert after.parameter("policy/model") == Option("openai/x", learnable=False, role="the node's model")
    assert (
        edited(network, {"op": "detach_tool", "node": "policy", "tool": "calc"}, force=True).node("policy").tools == ()
    )  # type: ignore[union-attr]
    with pytest.raises(NetworkError, match="none of openai/x"):
        edited(network, {"op": "set_parameter", "path": "policy/model", "value": "openai/y"}, force=True)


def shout(question: str) -> str:
    """Shouts."""
    return question.upper()


def test_code_comes_in_by_a_program_or_by_force_never_by_a_written_edit() -> None:
    edit = CreateTool(tool=as_tool(shout, name="shout"))
    assert apply(chain(), [edit]).tool("shout").function() is shout
    written = EDITS.validate_json(EDITS.dump_json((edit,)))
    with pytest.raises(NetworkError, match="refers to code that is not in this agent"):
        apply(chain(), written)
    assert apply(chain(), written, force=True).tool("shout").code_ref == edit.tool.code_ref
    known = Network("net", [FunctionNode("shout", shout, output={"out": str}), prompt("a")], [], structure=LEARNED)
    again = {"kind": "function", "id": "again", "code_ref": known.node("shout").code_ref, "inputs": ["question"]}  # type: ignore[union-attr]
    assert edited(known, {"op": "add_node", "node": again, "after": "a"}).node("again").kind == "function"


def test_empty_frozen_parameters_do_not_hold_a_node_in_place() -> None:
    network = edited(chain(), {"op": "add_node", "node": prompt("more").model_dump(), "after": "draft"})
    network = network.freeze("more/examples").with_parameter("more/instructions", Text("", learnable=False))
    assert edited(network, {"op": "delete_node", "node": "more"}).version == chain().version
