"""A network as a Mermaid flowchart: what people paste into a README, and what `agentsym show --mermaid` prints."""

from __future__ import annotations

import re

from agentsym.network.network import END, START, Edge, Network, When
from agentsym.network.nodes import AnyNode

_SHAPES = {"prompt": ("(", ")"), "tool": ("[[", "]]"), "function": ("[/", "/]"), "agent": ("{{", "}}")}
_SIGNS = {"eq": "=", "ne": "≠", "in": "in", "contains": "contains", "lt": "<", "gt": ">"}
_UNSAFE = re.compile(r"[^\w \-.,:;=≠()/+'→]")


def mermaid(network: Network) -> str:
    """Return the text of a flowchart, the same for every order of nodes and edges.

    Prompt nodes are round, tools have double sides, functions lean, inner agents are hexagons; a condition stands
    on its edge, `else` on the edge that is taken when no other is.
    """
    nodes = sorted(network.nodes, key=lambda node: node.id)
    names = {START: "start", END: "stop", **{node.id: f"n{number}" for number, node in enumerate(nodes, 1)}}
    lines = ["flowchart TD", '    start(["START"])', *(f"    {names[node.id]}{_box(node)}" for node in nodes)]
    lines.append('    stop(["END"])')
    for source in (START, *(node.id for node in nodes)):
        edges = network.out_edges(source)
        chooses = any(edge.when for edge in edges)
        for edge in edges:
            label = _label(edge) if chooses else ""
            arrow = f'-->|"{escape(label)}"|' if label else "-->"
            lines.append(f"    {names[source]} {arrow} {names.get(edge.target, 'stop')}")
    return "\n".join(lines) + "\n"


def condition(when: When) -> str:
    """Write a condition as people read it: `intent = refund`."""
    if when.op == "exists":
        return f"{when.field} exists"
    value = ", ".join(map(str, when.value)) if isinstance(when.value, tuple | list) else str(when.value)
    return f"{when.field} {_SIGNS[when.op]} {value}"


def escape(text: str) -> str:
    """Write text so that Mermaid shows it as it is: whatever could mean something becomes its code point."""
    return _UNSAFE.sub(lambda match: f"#{ord(match.group())};", " ".join(text.split()))


def _box(node: AnyNode) -> str:
    before, after = _SHAPES[node.kind]
    tools = getattr(node, "tools", ())
    label = f"{node.id}: {', '.join(tools)}" if tools else node.id
    return f'{before}"{escape(label)}"{after}'


def _label(edge: Edge) -> str:
    return condition(edge.when) if edge.when else "else"
