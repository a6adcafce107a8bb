"""Surgery on the graph: what the structural edits do to nodes, edges and the tools of a network.

Every function takes a network and returns another, unchecked (`apply` lints the last one of a list); it
raises NetworkError where an operation makes no sense by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from agentsym.errors import NetworkError
from agentsym.network.canonical import FrozenDict
from agentsym.network.fields import Field
from agentsym.network.network import END, START, Edge, Network, When
from agentsym.network.nodes import AnyNode, PromptNode, Tool, ToolNode

N = TypeVar("N", bound=Network)


def add_node(
    network: N,
    node: AnyNode,
    *,
    on_edge: tuple[str, str] | None = None,
    after: str | None = None,
    before: str | None = None,
) -> N:
    """Add a node at a place (none: unconnected).

    On an edge (u, v) it takes over u's conditions and leads to v. `after` u: u leads to the node, which takes
    over u's edges with their conditions, so that a choice is made after it. `before` v: every edge into v,
    with its condition, leads to the node, which leads to v and waits for what v waited for.
    """
    _require_unused(network, node.id)
    edges = network.edges
    if on_edge is not None:
        source, target = on_edge
        between = _between(network, source, target)
        edges = _without(edges, between)
        edges += (
            *(edge.model_copy(update={"target": node.id}) for edge in between),
            Edge(source=node.id, target=target),
        )
    elif after is not None:
        edges = _insert_after(network, edges, node.id, after)
    elif before is not None:
        incoming = tuple(edge for edge in edges if edge.target == before)
        if not incoming:
            raise NetworkError(f"no edge leads to {before!r}; {_known(network)}")
        edges = _without(edges, incoming)
        edges += (
            *(edge.model_copy(update={"target": node.id}) for edge in incoming),
            Edge(source=node.id, target=before),
        )
        if before != END and network.node(before).join == "all":
            node = node.model_copy(update={"join": "all"})
    return network.replace(nodes=(*network.nodes, node), edges=edges)


def delete_node(network: N, node_id: str, edges: Sequence[Edge] | None = None) -> N:
    """Remove a node and its edges; put the given edges in their place or, without any, bridge the gap.

    A bridge joins each predecessor (with its condition) to each successor, without self-loops and duplicates.
    Where the node itself chose between its successors, its only predecessor's only edge takes over the
    choice. The entry moves to the only successor.

    Raises:
        NetworkError: when a bridge would not keep the meaning.
    """
    network.node(node_id)
    nodes = tuple(node for node in network.nodes if node.id != node_id)
    touching = tuple(edge for edge in network.edges if node_id in (edge.source, edge.target))
    kept = _without(network.edges, touching)
    added = _bridge(network, node_id) if edges is None else tuple(edges)
    return network.replace(nodes=nodes, edges=kept + tuple(edge for edge in added if edge not in kept))


def move_node(network: N, node_id: str, after: str) -> N:
    """Bridge the gap that a node leaves and insert it between `after` and all successors of it."""
    if node_id == after:
        raise NetworkError(f"{node_id!r} cannot stand after itself; name another node")
    without = delete_node(network, node_id)
    return network.replace(edges=_insert_after(without, without.edges, node_id, after))


def add_edge(network: N, edge: Edge) -> N:
    """Add an edge between nodes that exist."""
    _require_place(network, edge.source, START)
    _require_place(network, edge.target, END)
    if any((e.source, e.target, e.when) == (edge.source, edge.target, edge.when) for e in network.edges):
        raise NetworkError(f"there is such an edge from {edge.source!r} to {edge.target!r} already; leave it out")
    return network.replace(edges=(*network.edges, edge))


def drop_edge(network: N, source: str, target: str) -> N:
    """Remove every edge from `source` to `target`."""
    return network.replace(edges=_without(network.edges, _between(network, source, target)))


def set_condition(network: N, source: str, target: str, when: When | None, priority: int | None) -> N:
    """Make the edges from `source` to `target` one edge with this condition."""
    between = _between(network, source, target)
    least = min(edge.priority for edge in between) if priority is None else priority
    edge = Edge(source=source, target=target, when=when, priority=least)
    return network.replace(edges=(*_without(network.edges, between), edge))


def set_entry(network: N, node_id: str) -> N:
    """Start at one node only."""
    network.node(node_id)
    edges = tuple(edge for edge in network.edges if edge.source != START)
    return network.replace(edges=(Edge(source=START, target=node_id), *edges))


def set_output(network: N, node_id: str, fields: tuple[Field, ...]) -> N:
    """Set what a node writes; labels and descriptions of fields that go away go with them."""
    node = network.node(node_id)
    parameters = dict(node.parameters)
    if isinstance(node, PromptNode):
        wanted = {f"choices/{field.name}" for field in fields if field.type == "choice"}
        if missing := wanted - parameters.keys():
            raise NetworkError(
                f"{', '.join(sorted(missing))}: a new choice field needs labels, which this edit cannot "
                "give; use another type, or add a node that has the field"
            )
        kept = {*wanted, *(f"fields/{field.name}" for field in fields)}
        parameters = {n: p for n, p in parameters.items() if not n.startswith(("choices/", "fields/")) or n in kept}
    return replace_node(network, node.model_copy(update={"output": fields, "parameters": FrozenDict(parameters)}))


def replace_node(network: N, node: AnyNode) -> N:
    """Put a node in the place of the one with its id."""
    return network.replace(nodes=tuple(node if old.id == node.id else old for old in network.nodes))


def create_tool(network: N, tool: Tool, attach_to: Iterable[str]) -> N:
    """Add a tool under an unused name and attach it."""
    _require_unused(network, tool.name)
    changed = network.replace(tools=(*network.tools, tool))
    for node_id in attach_to:
        changed = attach_tool(changed, node_id, tool.name)
    return changed


def delete_tool(network: N, name: str) -> N:
    """Remove a tool and detach it everywhere."""
    if all(tool.name != name for tool in network.tools):
        for node in network.nodes:
            if isinstance(node, ToolNode) and name in (node.id, node.tool.name):
                raise NetworkError(f"node {node.id!r} runs this tool itself; delete the node instead")
    network.tool(name)
    nodes = tuple(
        node.model_copy(update={"tools": tuple(t for t in node.tools if t != name)})
        if isinstance(node, PromptNode) and name in node.tools
        else node
        for node in network.nodes
    )
    return network.replace(nodes=nodes, tools=tuple(tool for tool in network.tools if tool.name != name))


def attach_tool(network: N, node_id: str, name: str) -> N:
    """Let a prompt node call a tool."""
    node = _prompt_node(network, node_id)
    network.tool(name)
    if name in node.tools:
        raise NetworkError(f"node {node_id!r} has tool {name!r} already; leave it out")
    return replace_node(network, node.model_copy(update={"tools": (*node.tools, name)}))


def detach_tool(network: N, node_id: str, name: str) -> N:
    """Take a tool from a prompt node; the agent keeps it for others."""
    node = _prompt_node(network, node_id)
    if name not in node.tools:
        raise NetworkError(f"node {node_id!r} has no tool {name!r}; it has {', '.join(node.tools) or 'none'}")
    return replace_node(network, node.model_copy(update={"tools": tuple(t for t in node.tools if t != name)}))


def _bridge(network: Network, node_id: str) -> tuple[Edge, ...]:
    """Return the edges that join a node's predecessors to its successors."""
    incoming = [e for e in network.edges if e.target == node_id and e.source != node_id]
    outgoing = [e for e in network.edges if e.source == node_id and e.target != node_id]
    targets = {edge.target for edge in outgoing}
    explicit = "use delete_node with mode='explicit' and say which edges there should be"
    if any(edge.source == START for edge in incoming) and (len(targets) != 1 or END in targets):
        raise NetworkError(f"the agent starts at {node_id!r}, which has no single successor to start at; {explicit}")
    chooses = any(edge.when for edge in outgoing)
    bridged: list[Edge] = []
    for before in incoming:
        alone = sum(edge.source == before.source for edge in network.edges) == 1
        if chooses and (before.when or not alone):
            raise NetworkError(
                f"{node_id!r} chooses between its successors, which {before.source!r} cannot; {explicit}"
            )
        for after in outgoing:
            choice = after if chooses else before
            edge = Edge(source=before.source, target=after.target, when=choice.when, priority=choice.priority)
            if edge.source != edge.target and edge not in bridged:
                bridged.append(edge)
    return tuple(bridged)


