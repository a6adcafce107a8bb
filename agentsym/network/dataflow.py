"""Which fields exist when a node runs: the data flow of a network, from its inputs along its edges.

The lint asks it what is surely written (so that no node reads a hole), the constructor what is read first (so that
inputs need not be declared).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentsym.network.fields import Field
from agentsym.network.nodes import Node, PromptNode, ToolNode
from agentsym.network.template import variables

if TYPE_CHECKING:
    from agentsym.network.network import Network

_START, _END = "__start__", "__end__"


def reads(node: Node) -> tuple[str, ...]:
    """Return the fields that a node reads: its inputs and the `{{variables}}` of its instructions."""
    named = variables(node.parameters["instructions"].value) if isinstance(node, PromptNode) else ()
    return tuple(dict.fromkeys((*node.inputs, *named)))


def writes(node: Node) -> frozenset[str]:
    """Return the fields that a node writes."""
    return frozenset(field.name for field in node.output)


def surely_written(network: Network) -> dict[str, frozenset[str]]:
    """Return for each node (and END) the fields that every way to it has written.

    A node with `join="all"` waits for all its predecessors, so it sees what any of them has written. Greatest fixed
    point of IN(v) = ∩ over predecessors p of IN(p) ∪ writes(p) (∪ for a join), with IN(START) = the inputs.
    """
    nodes = {node.id: node for node in network.nodes}
    inputs = frozenset(field.name for field in network.inputs)
    everything = inputs.union(*(writes(node) for node in network.nodes)) if nodes else inputs
    before = dict.fromkeys((*nodes, _END), everything)
    sources: dict[str, list[str]] = {target: [] for target in before}
    for edge in network.edges:
        if edge.target in sources and (edge.source in nodes or edge.source == _START):
            sources[edge.target].append(edge.source)
    changed = True
    while changed:
        changed = False
        for target, origins in sources.items():
            arriving = [inputs if o == _START else before[o] | writes(nodes[o]) for o in origins]
            if not arriving:
                continue
            joined = target in nodes and nodes[target].join == "all"
            now = frozenset.union(*arriving) if joined else frozenset.intersection(*arriving)
            changed |= now != before[target]
            before[target] = now
    return before


def fields_read_first(network: Network) -> tuple[Field, ...]:
    """Return the fields that some node reads although no node before it can have written them, in order of reading."""
    nodes = {node.id: node for node in network.nodes}
    before: dict[str, set[str]] = {node_id: set() for node_id in nodes}
    changed = True
    while changed:
        changed = False
        for edge in network.edges:
            if edge.source in nodes and edge.target in nodes:
                arriving = before[edge.source] | writes(nodes[edge.source])
                changed |= not arriving <= before[edge.target]
                before[edge.target] |= arriving
    found: dict[str, Field] = {}
    for node in network.nodes:
        typed = {field.name: field for field in node.tool.arguments} if isinstance(node, ToolNode) else {}
        for name in reads(node):
            if name not in before[node.id] and (name not in found or found[name].type == "any"):
                found[name] = typed.get(name, Field(name=name))
    return tuple(found.values())
