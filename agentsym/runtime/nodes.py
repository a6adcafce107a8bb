"""One node of the compiled graph: what happens around its work at every visit.

Inputs are read from the stamped state, the visit limit and the timeout hold, the successors are chosen, and the visit
is kept whether it ends well or not. What the work itself is stands in `prompting.py` and `calling.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from langchain_core.runnables import Runnable
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command, Overwrite

from agentsym.errors import AgentsymError, BudgetExceeded, NodeError, Unavailable
from agentsym.network.dataflow import reads
from agentsym.network.network import START, Network
from agentsym.network.nodes import AgentNode, AnyNode, FunctionNode, PromptNode, ToolNode
from agentsym.runtime.calling import FunctionWork, ToolWork, within
from agentsym.runtime.context import Context
from agentsym.runtime.loop import LoopThread
from agentsym.runtime.prompting import PromptWork
from agentsym.runtime.recorder import Origin, Recorder, Scope, Visit
from agentsym.runtime.routes import Routes
from agentsym.runtime.spans import agent_span, keep_output, node_span
from agentsym.runtime.state import CLEARED, RUN, RunState
from agentsym.runtime.values import check_fields

KEY = "agentsym"
"""Where a run's recorder stands in `config["configurable"]`; who runs a foreign graph may put a `Context` there."""

Work = Callable[[dict[str, Any], Visit, Scope], Awaitable[dict[str, Any]]]


class AgentWork:
    """What an agent node does: run the inner graph with a state of its own."""

    def __init__(self, node: AgentNode, graph: Any) -> None:
        self._node = node
        self._graph = graph

    async def __call__(self, values: dict[str, Any], visit: Visit, scope: Scope) -> dict[str, Any]:
        """Return the inner agent's output."""
        telemetry = visit.context.telemetry
        if telemetry is None:
            return await self._run(values, visit, scope)
        with agent_span(telemetry, self._node.agent, values) as span:
            output = await self._run(values, visit, scope)
            keep_output(telemetry, span, output)
            return output

    async def _run(self, values: dict[str, Any], visit: Visit, scope: Scope) -> dict[str, Any]:
        recorder, config = scope
        configurable = {**config.get("configurable", {}), KEY: recorder.inside(visit)}
        result = await self._graph.ainvoke(values, {**config, "configurable": configurable})
        missing = [field.name for field in self._node.output if field.name not in result]
        if missing:
            raise ValueError(f"the inner agent {self._node.agent.name!r} ended without {', '.join(missing)}")
        return {field.name: result[field.name] for field in self._node.output}