def _insert_after(network: Network, edges: tuple[Edge, ...], node_id: str, after: str) -> tuple[Edge, ...]:
    outgoing = tuple(edge for edge in edges if edge.source == after)
    if not outgoing:
        raise NetworkError(f"no edge leaves {after!r}; {_known(network)}")
    moved = (edge.model_copy(update={"source": node_id}) for edge in outgoing)
    return (*_without(edges, outgoing), Edge(source=after, target=node_id), *moved)


def _between(network: Network, source: str, target: str) -> tuple[Edge, ...]:
    found = tuple(edge for edge in network.edges if (edge.source, edge.target) == (source, target))
    if not found:
        known = ", ".join(f"{edge.source} → {edge.target}" for edge in network.edges)
        raise NetworkError(f"there is no edge {source} → {target}; there are {known}")
    return found


def _without(edges: tuple[Edge, ...], dropped: Sequence[Edge]) -> tuple[Edge, ...]:
    return tuple(edge for edge in edges if edge not in dropped)


def _prompt_node(network: Network, node_id: str) -> PromptNode:
    node = network.node(node_id)
    if not isinstance(node, PromptNode):
        raise NetworkError(f"node {node_id!r} is a {node.kind} node; only prompt nodes call tools")
    return node


def _require_unused(network: Network, name: str) -> None:
    if name in {*(node.id for node in network.nodes), *(tool.name for tool in network.tools)}:
        raise NetworkError(f"the name {name!r} is taken; choose another")


def _require_place(network: Network, name: str, special: str) -> None:
    if name != special and all(node.id != name for node in network.nodes):
        raise NetworkError(f"{name!r} cannot stand there; {_known(network)}, and {special}")


def _known(network: Network) -> str:
    return f"the nodes are {', '.join(node.id for node in network.nodes)}"
