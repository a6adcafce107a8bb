"""What people see of an agent and of the difference between two."""

import re

import pytest
from hypothesis import given, settings

from agentsym.network.diff import diff
from agentsym.network.mermaid import mermaid
from agentsym.network.network import Edge, Network, When
from agentsym.network.nodes import AgentNode, FunctionNode, ToolNode
from tests.network.samples import ALL, calc, chain, nested, networks, prompt, router
from tests.network.test_edits import BRIEF, EXAMPLE, edited

NEW = {"kind": "prompt", "id": "new", "description": "checks", "output": {"x": "string"}}


@settings(max_examples=15)
@given(networks())
def test_an_agent_does_not_differ_from_itself(network: Network) -> None:
    assert not diff(network, Network.model_validate(network.model_dump(mode="json")))


@settings(max_examples=15)
@given(networks(), networks())
def test_agents_differ_exactly_when_their_versions_do(one: Network, other: Network) -> None:
    assert bool(diff(one, other)) == (one.version != other.version) == bool(diff(other, one))


def test_items_are_told_by_their_ids() -> None:
    after = edited(
        chain(),
        {"op": "replace_item", "path": "draft/rules", "id": BRIEF, "item": "Be very brief."},
        {"op": "drop_item", "path": "final/examples", "id": EXAMPLE},
        {"op": "replace_item", "path": "final/choices/verdict", "id": "no", "item": "it fails"},
    )
    assert diff(chain(), after).text() == (
        "parameters\n"
        "  ~ draft/rules\n"
        f"      ~ {BRIEF}: Be brief. → Be very brief.\n"
        "  ~ final/choices/verdict\n"
        "      ~ no:  → it fails\n"
        "  ~ final/examples\n"
        f'      - {EXAMPLE}: {{"notes": "1 = 1"}} ⇒ {{"verdict": "yes"}}'
    )


def test_texts_are_compared_line_by_line() -> None:
    one = chain().load_state_dict({**chain().state_dict(), "draft/instructions": "a\nb\nc"})
    other = chain().load_state_dict({**chain().state_dict(), "draft/instructions": "a\nB\nc"})
    (change,) = diff(one, other).parameters
    assert change.path == "draft/instructions"
    assert change.text.splitlines()[2:] == ["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]


def test_the_graph_is_compared_by_names() -> None:
    after = edited(
        chain(),
        {"op": "add_node", "node": NEW, "on_edge": ["draft", "final"]},
        {"op": "set_description", "node": "final", "value": "judges"},
        {"op": "detach_tool", "node": "draft", "tool": "calc"},
        {"op": "delete_tool", "tool": "calc"},
    )
    assert diff(chain(), after).text() == (
        "nodes\n"
        '  ~ draft.tools: ["calc"] → []\n'
        "  ~ final.description:  → judges\n"
        "  + new: prompt node, checks\n"
        "edges\n"
        "  - draft → final\n"
        "  + draft → new\n"
        "  + new → final\n"
        "tools\n"
        "  - calc: tool, Shouts."
    )


def test_inner_agents_are_compared_inside() -> None:
    after = edited(nested(), {"op": "add_item", "path": "inner/draft/rules", "item": "Be kind."})
    difference = diff(nested(), after)
    assert [change.path for change in difference.parameters] == ["inner/draft/rules"]
    assert not difference.nodes


def test_settings_of_a_parameter_count() -> None:
    assert (
        diff(chain(), chain().freeze("draft/rules")).text()
        == "parameters\n  ~ draft/rules\n      ~ learnable: true → false"
    )
    assert diff(chain(), chain()).text() == "no difference"


def test_a_flowchart_shows_kinds_by_shape_and_conditions_on_edges() -> None:
    assert mermaid(router()) == (
        "flowchart TD\n"
        '    start(["START"])\n'
        '    n1("close")\n'
        '    n2("fraud")\n'
        '    n3("refund")\n'
        '    n4("sort")\n'
        '    stop(["END"])\n'
        "    start --> n4\n"
        "    n1 --> stop\n"
        "    n2 --> n1\n"
        "    n3 --> n1\n"
        '    n4 -->|"intent = fraud"| n2\n'
        '    n4 -->|"else"| n3\n'
    )
    inner = Network("inner", [prompt("x")], [])
    nodes = [ToolNode("t", calc(), output="a"), FunctionNode("f", str, inputs=["a"], output="b"), AgentNode("g", inner)]
    text = mermaid(Network("net", [*nodes, prompt("end", tools=[calc()])], [("t", "f"), ("f", "g"), ("g", "end")]))
    for box in ('[["t"]]', '[/"f"/]', '{{"g"}}', '("end: calc")'):
        assert box in text


@pytest.mark.parametrize("value", ['"] --> x["', "a|b", "<b>", "`x`", "a\nb", "#quot;", "end", "%%{init}%%"])
def test_no_text_can_break_a_flowchart(value: str) -> None:
    edges = [Edge(source="sort", target="fraud", when=When(field="question", value=value)), *router().edges[1:]]
    text = mermaid(router().replace(edges=tuple(edges)))
    label = re.search(r'n4 -->\|"(.*)"\| n2$', text, re.MULTILINE)
    assert label is not None
    assert not set(label.group(1)) & set('"|<>`[]{}%\n')
    shown = re.sub(r"#(\d+);", lambda match: chr(int(match.group(1))), label.group(1))
    assert shown == f"question = {' '.join(value.split())}"


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_flowchart_does_not_depend_on_the_order(name: str) -> None:
    network = ALL[name]()
    assert mermaid(network.replace(nodes=network.nodes[::-1], edges=network.edges[::-1])) == mermaid(network)