class NodeRunner(Runnable[Any, Any]):
    """A node as langgraph runs it.

    Args:
        node: the node.
        work: what it does with its inputs.
        network: the network it stands in.
        routes: who runs after it.
        default: makes the recorder of a run that brought none (the graph is used inside a foreign one).
        thread: where it runs when a foreign graph is run synchronously.
    """

    def __init__(
        self,
        node: AnyNode,
        work: Work,
        network: Network,
        routes: Routes,
        default: Callable[[], Recorder],
        thread: Callable[[], LoopThread],
    ) -> None:
        self.name = node.id
        self._node = node
        self._work = work
        self._routes = routes
        self._default = default
        self._thread = thread
        self._reads = reads(node)
        self._outside = tuple(field.name for field in node.output if field.name in network.outputs)
        self._chosen = routes.chosen(node.id)
        self._awakes = routes.deferred.intersection(routes.targets(node.id))
        self._waits_for = routes.waits_for.get(node.id, ())
        self._entry = node.id in routes.entries
        self._hashes = _hashes(node, network)
        self._nested: dict[str, Mapping[str, str]] = {}

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """Run the visit on a loop of its own; for foreign graphs that are run synchronously."""
        return self._thread().run(self.ainvoke(input, config))

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """Run one visit; returns what it writes into the state, and who runs next where that is chosen."""
        state: RunState = input[RUN]
        visits = state.get("visits", {})
        before, last = visits.get(self._node.id, (0, -1))
        if before >= self._node.max_visits:
            return None  # a second way led here
        if self._must_wait(state):
            return Command(goto=self._node.id)
        super_step: int = config["metadata"]["langgraph_step"]
        recorder = self._recorder(config)
        visit = Visit((*recorder.path, super_step, self._node.id), recorder.context)
        visit.parameters = self._parameters(recorder)
        visit.control = self._chosen_by(state, last, recorder)
        output = await self._run(input, state, visit, Scope(recorder, config))
        at = [super_step, self._node.id]
        run: RunState = {
            "values": {name: {"value": value, "at": at} for name, value in output.items()},
            "visits": {self._node.id: [before + 1, super_step]},
        }
        update = {RUN: run, **{name: output[name] for name in self._outside if name in output}}
        if not self._chosen:
            if self._awakes:
                run["awaited"] = dict.fromkeys(self._awakes, super_step)
            return update
        return self._go_on(visit, recorder, update, input, state, run)

    def _recorder(self, config: Any) -> Recorder:
        given = config["configurable"].get(KEY)
        if isinstance(given, Recorder):
            return given
        return Recorder(given, record=False) if isinstance(given, Context) else self._default()

    def _must_wait(self, state: RunState) -> bool:
        """Say whether a deferred node that leads to this one is waking in this very super-step."""
        awaited, visits = state.get("awaited", {}), state.get("visits", {})
        return any(awaited.get(node, -1) > visits.get(node, (0, -1))[1] for node in self._waits_for)

    async def _run(self, input: Any, state: RunState, visit: Visit, scope: Scope) -> dict[str, Any]:
        """Do the visit, inside of a span where there is telemetry."""
        telemetry = visit.context.telemetry
        if telemetry is None:
            return await self._visit(input, state, visit, scope)
        with node_span(telemetry, self._node, visit):
            return await self._visit(input, state, visit, scope)

    async def _visit(self, input: Any, state: RunState, visit: Visit, scope: Scope) -> dict[str, Any]:
        """Read the inputs, do the work within the timeout, check the output, and keep the visit."""
        recorder, clock = scope.recorder, asyncio.get_running_loop().time
        started = clock()
        try:
            self._read(input, state, visit, recorder)
            visit.output = await within(self._node.timeout_s, "it", self._work(visit.inputs, visit, scope))
            check_fields(visit.output, self._node.output, "output")
        except GraphBubbleUp:
            raise  # an interrupt of the user's, or another message to langgraph
        except Exception as error:
            if recorder.has_told(error):
                raise  # a step of the inner agent has failed and is kept
            visit.seconds = clock() - started
            raise self._failed(visit, recorder, error) from error
        visit.seconds = clock() - started
        if not isinstance(self._node, AgentNode):
            recorder.keep(visit)
        if recorder.context.on_output is not None and not recorder.path:
            recorder.context.on_output(self._node.id, visit.output)
        return visit.output

    def _failed(self, visit: Visit, recorder: Recorder, error: Exception) -> AgentsymError:
        """Keep a visit that failed and return the error that names the node."""
        cause = str(error) if isinstance(error, AgentsymError) else f"{type(error).__name__}: {error}"
        visit.error = cause
        recorder.keep(visit)
        kind = type(error) if isinstance(error, BudgetExceeded | Unavailable) else NodeError
        named = kind(f"node {visit.node!r}: {cause}")
        recorder.tell(named)
        return named

    def _read(self, input: Any, state: RunState, visit: Visit, recorder: Recorder) -> None:
        """Take the inputs from what nodes wrote last, else from the run's own input, and keep where each came from."""
        written = state.get("values", {})
        origins = recorder.origins
        parents: list[Origin] = []
        for name in self._reads:
            if (stamped := written.get(name)) is not None:
                visit.inputs[name] = stamped["value"]
                parents.append(((*recorder.path, *stamped["at"]), name))
            elif name in input:
                visit.inputs[name] = input[name]
                if name in origins:
                    parents.append(origins[name])
            else:
                raise NodeError(f"it reads {name!r}, which nobody gives it")
        visit.parents = tuple(parents)

    def _chosen_by(self, state: RunState, last: int, recorder: Recorder) -> Any:
        by = state.get("routed", {}).get(self._node.id)
        if by is not None and by[0] >= last:
            return (*recorder.path, *by)
        return recorder.control if self._entry and last < 0 else None

    def _go_on(
        self, visit: Visit, recorder: Recorder, update: dict[str, Any], input: Any, state: RunState, run: RunState
    ) -> Command[str]:
        """Choose who runs next, and note it for them."""
        values = {name: item for name, item in input.items() if name != RUN}
        values |= {name: stamped["value"] for name, stamped in state.get("values", {}).items()}
        counts = {node: count for node, (count, _) in {**state.get("visits", {}), **run["visits"]}.items()}
        try:
            choice = self._routes.choose(self._node.id, {**values, **visit.output}, counts)
        except Exception as error:
            raise self._failed(visit, recorder, error) from error
        if choice.route is not None:
            recorder.routed(visit.place, choice.route)
            run["routed"] = {target: list(visit.place[-2:]) for target in choice.targets}
        if choice.capped:
            recorder.cap()
        if awakes := self._awakes.intersection(choice.targets):
            super_step: int = visit.place[-2]
            run["awaited"] = dict.fromkeys(awakes, super_step)
        return Command(update=update, goto=choice.targets)

    def _parameters(self, recorder: Recorder) -> Mapping[str, str]:
        prefix = "/".join(recorder.path[1::2])
        if not prefix:
            return self._hashes
        if prefix not in self._nested:
            self._nested[prefix] = {f"{prefix}/{path}": value for path, value in self._hashes.items()}
        return self._nested[prefix]


class Begin(Runnable[Any, Any]):
    """The first node of a graph that has a checkpointer, or conditions at START: forgets what a former run left."""

    def __init__(self, network: Network, routes: Routes) -> None:
        self.name = "begin"
        self._routes = routes
        inputs = {field.name for field in network.inputs}
        self._cleared = {name: CLEARED for name in network.outputs if name not in inputs}

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """Clear the state and choose the first nodes."""
        values = {name: item for name, item in input.items() if name != RUN}
        choice = self._routes.choose(START, values, {})
        return Command(update={RUN: Overwrite({}), **self._cleared}, goto=choice.targets)

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """Clear the state and choose the first nodes."""
        return self.invoke(input, config)


def work_of(node: AnyNode, network: Network, inner: Callable[[Network], Any]) -> Work:
    """Return what a node does; `inner` compiles the network of an agent node."""
    match node:
        case PromptNode():
            return PromptWork(node, network)
        case ToolNode():
            return ToolWork(node)
        case FunctionNode():
            return FunctionWork(node)
        case AgentNode():
            return AgentWork(node, inner(node.agent))


def _hashes(node: AnyNode, network: Network) -> dict[str, str]:
    """Return path → hash of every parameter that a visit of a node uses, those of its tools included."""
    if isinstance(node, AgentNode):
        return {}
    found = {f"{node.id}/{name}": parameter.hash for name, parameter in node.weights().items()}
    for name in node.tools if isinstance(node, PromptNode) else ():
        tool = network.tool(name)
        found |= {f"{tool.name}/{weight}": parameter.hash for weight, parameter in tool.parameters.items()}
    return found
