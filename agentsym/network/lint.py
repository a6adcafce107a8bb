"""`lint`: everything that makes a network illegal, found before anything runs.

The graph is checked here, what stands inside a node or tool in `node_checks.py`. Tools that no node uses are
legal: detaching is how learning retires a tool, and a later edit may attach it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations

from agentsym.errors import Problem
from agentsym.network.dataflow import possibly_written, reads, surely_written, writes, written_together
from agentsym.network.network import END, START, Edge, Network
from agentsym.network.node_checks import check_node, check_tool
from agentsym.network.nodes import AgentNode, PromptNode
from agentsym.network.parameters import Choices

__all__ = ["MAX_DESCRIPTION", "MAX_EDGES", "MAX_NODES", "MAX_TOOLS", "Problem", "lint"]

MAX_NODES = 100
MAX_EDGES = 400
MAX_TOOLS = 100
MAX_DESCRIPTION = 2000


def lint(network: Network) -> list[Problem]:
    """Return every reason why a network is not legal; an empty list means that it can run.

    The data flow is only looked at when the graph is sound, since it means nothing otherwise.
    """
    problems = [*_sizes(network), *_names(network), *_edges(network)]
    if not problems:
        problems += _ways(network)
    if not problems:
        problems += _flow(network)
    for tool in network.tools:
        problems += check_tool(tool, tool.name)
    for node in network.nodes:
        problems += check_node(node, {tool.name for tool in network.tools})
        if isinstance(node, AgentNode):
            problems += [p._replace(where=f"{node.id}/{p.where}") for p in lint(node.agent)]
    return problems


def _sizes(network: Network) -> Iterator[Problem]:
    for what, count, most in (
        ("nodes", len(network.nodes), MAX_NODES),
        ("edges", len(network.edges), MAX_EDGES),
        ("tools", len(network.tools), MAX_TOOLS),
    ):
        if count > most:
            yield Problem("too_large", network.name, f"{count} {what}, at most {most} are allowed; split the agent")
    described = [
        (network.name, network.description),
        *((node.id, node.description) for node in network.nodes),
    ]
    for where, text in described:
        if len(text) > MAX_DESCRIPTION:
            yield Problem("too_large", where, f"a description of {len(text)} characters, at most {MAX_DESCRIPTION}")


def _names(network: Network) -> Iterator[Problem]:
    if not network.nodes:
        yield Problem("no_nodes", network.name, "an agent needs at least one node")
    names = Counter([*(node.id for node in network.nodes), *(tool.name for tool in network.tools)])
    for name, count in names.items():
        if count > 1:
            yield Problem("duplicate_id", name, f"{count} nodes or tools have this name; rename all but one")
    for what, fields in (("inputs", [f.name for f in network.inputs]), ("outputs", list(network.outputs))):
        for name, count in Counter(fields).items():
            if count > 1:
                yield Problem("duplicate_field", network.name, f"{name!r} stands {count} times in {what}")


def _edges(network: Network) -> Iterator[Problem]:
    """Check each edge and the edges of each node among themselves."""
    known = [node.id for node in network.nodes]
    for edge in network.edges:
        for name, special in ((edge.source, START), (edge.target, END)):
            if name != special and name not in known:
                message = f"there is no node {name!r} that an edge could have here; there are {', '.join(known)}"
                yield Problem("unknown_node", _shown(edge), message)
        if (edge.source, edge.target) == (START, END):
            yield Problem("unknown_node", _shown(edge), "an edge from START to END passes every node by; drop it")
    for edge, count in Counter(_bare(edge) for edge in network.edges).items():
        if count > 1:
            yield Problem("duplicate_edge", _shown(edge), f"the same edge stands {count} times; drop all but one")
    for source in (START, *known):
        yield from _siblings(source, network.out_edges(source))


def _siblings(source: str, edges: tuple[Edge, ...]) -> Iterator[Problem]:
    """Check the edges that leave one place: a fork without conditions, or a choice with a last fallback."""
    conditional = [edge for edge in edges if edge.when]
    fallbacks = [edge for edge in edges if not edge.when]
    if not conditional:
        return
    if not fallbacks:
        message = "all edges have conditions; the last one tried must have none, so that there is always a way on"
        yield Problem("no_fallback", source, message)
    elif len(fallbacks) > 1 or edges[-1].when:
        message = "beside edges with conditions there must be one without, and it must be the last one tried"
        yield Problem("mixed_edges", source, message)
    for a, b in combinations(conditional, 2):
        if a.priority == b.priority and a.target != b.target and not _exclusive(a, b):
            message = f"the conditions to {a.target} and {b.target} may both hold; give them different priorities"
            yield Problem("ambiguous_order", source, message)


def _exclusive(a: Edge, b: Edge) -> bool:
    """Say whether two conditions never hold together: they want one field to equal different values."""
    assert a.when and b.when
    values = [set(_values(e)) if all(isinstance(v, str | int) for v in _values(e)) else None for e in (a, b)]
    known = values[0] is not None and values[1] is not None and values[0].isdisjoint(values[1])
    return a.when.field == b.when.field and {a.when.op, b.when.op} <= {"eq", "in"} and known


def _values(edge: Edge) -> tuple[object, ...]:
    """Return the values that an `eq` or `in` condition lets pass."""
    assert edge.when
    if edge.when.op == "in":
        return tuple(edge.when.value) if isinstance(edge.when.value, Iterable) else (None,)
    return (edge.when.value,)


def _ways(network: Network) -> Iterator[Problem]:
    """Check that every node can be reached, leads to END, and that every cycle can be left."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from([START, *(node.id for node in network.nodes), END])
    graph.add_edges_from((edge.source, edge.target) for edge in network.edges)
    if not graph.out_degree(START):
        yield Problem(
            "no_entry",
            network.name,
            "no edge leads from START to a node, so nothing can begin; use set_entry",
        )
        return
    reached = nx.descendants(graph, START)
    ending = nx.ancestors(graph, END)
    for node in network.nodes:
        if node.id not in reached:
            yield Problem("unreachable", node.id, "no way leads from START to this node; connect it or delete it")
        if node.id not in ending:
            yield Problem("no_end", node.id, "no way leads from this node to END; add an edge that leads on")
    for members in nx.strongly_connected_components(graph):
        inside = [edge for edge in network.edges if edge.source in members and edge.target in members]
        choosing = {edge.source for edge in network.edges if edge.source in members and edge.when}
        leaves = any(edge.source in choosing and edge.target not in members for edge in network.edges)
        if inside and not leaves:
            message = "no node of this cycle chooses to leave it; give one of its nodes an edge out and a condition"
            yield Problem("endless_cycle", ", ".join(sorted(members)), message)


