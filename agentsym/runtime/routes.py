"""Who runs after whom: a network's edges as langgraph has them, and the choice among conditional ones.

An edge that always leads on is a plain edge, a join is a list edge; where a condition or a visit limit decides, the
node itself names its successors when it has run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agentsym.errors import NodeError
from agentsym.network.network import END, START, Edge, Network


class Choice(NamedTuple):
    """Where a run goes on: the nodes that run next; the target that a condition chose; whether a limit ended it."""

    targets: tuple[str, ...] = ()
    route: str | None = None
    capped: bool = False


class Routes:
    """The edges of one network, sorted by how they are compiled.

    Attributes:
        joins: node → the predecessors that it waits for by a list edge.
        deferred: nodes with `join="all"` whose predecessors need not all run: they wait until nothing else does.
        waits_for: deferred node → the deferred nodes that lead to it, which would otherwise wake at the same time.
        entries: the nodes that START leads to.
    """

    def __init__(self, network: Network) -> None:
        self._limits = {node.id: node.max_visits for node in network.nodes}
        self._edges: dict[str, tuple[Edge, ...]] = {
            source: network.out_edges(source) for source in (START, *self._limits)
        }
        self._sources = {node: [e.source for e in network.edges if e.target == node] for node in self._limits}
        self._reach = {node: self._reachable(node) for node in (START, *self._limits)}
        waiting = [node.id for node in network.nodes if node.join == "all" and len(self._inner_sources(node.id)) > 1]
        self.joins = {node: tuple(self._inner_sources(node)) for node in waiting if self._all_or_none_arrive(node)}
        self.deferred = frozenset(waiting) - self.joins.keys()
        self.waits_for = {
            node: tuple(o for o in self.deferred if node in self._reach[o] and o not in self._reach[node])
            for node in self.deferred
        }
        self.entries = frozenset(edge.target for edge in self._edges[START])
        for node in self.joins:  # what a list edge does is nobody's choice
            for source in self._sources[node]:
                self._edges[source] = tuple(edge for edge in self._edges[source] if edge.target != node)

    def chosen(self, node: str) -> bool:
        """Say whether a node names its successors itself: it has conditions, or may be reached once too often."""
        return self._conditional(node) or any(
            self._cyclic(other) or (len(self._sources[other]) > 1 and other not in self.joins)
            for other in self._limits
            if other == node or node in self._reach[other]
        )

    def targets(self, node: str) -> tuple[str, ...]:
        """Return every node that may run after a node (joins by list edge left out)."""
        return tuple(dict.fromkeys(edge.target for edge in self._edges[node]))

    def choose(self, node: str, values: Mapping[str, Any], visits: Mapping[str, int]) -> Choice:
        """Decide who runs after a node.

        Conditions are tried in order, and a node that has had its visits is passed over. If all that hold have, the
        first edge that leaves the cycle is taken; if there is none, the run is capped.

        Args:
            node: the node that has run.
            values: the fields written so far.
            visits: node → how often it has run, `node` itself included.

        Raises:
            NodeError: when no condition holds.
        """
        edges = self._edges[node]
        open_ = [edge for edge in edges if visits.get(edge.target, 0) < self._limits.get(edge.target, 1 << 30)]
        if not self._conditional(node):
            stuck = bool(edges) and not open_ and any(self._leads_back(edge) for edge in edges)
            return Choice(tuple(edge.target for edge in open_), capped=stuck)
        for edge in open_:
            if edge.when is None or edge.when.holds(values):
                return Choice((edge.target,), route=edge.target)
        if not any(edge.when is None or edge.when.holds(values) for edge in edges):
            read = dict.fromkeys(edge.when.field for edge in edges if edge.when is not None)
            state = ", ".join(f"{name} = {values[name]!r}" if name in values else f"no {name}" for name in read)
            raise NodeError(f"none of its conditional edges holds ({state}); add one without a condition")
        for edge in open_:
            if not self._leads_back(edge):
                return Choice((edge.target,), route=edge.target)
        return Choice((), route=END, capped=True)

    def _conditional(self, node: str) -> bool:
        return any(edge.when is not None for edge in self._edges[node])

    def _cyclic(self, node: str) -> bool:
        return node in self._reach[node]

    def _leads_back(self, edge: Edge) -> bool:
        return edge.target == edge.source or (edge.target != END and edge.source in self._reach[edge.target])

    def _inner_sources(self, node: str) -> list[str]:
        return list(dict.fromkeys(source for source in self._sources[node] if source != START))

    def _reachable(self, start: str, without: str = "") -> frozenset[str]:
        """Return the nodes that can run after `start`, going through any node but `without`."""
        found: set[str] = set()
        waiting = [start]
        while waiting:
            for edge in self._edges[waiting.pop()]:
                if edge.target != END and edge.target not in found and edge.target != without:
                    found.add(edge.target)
                    waiting.append(edge.target)
        return frozenset(found)

    def _all_or_none_arrive(self, node: str) -> bool:
        """Say whether, whatever conditions choose, either all predecessors of a node run or none: so it can wait."""
        sources = set(self._inner_sources(node))
        if self._cyclic(node) or any(self._conditional(source) for source in sources):
            return False
        for router in self._edges:
            if self._conditional(router):
                for target in {edge.target for edge in self._edges[router]} - {END}:
                    arriving = sources & ({target} | self._reachable(target, without=node))
                    if arriving and arriving != sources:
                        return False
        return True
