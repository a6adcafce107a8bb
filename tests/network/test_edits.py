"""What each edit does, and what it refuses: one row of the table an operation."""

from typing import Any

import pytest

from agentsym.errors import NetworkError
from agentsym.network.edits import EDITS, STRUCTURAL, apply
from agentsym.network.network import Network
from agentsym.network.nodes import ToolNode
from agentsym.network.parameters import Text, owner_of
from tests.network.samples import SOURCE, calc, chain, nested, router


def edited(network: Network, *edits: dict[str, Any], force: bool = False) -> Network:
    return apply(network, EDITS.validate_python(edits), force=force)


def rule_ids(network: Network, path: str = "draft/rules") -> list[str]:
    return [item["id"] for item in network.parameter(path).content]


def rule_texts(network: Network, path: str = "draft/rules") -> list[str]:
    return [item["text"] for item in network.parameter(path).content]


BRIEF = rule_ids(chain())[0]
EXAMPLE = chain().parameter("final/examples").content[0]["id"]
CODE = {"op": "set_parameter", "path": "calc/code"}


def test_a_value_is_replaced_and_the_old_network_is_as_it_was() -> None:
    before = chain()
    after = edited(before, {"op": "set_parameter", "path": "draft/instructions", "value": "Guess {{question}}."})
    assert after.parameter("draft/instructions").content == "Guess {{question}}."
    assert before == chain()
    assert type(after) is type(before)


def test_rules_are_added_dropped_and_rewritten_by_id_and_keep_it() -> None:
    after = edited(
        chain(),
        {"op": "add_item", "path": "draft/rules", "item": "Be kind."},
        {"op": "replace_item", "path": "draft/rules", "id": BRIEF, "item": "Be very brief."},
        {"op": "drop_item", "path": "draft/rules", "id": rule_ids(chain())[1]},
    )
    assert rule_texts(after) == ["Be very brief.", "Be kind."]
    assert rule_ids(after)[0] == BRIEF


def test_edits_of_different_items_commute() -> None:
    one = {"op": "replace_item", "path": "draft/rules", "id": BRIEF, "item": {"text": "Be very brief."}}
    other = {"op": "drop_item", "path": "draft/rules", "id": rule_ids(chain())[1]}
    assert edited(chain(), one, other).version == edited(chain(), other, one).version


def test_examples_are_added_dropped_and_rewritten() -> None:
    item = {"input": {"notes": "1 = 2"}, "output": {"verdict": "no"}}
    added = edited(chain(), {"op": "add_item", "path": "final/examples", "item": item})
    assert [example["output"] for example in added.parameter("final/examples").content] == [
        {"verdict": "yes"},
        {"verdict": "no"},
    ]
    replaced = edited(chain(), {"op": "replace_item", "path": "final/examples", "id": EXAMPLE, "item": item})
    assert replaced.parameter("final/examples").content == [{"id": EXAMPLE, **item}]
    assert (
        not edited(chain(), {"op": "drop_item", "path": "final/examples", "id": EXAMPLE})
        .parameter("final/examples")
        .content
    )


def test_a_definition_is_rewritten_under_its_label() -> None:
    after = edited(chain(), {"op": "replace_item", "path": "final/choices/verdict", "id": "no", "item": "it fails"})
    assert after.parameter("final/choices/verdict").content[1] == {"label": "no", "definition": "it fails"}


def test_values_inside_an_inner_agent_are_reached_by_their_path() -> None:
    after = edited(nested(), {"op": "add_item", "path": "inner/draft/rules", "item": "Be kind."})
    assert rule_texts(after, "inner/draft/rules")[-1] == "Be kind."
    assert after.version != nested().version
    shared = edited(nested(), {"op": "set_parameter", "path": "inner/calc/description", "value": "Yells."})
    assert shared.parameter("inner/calc/description").content == "Yells."


def test_a_tool_is_improved_where_a_model_reads_it_and_nowhere_else() -> None:
    docs = {"question": "what to shout"}
    after = edited(chain(), {"op": "improve_tool", "tool": "calc", "description": "Yells.", "argument_docs": docs})
    tool = after.tool("calc")
    assert tool.parameters["description"] == Text("Yells.")
    assert tool.arguments[0].description == "what to shout"
    assert (tool.arguments[0].name, tool.arguments[0].type) == ("question", "string")
    alone = Network("net", [ToolNode("run", calc(), output="out")])
    assert (
        edited(alone, {"op": "improve_tool", "tool": "run", "description": "Yells."})
        .parameter("run/description")
        .content
        == "Yells."
    )


