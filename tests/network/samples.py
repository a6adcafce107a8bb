"""Networks that the tests of the ground floor share, and strategies that make random ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from agentsym.network.fields import Choice, Field
from agentsym.network.network import END, Edge, Network, When
from agentsym.network.nodes import AgentNode, AnyNode, PromptNode, Tool, ToolNode
from agentsym.network.parameters import Code, Examples, Number, Option, Rules, Structure, Text

LEARNED = Structure(learnable=True)
SOURCE = "def calc(question):\n    return question.upper()\n"


def prompt(node_id: str, inputs: Any = ("question",), output: Any = "", **rest: Any) -> PromptNode:
    """A prompt node that writes one string, named like itself with `_out` if not said otherwise."""
    return PromptNode(node_id, inputs=inputs, output=output or {f"{node_id}_out": str}, **rest)


def calc(name: str = "calc", **parameters: Any) -> Tool:
    """A tool whose code is learned."""
    weights = {"description": Text("Shouts."), "code": Code(SOURCE, entry="calc"), **parameters}
    return Tool(name=name, arguments=(Field(name="question", type="string"),), parameters=weights)


def chain(*, structure: Structure = LEARNED, **rest: Any) -> Network:
    """Draft → final, with rules, examples, labels and a tool."""
    draft = PromptNode(
        "draft",
        "Work out {{question}}.",
        output={"notes": str},
        rules=["Be brief.", "Be right."],
        tools=[calc()],
    )
    final = PromptNode(
        "final",
        "Decide.",
        inputs=["notes"],
        output={"verdict": Choice({"yes": "it holds", "no": ""})},
        examples=[{"input": {"notes": "1 = 1"}, "output": {"verdict": "yes"}}],
    )
    return Network("chain", [draft, final], [("draft", "final")], outputs=["verdict"], structure=structure, **rest)


def router() -> Network:
    """Sort chooses between refund and fraud, both write reply, close says it."""
    nodes = [
        prompt("sort", output={"intent": Choice(["refund", "fraud"])}),
        prompt("refund", output={"reply": str}),
        prompt("fraud", output={"reply": str}),
        prompt("close", inputs=["reply"], output={"said": str}),
    ]
    edges = [("sort", "fraud", {"intent": "fraud"}), ("sort", "refund"), ("refund", "close"), ("fraud", "close")]
    return Network("router", nodes, edges, outputs=["said"], structure=LEARNED)


def diamond(join: str = "all") -> Network:
    """Split runs left and right side by side, merge reads both."""
    nodes = [
        prompt("split"),
        prompt("left"),
        prompt("right"),
        prompt("merge", inputs=["left_out", "right_out"], join=join),
    ]
    edges = [("split", "left"), ("split", "right"), ("left", "merge"), ("right", "merge")]
    return Network("diamond", nodes, edges, outputs=["merge_out"], structure=LEARNED)


def loop() -> Network:
    """write, then check, which sends it back or lets it go."""
    write = prompt("write", max_visits=3)
    check = prompt("check", inputs=["write_out"], output={"fine": Choice(["yes", "no"])}, max_visits=3)
    edges = [("write", "check"), Edge(source="check", target="write", when=When(field="fine", value="no"))]
    edges += [("check", END), ("__start__", "write")]
    return Network("loop", [write, check], edges, outputs=["write_out"], structure=LEARNED)


def nested() -> Network:
    """The chain as one node of another agent."""
    edges = [("inner", "last")]
    return Network("outer", [AgentNode("inner", chain()), prompt("last", inputs=["verdict"])], edges, structure=LEARNED)


ALL = {"chain": chain, "router": router, "diamond": diamond, "loop": loop, "nested": nested}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
lines = texts.filter(lambda text: text.strip() and "\n" not in text)
names = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,8}\Z")
labels = lines.map(lambda text: text.replace("`", "").strip()).filter(bool)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
rows = st.dictionaries(names, json_values, max_size=3)


@st.composite
def prompt_nodes(draw: st.DrawFn, node_id: str) -> PromptNode:
    """A prompt node with arbitrary weights that reads `question` and writes a choice and a string."""
    found = draw(st.lists(labels, min_size=1, max_size=3, unique=True))
    examples = [
        {"input": draw(rows), "output": {f"{node_id}_out": draw(texts), f"{node_id}_is": draw(st.sampled_from(found))}}
        for _ in range(draw(st.integers(0, 2)))
    ]
    unique = {repr(example): example for example in examples}
    definitions = draw(st.lists(lines | st.just(""), min_size=len(found), max_size=len(found)))
    choice = Choice(dict(zip(found, definitions, strict=True)), learnable=draw(st.booleans()))
    return PromptNode(
        node_id,
        Text(draw(texts.filter(lambda text: "{{" not in text)), role=draw(texts)),
        inputs=["question"],
        output={f"{node_id}_out": str, f"{node_id}_is": choice},
        rules=Rules(draw(st.lists(lines.map(lambda x: x.replace("`", "'")), max_size=3, unique=True))),
        examples=Examples(unique.values(), learnable=draw(st.booleans())),
        model=draw(st.none() | st.just("openai/x") | st.just(Option("a/b", ["a/b", "c/d"]))),
        temperature=draw(st.none() | st.floats(0, 2)),
        description=draw(texts),
    )


@st.composite
def networks(draw: st.DrawFn, depth: int = 1) -> Network:
    """A legal network: a chain of two to four nodes, perhaps with a short cut, a way back, an inner agent."""
    count = draw(st.integers(2, 4))
    nodes: list[AnyNode] = []
    for number in range(count):
        node_id = f"n{number}"
        kind = (
            draw(st.sampled_from(["prompt", "prompt", "tool", "agent" if depth else "prompt"])) if number else "prompt"
        )
        if kind == "tool":
            parameter = Number(draw(st.floats(0, 1)), 0, 1)
            code = Code("def f(question, limit):\n    return 1", entry="f")
            arguments = (Field(name="question"),)
            tool = Tool(name=node_id, arguments=arguments, parameters={"code": code, "limit": parameter})
            nodes.append(ToolNode(node_id, tool, output=f"{node_id}_out"))
        elif kind == "agent":
            nodes.append(AgentNode(node_id, draw(networks(depth=0))))
        else:
            nodes.append(draw(prompt_nodes(node_id)))
    edges: list[Any] = [
        ("__start__", "n0"),
        *((f"n{i}", f"n{i + 1}") for i in range(count - 1)),
        (f"n{count - 1}", END),
    ]
    first = nodes[0]
    assert isinstance(first, PromptNode)
    if count > 2 and draw(st.booleans()):
        edges.append(("n0", f"n{count - 1}", {"n0_is": first.choices("n0_is").labels[0]}))
    last = nodes[-1]
    if isinstance(last, PromptNode) and draw(st.booleans()):
        edges.append((last.id, "n0", {f"{last.id}_is": last.choices(f"{last.id}_is").labels[0]}))
    structure = draw(st.sampled_from([Structure(), LEARNED]))
    outputs = [field.name for field in first.output]
    return Network(draw(st.just("net")), nodes, edges, outputs=outputs, structure=structure)
