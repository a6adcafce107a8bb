"""The forward pass: run one example, or very many, and return what happened as trajectories.

An example that fails is a result like any other; only what concerns the whole run (Ctrl-C, a cancelled task, a
network that cannot be compiled) is raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from langchain_core.callbacks import AsyncCallbackManager
from langgraph.errors import GraphRecursionError

from agentsym.errors import AgentsymError, BudgetExceeded, NodeError, UsageError
from agentsym.network.canonical import content_hash
from agentsym.network.network import Network
from agentsym.network.records import Trajectory, Usage
from agentsym.runtime.compile import Graph, compiled, network_of
from agentsym.runtime.context import Context
from agentsym.runtime.nodes import KEY
from agentsym.runtime.ordered import in_order
from agentsym.runtime.recorder import Recorder
from agentsym.runtime.spans import agent_span, end_agent
from agentsym.runtime.values import check_fields, plain

if TYPE_CHECKING:
    from agentsym.runtime.executors.protocol import Executor


class Outcome(NamedTuple):
    """A trajectory and, where the example failed, the error behind it."""

    trajectory: Trajectory
    error: AgentsymError | None


async def forward(
    network: Network | Graph,
    inputs: Mapping[str, Any],
    context: Context,
    *,
    example_id: str = "",
    trajectory_id: str | None = None,
) -> Trajectory:
    """Run one example.

    Args:
        network: the network, or a graph that `compile` made of one.
        inputs: field → value, exactly the network's inputs.
        context: who answers.
        example_id: the row's id.
        trajectory_id: by default made of version, row, inputs, phase and rollout, so it is the same on every run.

    Returns:
        The trajectory; its status says whether the example failed, was capped, or was stopped by a budget. The steps
        done until then are kept, with the failing one as the last.

    Raises:
        SandboxError: when the network holds learned code, and there is no sandbox on this machine.
    """
    return (await run(network, inputs, context, example_id=example_id, trajectory_id=trajectory_id)).trajectory


async def run(
    network: Network | Graph,
    inputs: Mapping[str, Any],
    context: Context,
    *,
    example_id: str = "",
    trajectory_id: str | None = None,
) -> Outcome:
    """Run one example as `forward` does; the error of a failed one comes along."""
    graph, telemetry = compiled(network), context.telemetry
    if telemetry is None:
        return await _run(graph, inputs, context, example_id, trajectory_id)
    with agent_span(telemetry, network_of(graph), inputs) as span:
        outcome = await _run(graph, inputs, context, example_id, trajectory_id)
        end_agent(telemetry, span, *outcome)
        return outcome


async def _run(
    graph: Graph, inputs: Mapping[str, Any], context: Context, example_id: str, trajectory_id: str | None
) -> Outcome:
    source = network_of(graph)
    clock = asyncio.get_running_loop().time
    started = clock()
    recorder = Recorder(context)
    given: dict[str, Any] = {}
    output: dict[str, Any] = {}
    status: Literal["ok", "error", "capped", "budget"] = "ok"
    error: AgentsymError | None = None
    try:
        given = accepted(source, inputs)
        output = await _ainvoke(graph, given, recorder)
        status = "capped" if recorder.capped else "ok"
    except BudgetExceeded as stopped:
        status, error = "budget", stopped
    except AgentsymError as failed:
        status, error = "error", failed
    except Exception as failed:
        status, error = "error", NodeError(f"agent {source.name!r}: {type(failed).__name__}: {failed}")
        error.__cause__ = failed
    steps = recorder.steps()
    trajectory = Trajectory(
        id=trajectory_id or usual_id(source, given, context, example_id),
        version=source.version,
        example_id=example_id,
        inputs=given,
        steps=steps,
        output=output,
        status=status,
        error=None if error is None else str(error),
        usage=sum((step.usage for step in steps), Usage()),
        seconds=clock() - started,
        worth=recorder.worth(),
    )
    return Outcome(trajectory, error)


async def forward_many(
    network: Network | Graph,
    rows: Iterable[Any] | AsyncIterable[Any],
    context: Context,
    *,
    concurrency: int = 8,
    executor: Executor | None = None,
) -> AsyncGenerator[Trajectory, None]:
    """Run many examples, at most `concurrency` at once, and yield their trajectories in the order of the rows.

    Rows are taken as they are needed and results are not kept, so memory stays flat however many there are.

    Args:
        network: the network, or a graph that `compile` made of one.
        rows: pairs (id, inputs), or objects with `id` and `inputs`.
        context: who answers.
        concurrency: the most examples that run at once.
        executor: where they run; it must have been entered. None: here.
    """
    runs = run_many(network, rows, context, concurrency=concurrency, executor=executor)
    async with aclosing(runs) as outcomes:
        async for outcome in outcomes:
            yield outcome.trajectory


async def run_many(
    network: Network | Graph,
    rows: Iterable[Any] | AsyncIterable[Any],
    context: Context,
    *,
    concurrency: int = 8,
    executor: Executor | None = None,
) -> AsyncGenerator[Outcome, None]:
    """Run many examples as `forward_many` does; the errors of failed ones come along."""
    agent: Any = compiled(network) if executor is None else network
    at_once = concurrency if executor is None else executor.width(concurrency)

    async def one(row: Any) -> Outcome:
        example_id, inputs = row if isinstance(row, tuple) else (row.id, row.inputs)
        return await (run if executor is None else executor.run)(agent, inputs, context, example_id=example_id)

    async with aclosing(in_order(one, rows, at_once)) as outcomes:
        async for outcome in outcomes:
            yield outcome


def usual_id(network: Network, given: Mapping[str, Any], context: Context, example_id: str) -> str:
    """Return the id of a trajectory: the same whenever and wherever the row is run."""
    return content_hash([network.version, example_id, given, context.phase, context.rollout])[:16]


def accepted(network: Network, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy of the inputs.

    Raises:
        UsageError: when fields are missing, unknown, or of another type.
    """
    names = [field.name for field in network.inputs]
    takes = f"agent {network.name!r} takes {', '.join(names) or 'no inputs'}"
    if unknown := [str(name) for name in inputs if name not in names]:
        raise UsageError(f"{takes}; unknown: {', '.join(unknown)}")
    if missing := [name for name in names if name not in inputs]:
        raise UsageError(f"{takes}; missing: {', '.join(missing)}")
    try:
        given: dict[str, Any] = plain(inputs, f"an input of agent {network.name!r}")
        check_fields(given, network.inputs, f"agent {network.name!r}: input")
    except NodeError as error:
        raise UsageError(str(error)) from None
    return given


async def _ainvoke(graph: Graph, inputs: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
    config: Any = {"configurable": {KEY: recorder}}
    with quiet(recorder.context, config):
        try:
            result: Any = await graph.ainvoke(inputs, config, version="v2")
        except GraphRecursionError as error:
            path = " → ".join(step.node for step in recorder.steps())
            raise NodeError(f"agent {graph.name!r} ran more steps than its visit limits allow: {path}") from error
    if result.interrupts:
        raise NodeError(
            f"agent {graph.name!r} was interrupted, and there is nobody to resume it here; use "
            "agent.compile(checkpointer=...) and the graph's own ainvoke"
        )
    output: dict[str, Any] = plain(result.value or {})  # a copy: a metric may do with it what it likes
    return output


def quiet(context: Context, config: dict[str, Any]) -> AbstractContextManager[Any]:
    """Keep LangSmith from tracing a run, unless the user has opted in; costs nothing where it would not trace.

    A callback manager of our own, rather than the one langchain configures from the environment, also saves a tenth
    of what a run costs.
    """
    if context.tracing:
        return nullcontext()
    config["callbacks"] = AsyncCallbackManager([])
    if not context.ambient_tracing:
        return nullcontext()
    from langsmith import tracing_context

    return tracing_context(enabled=False)
