"""Every way in which a network can be illegal: one illegal network a problem."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from agentsym.errors import Problem
from agentsym.network.canonical import FrozenDict
from agentsym.network.fields import Field
from agentsym.network.lint import MAX_DESCRIPTION, MAX_NODES, lint
from agentsym.network.network import END, START, Edge, Network, When
from agentsym.network.nodes import AgentNode, FunctionNode, PromptNode, Tool, ToolNode
from agentsym.network.parameters import Choices, Code, Examples, Number, Option, Rules, Text
from tests.network.samples import ALL, calc, chain, diamond, loop, networks, prompt, router


def edges(*pairs: Any) -> tuple[Edge, ...]:
    return tuple(Edge.model_validate(pair) for pair in pairs)


def with_node(network: Network, node: Any) -> Network:
    """Put a node in the place of the one with its id."""
    return network.replace(nodes=tuple(node if old.id == node.id else old for old in network.nodes))


def with_weights(node: Any, **weights: Any) -> Any:
    return node.model_copy(update={"parameters": FrozenDict({**node.parameters, **weights})})


def final(**weights: Any) -> Network:
    """The chain with other weights in its last node."""
    return with_node(chain(), with_weights(FINAL, **weights))


def draft(**weights: Any) -> Network:
    """The chain with other weights in its first node."""
    return with_node(chain(), with_weights(DRAFT, **weights))


def more(network: Network, edge: Any, *nodes: Any) -> Network:
    """The network with one more edge, and more nodes."""
    return network.replace(edges=(*network.edges, *edges(edge)), nodes=(*network.nodes, *nodes))


def conditions(when: When | None) -> Network:
    """The router with another condition."""
    changed = (e.model_copy(update={"when": when}) if e.when else e for e in router().edges)
    return router().replace(edges=tuple(changed))


def inner(agent: Network, **rest: Any) -> Network:
    """A network of one node that is an agent."""
    made = Network("net", [prompt("inner", output={"verdict": str})], [])
    return made.replace(nodes=(AgentNode("inner", agent, **rest),))


def tool_node(tool: Tool, **rest: Any) -> Network:
    """A network of one node that runs the tool."""
    node = ToolNode("run", calc(), output="out").model_copy(update={"tool": tool, **rest})
    return Network("net", [prompt("run", output="out")], []).replace(nodes=(node,))


def example(**output: Any) -> dict[str, Any]:
    return {"input": {"notes": repr(output)}, "output": output}


FINAL = chain().node("final")
DRAFT = chain().node("draft")
ONLY = Network("net", [prompt("a")], [])

ILLEGAL: dict[str, tuple[str, str, Callable[[], Network]]] = {
    "no node": ("no_nodes", "net", lambda: ONLY.replace(nodes=(), edges=())),
    "too many nodes": (
        "too_large",
        "net",
        lambda: ONLY.replace(nodes=tuple(prompt(f"n{i}") for i in range(MAX_NODES + 1)), edges=()),
    ),
    "long description": ("too_large", "net", lambda: ONLY.replace(description="x" * (MAX_DESCRIPTION + 1))),
    "two nodes of one name": ("duplicate_id", "a", lambda: ONLY.replace(nodes=(*ONLY.nodes, prompt("a")))),
    "node and tool of one name": ("duplicate_id", "draft", lambda: chain().replace(tools=(calc(), calc("draft")))),
    "output twice": ("duplicate_field", "chain", lambda: chain().replace(outputs=("verdict", "verdict"))),
    "edge to nowhere": ("unknown_node", "final → x", lambda: more(chain(), ("final", "x"))),
    "edge from END": ("unknown_node", f"{END} → draft", lambda: more(chain(), (END, "draft"))),
    "edge past all": ("unknown_node", f"{START} → {END}", lambda: more(chain(), (START, END))),
    "edge twice": ("duplicate_edge", "draft → final", lambda: more(chain(), ("draft", "final"))),
    "no fallback": (
        "no_fallback",
        "sort",
        lambda: router().replace(
            edges=tuple(
                edge.model_copy(update={"when": When(field="intent", value="refund")})
                if edge.target == "refund"
                else edge
                for edge in router().edges
            )
        ),
    ),
    "two fallbacks": ("mixed_edges", "sort", lambda: more(router(), ("sort", "close"))),
    "fallback first": (
        "mixed_edges",
        "sort",
        lambda: router().replace(
            edges=tuple(edge.model_copy(update={"priority": 1}) if edge.when else edge for edge in router().edges)
        ),
    ),
    "order unknown": (
        "ambiguous_order",
        "sort",
        lambda: router().replace(
            edges=(
                *router().edges,
                Edge(source="sort", target="close", when=When(field="question", op="contains", value="x")),
            )
        ),
    ),
    "no entry": (
        "no_entry",
        "chain",
        lambda: chain().replace(edges=tuple(e for e in chain().edges if e.source != START)),
    ),
    "unreachable": ("unreachable", "b", lambda: more(ONLY, ("b", END), prompt("b"))),
    "no way to END": ("no_end", "b", lambda: more(ONLY, ("a", "b"), prompt("b"))),
    "endless": (
        "endless_cycle",
        "check, write",
        lambda: loop().replace(edges=tuple(edge.model_copy(update={"when": None}) for edge in loop().edges)),
    ),
    "reads what nobody writes": (
        "unknown_field",
        "final",
        lambda: with_node(chain(), FINAL.model_copy(update={"inputs": ("x",)})),
    ),
    "unknown variable": ("unknown_field", "final", lambda: final(instructions=Text("{{x}}"))),
    "reads what only one branch writes": (
        "unwritten",
        "close",
        lambda: with_node(router(), prompt("fraud", output={"other": str})),
    ),
    "does not wait for what it reads": (
        "unwritten",
        "merge",
        lambda: with_node(diamond(), diamond().node("merge").model_copy(update={"join": "any"})),
    ),
    "unknown output": ("unknown_field", "chain", lambda: chain().replace(outputs=("x",))),
    "an input is no output": ("unknown_field", "chain", lambda: chain().replace(outputs=("question",))),
    "output of one branch": (
        "unwritten",
        "net",
        lambda: Network(
            "net", [prompt("s", output="k"), prompt("a"), prompt("b")], [("s", "a", {"k": 1}), ("s", "b")]
        ).replace(outputs=("a_out",)),
    ),
    "gives nothing": ("no_output", "chain", lambda: chain().replace(outputs=())),
    "two write at once": (
        "parallel_write",
        "left, right",
        lambda: with_node(
            with_node(diamond(), prompt("left", output={"left_out": str, "x": str})),
            prompt("right", output={"right_out": str, "x": str}),
        ),
    ),
    "condition on nothing": ("unknown_field", "sort → fraud", lambda: conditions(When(field="x", value=1))),
    "condition on no label": (
        "unknown_label",
        "sort → fraud",
        lambda: conditions(When(field="intent", op="in", value=["freud"])),
    ),
    "limit of a parameter": ("limit", "draft/rules", lambda: draft(rules=Rules(["x" * 201]))),
    "text too long": ("limit", "final/instructions", lambda: final(instructions=Text("xx", max_chars=1))),
    "number out of range": ("limit", "final/temperature", lambda: final(temperature=Number(3, 0, 2))),
    "no option": ("limit", "final/model", lambda: final(model=Option("a/b", ["c/d"]))),
    "too many rules for a label": (
        "limit",
        "final/rules",
        lambda: final(rules=Rules([f"`yes` {i}" for i in range(6)])),
    ),
    "unusable label": (
        "limit",
        "final/choices/verdict",
        lambda: final(**{"choices/verdict": Choices({"yes": "", "a`b": ""})}),
    ),
    "unusable field name": (
        "limit",
        "final/examples",
        lambda: final(examples=Examples([{"input": {"a b": 1}, "output": {}}])),
    ),
    "bad model string": ("unknown_model", "final/model", lambda: final(model=Option("a b"))),
    "unknown parameter": ("unknown_parameter", "final", lambda: final(style=Text("x"))),
    "missing parameter": (
        "unknown_parameter",
        "final",
        lambda: with_node(
            chain(),
            FINAL.model_copy(
                update={"parameters": FrozenDict({k: v for k, v in FINAL.parameters.items() if k != "rules"})}
            ),
        ),
    ),
    "labels without field": ("unknown_parameter", "final/choices/x", lambda: final(**{"choices/x": Choices(["a"])})),
    "wrong kind": ("wrong_kind", "final/rules", lambda: final(rules=Text("x"))),
    "field without labels": (
        "no_labels",
        "draft",
        lambda: with_node(chain(), DRAFT.model_copy(update={"output": (Field(name="notes", type="choice"),)})),
    ),
    "unknown tool": ("unknown_tool", "draft", lambda: chain().replace(tools=())),
    "example of an unknown field": (
        "unknown_field",
        "final/examples",
        lambda: final(examples=Examples([example(x=1)])),
    ),
    "example of an unknown label": (
        "unknown_label",
        "final/examples",
        lambda: final(examples=Examples([example(verdict="maybe")])),
    ),
    "too many examples of a label": (
        "too_many_examples",
        "final/examples",
        lambda: final(
            examples=Examples(
                [{"input": {"notes": str(i)}, "output": {"verdict": "no"}} for i in range(3)], max_per_label=2
            )
        ),
    ),
    "too many examples": (
        "too_many_examples",
        "draft/examples",
        lambda: draft(
            examples=Examples([{"input": {}, "output": {"notes": str(i)}} for i in range(3)], max_per_label=2)
        ),
    ),
    "tool without code": ("no_code", "run", lambda: tool_node(Tool(name="x", arguments=(Field(name="question"),)))),
    "argument not read": ("missing_argument", "run", lambda: tool_node(calc(), inputs=())),
    "argument unknown": (
        "unknown_argument",
        "run",
        lambda: tool_node(calc(), inputs=("question", "other")).replace(
            inputs=(Field(name="question"), Field(name="other"))
        ),
    ),
    "one result, two fields": (
        "wrong_output",
        "run",
        lambda: tool_node(
            calc().model_copy(update={"returns": Field(name="result", type="string")}),
            output=(Field(name="out"), Field(name="b")),
        ),
    ),
    "learned code of another signature": (
        "bad_signature",
        "run/code",
        lambda: tool_node(calc(code=Code("def calc(x): pass", entry="calc"))),
    ),
    "weight named like an input": ("unknown_parameter", "run/question", lambda: tool_node(calc(question=Text("x")))),
    "inner agent not given its input": (
        "missing_argument",
        "inner",
        lambda: inner(chain(), inputs=(), output=(Field(name="verdict"),)),
    ),
    "inner node called like a part of a path": (
        "reserved_id",
        "inner/skills",
        lambda: inner(
            Network("one", [PromptNode("skills", "Do.", inputs=["question"], output={"verdict": str})]),
            output=(Field(name="verdict"),),
        ),
    ),
    "problem of an inner agent": ("unknown_tool", "inner/draft", lambda: inner(chain().replace(tools=()))),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_it_is_found_where_it_is_and_said_in_words(name: str) -> None:
    code, where, make = ILLEGAL[name]
    problems = lint(make())
    assert {(problem.code, problem.where) for problem in problems} == {(code, where)}, "\n".join(map(str, problems))
    for problem in problems:
        assert str(problem) == f"{where}: {problem.message} [{code}]"


@pytest.mark.parametrize("name", ALL)
def test_legal_networks_have_no_problem(name: str) -> None:
    assert lint(ALL[name]()) == []


@settings(max_examples=30)
@given(networks())
def test_what_the_strategy_calls_legal_is_legal(network: Network) -> None:
    assert lint(network) == []


LEGAL: dict[str, Callable[[], Network]] = {
    "a rule that names no label of ours": lambda: final(rules=Rules(["Use `grep`."])),
    "a tool that nobody uses": lambda: chain().replace(tools=(calc(), calc("spare"))),
    "an input that nobody reads": lambda: chain().replace(inputs=(*chain().inputs, Field(name="id"))),
    "an optional argument that is not read": lambda: tool_node(
        calc(code=Code("def calc(question, loud=1): pass", entry="calc")).model_copy(
            update={"arguments": (Field(name="question"), Field(name="loud", required=False))}
        ),
    ),
    "choices of one field at equal priority": lambda: (
        router()
        .replace(edges=(*router().edges, *edges(("sort", "close", {"intent": "refund"}))))
        .replace(nodes=tuple(prompt("close", output={"said": str}) if n.id == "close" else n for n in router().nodes))
    ),
}


@pytest.mark.parametrize("name", LEGAL)
def test_this_is_legal(name: str) -> None:
    assert lint(LEGAL[name]()) == []


def test_a_problem_is_a_sentence_with_its_place_and_code() -> None:
    assert str(Problem("no_end", "a", "no way out")) == "a: no way out [no_end]"


def test_a_function_node_hands_its_weights_beside_its_inputs() -> None:
    node = FunctionNode("f", str, inputs=["object"], output="out", parameters={"object": "x"})
    problems = lint(
        Network("net", [prompt("f", output="out")], [], inputs=["object", "question"]).replace(nodes=(node,))
    )
    assert [problem.code for problem in problems] == ["unknown_parameter"]


def test_networkx_is_loaded_only_when_something_is_checked() -> None:
    program = "import sys, agentsym.network.edits, agentsym.network.files; assert 'networkx' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_prompt_node_is_told_what_fields_are_called() -> None:
    with pytest.raises(ValueError, match="pattern"):
        PromptNode("a", inputs=["not a name"])
