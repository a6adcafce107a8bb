"""From a network to a langgraph graph that shows exactly the agent's inputs and outputs.

Everything that is the same for every input is prepared here once: prompts, schemas, tools, routes and hashes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal
from weakref import WeakKeyDictionary, finalize

from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agentsym.errors import UsageError
from agentsym.models.door import Door
from agentsym.network.network import Network
from agentsym.runtime.context import Context, student_model
from agentsym.runtime.loop import LoopThread
from agentsym.runtime.nodes import Begin, NodeRunner, work_of
from agentsym.runtime.recorder import Recorder
from agentsym.runtime.routes import Routes
from agentsym.runtime.state import Schemas

Graph = CompiledStateGraph[Any, Any, Any, Any]


class AgentGraph(StateGraph[Any, Any, Any, Any]):
    """The builder behind a compiled network: it knows the network and serves the runs that bring no context.

    Such runs come from a foreign graph that has this one as a node. They get the default student and a door of their
    own, one a loop, since connections belong to the loop they were opened in.
    """

    def __init__(self, network: Network, schemas: Schemas) -> None:
        super().__init__(schemas.state, input_schema=schemas.input, output_schema=schemas.output)
        self.network = network
        self._contexts: WeakKeyDictionary[asyncio.AbstractEventLoop, Context] = WeakKeyDictionary()
        self._thread: LoopThread | None = None

    def default_recorder(self) -> Recorder:
        """Return a recorder that keeps nothing, with the default context of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._contexts:
            self._contexts[loop] = Context(student=student_model(None), door=Door(), record=False)
        return Recorder(self._contexts[loop])

    def thread(self) -> LoopThread:
        """Return the loop on which a synchronous foreign graph runs our nodes."""
        if self._thread is None:
            self._thread = LoopThread()
            finalize(self, self._thread.stop)
        return self._thread


def compile(
    network: Network,
    *,
    checkpointer: Any = None,
    interrupt_before: Sequence[str] | Literal["*"] = (),
    interrupt_after: Sequence[str] | Literal["*"] = (),
    name: str | None = None,
) -> Graph:
    """Compile a network to a langgraph graph, usable alone or as a node of any other graph.

    Args:
        network: the network.
        checkpointer: any langgraph checkpointer, for interrupts and resuming.
        interrupt_before: nodes to stop before.
        interrupt_after: nodes to stop after.
        name: the graph's name; the network's by default.

    Raises:
        SandboxError: when a tool's code is learned, and there is no sandbox on this machine.
        UsageError: when an interrupt names no node.
    """
    unknown = ({*interrupt_before, *interrupt_after} - {"*"}) - {node.id for node in network.nodes}
    if unknown:
        raise UsageError(f"agent {network.name!r} has no node {', '.join(sorted(unknown))} to interrupt at")
    schemas, routes = Schemas(network), Routes(network)
    graph = AgentGraph(network, schemas)
    for node in network.nodes:
        runner = NodeRunner(
            node, work_of(node, network, compiled), network, routes, graph.default_recorder, graph.thread
        )
        graph.add_node(
            node.id,
            runner,
            input_schema=schemas.reads,
            defer=node.id in routes.deferred,
            destinations=routes.targets(node.id) if routes.chosen(node.id) else None,
        )
    _connect(graph, network, routes, begin=bool(checkpointer) or routes.chosen(START))
    made = graph.compile(
        checkpointer=checkpointer,
        interrupt_before=_all_or_list(interrupt_before),
        interrupt_after=_all_or_list(interrupt_after),
        name=name or network.name,
    )
    made.stream_channels = list(dict.fromkeys([*(field.name for field in network.inputs), *network.outputs]))
    # A visit that is one too many takes a super-step as well, and so does a node that waits for another.
    return made.with_config(recursion_limit=3 * sum(node.max_visits for node in network.nodes) + 4)


def network_of(graph: Graph) -> Network:
    """Return the network that a graph was compiled from.

    Raises:
        UsageError: when the graph is not one of ours.
    """
    if not isinstance(graph.builder, AgentGraph):
        raise UsageError(f"{graph.name} was not compiled from an agent; hand over the agent or agent.compile()")
    return graph.builder.network


def compiled(network: Network | Graph) -> Graph:
    """Return the graph of a network, compiled at most once: it is kept on the value itself."""
    if not isinstance(network, Network):
        return network
    private = network.__pydantic_private__
    assert private is not None  # a network has private attributes; there it makes no difference to equality
    kept = private.get(_KEPT)
    if kept is None or kept.network is not network:  # a copy with changes brings the original's graph along
        kept = private[_KEPT] = _Kept(network, compile(network))
    graph: Graph = kept.graph
    return graph


_KEPT = "_compiled"


class _Kept:
    """A compiled graph beside its network; it is left behind when the network is copied or pickled."""

    def __init__(self, network: Network | None = None, graph: Any = None) -> None:
        self.network = network
        self.graph = graph

    def __reduce__(self) -> tuple[type[_Kept], tuple[()]]:
        return _Kept, ()


def _connect(graph: AgentGraph, network: Network, routes: Routes, *, begin: bool) -> None:
    """Add the edges that always lead on and the joins; the others are taken by the nodes themselves."""
    if begin:
        graph.add_node(
            "begin.run", Begin(network, routes), destinations=routes.targets(START)
        )  # a dot: no node's id has one
        graph.add_edge(START, "begin.run")
    else:
        for target in routes.targets(START):
            graph.add_edge(START, target)
    for node in network.nodes:
        if not routes.chosen(node.id):
            for target in routes.targets(node.id):
                graph.add_edge(node.id, target)
    for target, sources in routes.joins.items():
        graph.add_edge(list(sources), target)


def _all_or_list(nodes: Sequence[str] | Literal["*"]) -> Any:
    return "*" if nodes == "*" else list(nodes)