def test_learned_code_says_who_wrote_it() -> None:
    source = SOURCE.replace("upper", "lower")
    after = edited(chain(), {**CODE, "value": source})
    assert after.parameter("calc/code").model_dump()["author"] == "learned"
    assert edited(chain(), {**CODE, "value": SOURCE}) == chain()


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("unknown path", {"op": "set_parameter", "path": "draft/stile", "value": ""}, "no parameter 'draft/stile'; it has"),
    ("wrong type", {"op": "set_parameter", "path": "draft/instructions", "value": 7}, "value does not fit"),
    ("too long", {"op": "set_parameter", "path": "draft/instructions", "value": "x" * 4001}, "at most 4000"),
    ("unknown variable", {"op": "set_parameter", "path": "draft/instructions", "value": "{{x}}"}, "reads 'x'"),
    ("labels", {"op": "set_parameter", "path": "final/choices/verdict", "value": {"yes": ""}}, "keep yes, no"),
    ("structure", {"op": "set_parameter", "path": "structure", "value": None}, "use the structural operations"),
    ("no items", {"op": "add_item", "path": "draft/instructions", "item": "x"}, "use set_parameter"),
    ("rule twice", {"op": "add_item", "path": "draft/rules", "item": "Be brief."}, "use replace_item"),
    ("rule of two lines", {"op": "add_item", "path": "draft/rules", "item": "a\nb"}, "a rule is one line"),
    ("rule that is a number", {"op": "add_item", "path": "draft/rules", "item": 7}, "value does not fit"),
    ("example without output", {"op": "add_item", "path": "final/examples", "item": {"input": {}}}, "output"),
    ("add label", {"op": "add_item", "path": "final/choices/verdict", "item": "maybe"}, "labels are never added"),
    ("unknown item", {"op": "drop_item", "path": "draft/rules", "id": "r0"}, f"no item 'r0'; there are {BRIEF}"),
    ("drop label", {"op": "drop_item", "path": "final/choices/verdict", "id": "no"}, "labels are never dropped"),
    ("replace unknown", {"op": "replace_item", "path": "draft/rules", "id": "r0", "item": "x"}, "no item 'r0'"),
    ("nothing", {"op": "improve_tool", "tool": "calc"}, "give description or argument_docs"),
    ("unknown tool", {"op": "improve_tool", "tool": "clac", "description": "x"}, "clac"),
    ("unknown argument", {"op": "improve_tool", "tool": "calc", "argument_docs": {"x": ""}}, "there are question"),
    ("code without function", {**CODE, "value": "x = 1"}, "does not define the function 'calc'"),
    ("other signature", {**CODE, "value": "def calc(text): pass"}, "must take question"),
    ("no Python", {**CODE, "value": "def calc("}, "not valid Python"),
]


@pytest.mark.parametrize(("edit", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_done_is_refused_with_the_reason_and_changes_nothing(edit: dict[str, Any], reason: str) -> None:
    network = chain()
    fine = {"op": "add_item", "path": "draft/rules", "item": "Be kind."}
    with pytest.raises(NetworkError) as caught:
        edited(network, fine, edit)
    assert reason in str(caught.value)
    assert edit["op"] in str(caught.value)
    assert network == chain()


def test_the_error_names_the_edit_by_number_operation_and_place() -> None:
    with pytest.raises(NetworkError, match=r"^edit 2 of 2 \(drop_item draft/rules r0\): there is no item 'r0'"):
        edited(
            chain(),
            {"op": "add_item", "path": "draft/rules", "item": "x"},
            {"op": "drop_item", "path": "draft/rules", "id": "r0"},
        )


def test_a_later_edit_sees_what_an_earlier_one_did() -> None:
    with pytest.raises(NetworkError, match="edit 2 of 2"):
        edited(chain(), *[{"op": "drop_item", "path": "draft/rules", "id": BRIEF}] * 2)


def test_edits_survive_json_and_have_a_schema() -> None:
    edits = EDITS.validate_python(
        [
            {"op": "add_item", "path": "draft/rules", "item": "Be kind.", "why": "they were rude"},
            {"op": "add_node", "node": {"kind": "prompt", "id": "n", "output": {"x": "string"}}, "on_edge": ["a", "b"]},
        ]
    )
    assert EDITS.validate_json(EDITS.dump_json(edits)) == edits
    operations = EDITS.json_schema()["items"]["discriminator"]["mapping"].keys()
    assert operations > STRUCTURAL


def test_an_unknown_field_of_an_edit_is_an_error() -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        EDITS.validate_python([{"op": "drop_edge", "source": "a", "target": "b", "really": True}])


def test_no_edits_leave_everything_as_it_is() -> None:
    assert edited(router()) == router()


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("sort/rules", "sort"),
        ("sort/choices/team", "sort"),
        ("outer/sort/fields/team", "outer/sort"),
        ("sort/skills/returns", "sort"),
        ("choices/rules", "choices"),
        ("structure", ""),
    ],
)
def test_a_parameter_belongs_to_the_node_in_its_path(path: str, owner: str) -> None:
    assert owner_of(path) == owner
