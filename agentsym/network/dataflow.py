"""Which fields exist when a node runs: the data flow of a network, from its inputs along its edges.

The lint asks it what is surely written (so that no node reads a hole), the constructor what is read first (so
that inputs need not be declared) and what is there in the end (so that outputs need not be named).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from agentsym.network.fields import Field
from agentsym.network.nodes import AgentNode, Node, PromptNode, ToolNode
from agentsym.network.parameters import Text
from agentsym.network.template import variables

if TYPE_CHECKING:
    from agentsym.network.network import Edge, Network

_START, _END = "__start__", "__end__"
Fields = frozenset[str]


def reads(node: Node) -> tuple[str, ...]:
    """Return the fields that a node reads: its inputs and the `{{variables}}` of its instructions."""
    text = node.parameters.get("instructions") if isinstance(node, PromptNode) else None
    named = variables(text.value) if isinstance(text, Text) else ()
    return tuple(dict.fromkeys((*node.inputs, *named)))


def writes(node: Node) -> Fields:
    """Return the fields that a node writes."""
    return frozenset(field.name for field in node.output)


def surely_written(network: Network) -> dict[str, Fields]:
    """Return for each node (and END) the fields that are written whenever it runs.

    A node with `join="any"` runs as soon as one predecessor has: IN(v) = ∩ over predecessors p of IN(p) ∪
    writes(p), greatest fixed point, IN(START) = the inputs. A node with `join="all"`, and END, see what all
    the predecessors that run have brought: of the branches of a choice one runs (∩), of a fork all (∪).
    """
    inputs = frozenset(field.name for field in network.inputs)
    out = _outgoing(network)
    written = {_START: Fields(), **{node.id: writes(node) for node in network.nodes}}
    everything = inputs.union(*written.values())
    before = dict.fromkeys((*(node.id for node in network.nodes), _END), everything)
    waiting = [*(node.id for node in network.nodes if node.join == "all"), _END]
    before.update({target: inputs | _carried_to(target, out, written, everything) for target in waiting})
    sources: dict[str, list[str]] = {node_id: [] for node_id in before if node_id not in waiting}
    for source, edges in out.items():
        for edge in edges:
            if edge.target in sources:
                sources[edge.target].append(source)
    changed = True
    while changed:
        changed = False
        for target, origins in sources.items():
            arriving = [inputs if o == _START else before[o] | written[o] for o in origins]
            now = frozenset.intersection(*arriving) if arriving else before[target]
            changed |= now != before[target]
            before[target] = now
    return before


def _carried_to(
    target: str, out: Mapping[str, tuple[Edge, ...]], written: Mapping[str, Fields], everything: Fields
) -> Fields:
    """Return the fields surely written on the way from START, once all that leads to `target` has come.

    Backwards from the target, per place: `sure` says whether it is surely reached from there, `carried` what
    the branches that reach it have surely written between them. Greatest fixed points: a cycle is left in the
    end.
    """
    sure = {place: place != _END for place in (*out, _END)} | {target: True}
    carried = dict.fromkeys(sure, everything) | {target: Fields()}
    reaching = _leading_to(target, out)
    changed = True
    while changed:
        changed = False
        for place, edges in out.items():
            if place == target:
                continue
            goes_on = [edge.target for edge in edges if edge.target in reaching]
            fork = not any(edge.when for edge in edges)
            now = any(sure[e.target] for e in edges) if fork else all(sure[e.target] for e in edges)
            common = frozenset.intersection(*(carried[t] for t in goes_on)) if goes_on else everything
            brought = common.union(*(carried[t] for t in goes_on if sure[t])) if fork else common
            brought |= written[place]
            changed |= (now, brought) != (sure[place], carried[place])
            sure[place], carried[place] = now, brought
    return carried[_START]


def possibly_written(network: Network) -> dict[str, Fields]:
    """Return for each node the fields that some way to it writes, the inputs left out."""
    nodes = {node.id: node for node in network.nodes}
    before = dict.fromkeys(nodes, Fields())
    changed = True
    while changed:
        changed = False
        for edge in network.edges:
            if edge.source in nodes and edge.target in nodes:
                arriving = before[edge.source] | writes(nodes[edge.source])
                changed |= not arriving <= before[edge.target]
                before[edge.target] |= arriving
    return before


def fields_read_first(network: Network) -> tuple[Field, ...]:
    """Return the fields that are read although no node before can have written them, in order of reading.

    Nodes read their inputs, edges the field of their condition; the type is the one that a tool or an inner
    agent asks for.
    """
    before = possibly_written(network)
    found: dict[str, Field] = {}

    def add(names: Iterable[str], known: Fields, typed: Mapping[str, Field]) -> None:
        for name in names:
            if name not in known and (name not in found or found[name].type == "any"):
                found[name] = typed.get(name, Field(name=name))

    for node in network.nodes:
        asked: tuple[Field, ...] = ()
        if isinstance(node, ToolNode):
            asked = node.tool.arguments
        elif isinstance(node, AgentNode):
            asked = node.agent.inputs
        add(reads(node), before[node.id], {field.name: field for field in asked})
    wrote = {_START: Fields(), **{node.id: before[node.id] | writes(node) for node in network.nodes}}
    for edge in network.edges:
        if edge.when and edge.source in wrote:
            add((edge.when.field,), wrote[edge.source], {})
    return tuple(found.values())


def written_together(network: Network) -> list[tuple[str, str, str]]:
    """Return (node, node, field) for nodes that may run in the same super-step and both write the field.

    Two branches of a fork run side by side, step by step; a node that waits for others may stand still
    meanwhile.
    """
    nodes = {node.id: node for node in network.nodes}
    next_to = {
        place: [edge.target for edge in edges if edge.target in nodes] for place, edges in _outgoing(network).items()
    }
    todo = [
        (a.target, b.target)
        for edges in _outgoing(network).values()
        if not any(edge.when for edge in edges)
        for a in edges
        for b in edges
        if a.target != b.target and a.target in nodes and b.target in nodes
    ]
    seen: set[tuple[str, str]] = set()
    while todo:
        pair = todo.pop()
        if pair in seen or pair[0] == pair[1]:
            continue
        seen.add(pair)
        first, second = ([*next_to[node_id], *([node_id] if nodes[node_id].join == "all" else [])] for node_id in pair)
        todo += [(a, b) for a in first for b in second]
    return sorted((a, b, f) for a, b in seen if a < b for f in writes(nodes[a]) & writes(nodes[b]))


def _outgoing(network: Network) -> dict[str, tuple[Edge, ...]]:
    """Return the edges that leave START and each node, those to unknown places left out."""
    known = {_START, *(node.id for node in network.nodes)}
    return {
        place: tuple(e for e in network.edges if e.source == place and (e.target in known or e.target == _END))
        for place in known
    }


def _leading_to(target: str, out: Mapping[str, tuple[Edge, ...]]) -> set[str]:
    found = {target}
    grown = True
    while grown:
        more = {place for place, edges in out.items() if any(edge.target in found for edge in edges)} - found
        grown = bool(more)
        found |= more
    return found