def _flow(network: Network) -> Iterator[Problem]:
    """Check that whatever is read, tested or given out has been written before."""
    before = surely_written(network)
    inputs = {field.name for field in network.inputs}
    known = inputs.union(*(writes(node) for node in network.nodes))
    for node in network.nodes:
        for name in reads(node):
            if name not in known:
                message = f"it reads {name!r}, which is no input and no output; there are {_listed(known)}"
                yield Problem("unknown_field", node.id, message)
            elif name not in before[node.id]:
                message = f"it reads {name!r}, which not every way to it has written"
                yield Problem("unwritten", node.id, f"{message}; have it written before, or wait with join='all'")
    for name in network.outputs:
        if name not in known - inputs and all(name not in writes(node) for node in network.nodes):
            message = f"no node writes its output {name!r}; there are {_listed(known - inputs)}"
            yield Problem("unknown_field", network.name, message)
        elif name not in before[END]:
            message = f"its output {name!r} is not written on every way to END; write it on all, or leave it out"
            yield Problem("unwritten", network.name, message)
    if not network.outputs and known - inputs:
        message = "it gives nothing: no field is written on every way to END; let every branch write one same field"
        yield Problem("no_output", network.name, message)
    for first, second, name in written_together(network):
        message = f"both may write {name!r} at the same time; rename one's output, or run them one after the other"
        yield Problem("parallel_write", f"{first}, {second}", message)
    yield from _conditions(network)


def _conditions(network: Network) -> Iterator[Problem]:
    """Check that each condition tests a field that may be there, and labels that exist."""
    inputs = frozenset(field.name for field in network.inputs)
    before = possibly_written(network)
    for edge in network.edges:
        if not edge.when:
            continue
        name = edge.when.field
        there = inputs if edge.source == START else inputs | before[edge.source] | writes(network.node(edge.source))
        if name not in there:
            message = f"the condition tests {name!r}, which nothing before it writes; there are {_listed(there)}"
            yield Problem("unknown_field", _shown(edge), message)
        labels = _labels_of(network, name)
        wrong = [v for v in _values(edge) if edge.when.op in ("eq", "ne", "in") and v not in labels] if labels else []
        if wrong:
            message = f"{wrong[0]!r} is no label of {name!r}; there are {', '.join(labels)}"
            yield Problem("unknown_label", _shown(edge), message)


def _labels_of(network: Network, name: str) -> tuple[str, ...]:
    """Return the labels that a field can have, if only choices write it."""
    found: list[str] = []
    for node in network.nodes:
        if name in writes(node):
            choices = node.parameters.get(f"choices/{name}") if isinstance(node, PromptNode) else None
            if not isinstance(choices, Choices):
                return ()
            found += choices.labels
    return () if name in {field.name for field in network.inputs} else tuple(dict.fromkeys(found))


def _bare(edge: Edge) -> Edge:
    return edge.model_copy(update={"priority": 0})


def _shown(edge: Edge) -> str:
    return f"{edge.source} → {edge.target}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
