"""Back-propagation in words: carries the critique of a run from its last executed step to its first.

The order, the pruning and the passing of messages are code and live here; what a single step is told is the teacher's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from agentsym.errors import ModelError, Unavailable
from agentsym.learning.loss import PERFECT
from agentsym.learning.protocols import Teacher
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, AnyNode, ToolNode
from agentsym.network.parameters import Parameter
from agentsym.network.records import Gradient, LossReport, Step, Trajectory

if TYPE_CHECKING:
    import networkx as nx

T = TypeVar("T")
Order = Literal["reverse", "forward", "last"]
LOSS = 1 << 62  # where the loss stands among a step's successors: behind every step
Requirement = str | None  # None says: satisfied


def step_dag(trajectory: Trajectory) -> nx.DiGraph[int]:
    """Return the graph of a run: a vertex per step index, an edge i → j if j read what i wrote or i chose j."""
    import networkx as nx

    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(step.index for step in trajectory.steps)
    graph.add_edges_from((parent, step.index) for step in trajectory.steps for parent in parents_of(step))
    return graph


def parents_of(step: Step) -> tuple[int, ...]:
    """Return the steps that a requirement of this one goes to: those it read, and the one whose condition chose it."""
    chosen_by = () if step.control_parent is None else (step.control_parent,)
    return tuple(sorted({*step.parents, *chosen_by}))


def learnable_at(network: Network, node: str) -> dict[str, Parameter]:
    """Return the learnable parameters of a node by path; the node of an inner agent is `outer/inner`.

    The description of a tool node's tool is none of them: it is always run, and no model reads it.
    """
    unread = f"{node}/description" if isinstance(_node(network, node), ToolNode) else ""
    return {
        path: parameter
        for path, parameter in network.parameters().items()
        if parameter.learnable and path.startswith(f"{node}/") and path != unread
    }


def _node(network: Network, path: str) -> AnyNode:
    name, _, rest = path.partition("/")
    node = network.node(name)
    return _node(node.agent, rest) if rest and isinstance(node, AgentNode) else node


async def backward(
    teacher: Teacher,
    network: Network,
    trajectory: Trajectory,
    loss: LossReport,
    *,
    lr: float,
    order: Order = "reverse",
) -> tuple[Gradient, ...]:
    """Return one gradient for each step, in the order of the steps (paper, Eq. 2 and Algorithm 1).

    For step n with successor n+1: ∇ⁿ = LLM(P_grad(∇ⁿ⁺¹, I_n, O_n, P_n, T_n, L)). On the step graph D this becomes: walk
    D in reverse lexicographical topological order; the steps that last wrote the output get the loss's requirement,
    a step that failed gets its error; each step that can still improve something (it or a step before it has a
    learnable parameter) and that got a message is asked; what it requires of its parents is their message. Where all
    messages say "satisfied" that is passed on without a call; where the teacher has no legal answer the incoming
    message goes on to all parents unchanged. Steps without order relation are asked at the same time.

    Args:
        teacher: who writes the gradients.
        network: the version that ran.
        trajectory: the run.
        loss: its loss.
        lr: learning rate in (0, 1], shown to the teacher.
        order: `reverse` is back-propagation. The others are ablations: `forward` walks front to back, so messages
            come too late for the steps that they are for; `last` asks only the steps that get the loss.

    Raises:
        ModelError: what the teacher raises, except that a missing legal answer is a gradient of status `invalid`.
    """
    import networkx as nx

    graph = step_dag(trajectory)
    steps = {step.index: step for step in trajectory.steps}
    needed = _needed(graph, network, steps)
    messages: dict[int, dict[int, Requirement]] = {index: {} for index in steps}
    for index, requirement in _seeds(network, trajectory, loss).items():
        messages[index][LOSS] = requirement
    gradients: dict[int, Gradient] = {}
    walk = list(nx.lexicographical_topological_sort(graph))
    walk, ahead = (walk, graph.predecessors) if order == "forward" else (walk[::-1], graph.successors)
    done = {index: asyncio.Event() for index in walk}

    async def visit(index: int) -> None:
        for earlier in ahead(index):
            await done[earlier].wait()
        step, arrived = steps[index], messages[index]
        required = [text for _, text in sorted(arrived.items()) if text is not None]
        if index not in needed or not arrived:
            gradients[index] = _unasked(step, loss, satisfied=False)
        elif not required:
            gradients[index] = _unasked(step, loss, satisfied=True)
        else:
            gradients[index] = await _ask(teacher, network, trajectory, step, loss, required, lr)
        if order != "last":
            for parent, requirement in _onward(gradients[index], parents_of(step), required).items():
                messages[parent][index] = requirement
        done[index].set()

    await together([visit(index) for index in walk])
    return tuple(gradients[index] for index in sorted(gradients))


async def together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines at the same time and return their results in order; the first error cancels the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(item) for item in work]
    except BaseExceptionGroup as errors:
        # Who asked for one run wants the error itself, with its exit code, not a group of one.
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _ask(
    teacher: Teacher,
    network: Network,
    trajectory: Trajectory,
    step: Step,
    loss: LossReport,
    required: Sequence[str],
    lr: float,
) -> Gradient:
    try:
        return await teacher.gradient(network, trajectory, step, loss, required, lr)
    except Unavailable:
        raise
    except ModelError as error:
        return Gradient(
            example_id=loss.example_id,
            step=step.index,
            node=step.node,
            analysis=str(error),
            status="invalid",
            score=loss.score,
        )


def _needed(graph: nx.DiGraph[int], network: Network, steps: Mapping[int, Step]) -> set[int]:
    """Return the steps that are trainable or have a trainable ancestor; no other step can pass on anything useful."""
    import networkx as nx

    trainable = {index for index, step in steps.items() if learnable_at(network, step.node)}
    return trainable.union(*(nx.descendants(graph, index) for index in trainable))


def _seeds(network: Network, trajectory: Trajectory, loss: LossReport) -> dict[int, Requirement]:
    """Return which steps the loss speaks to, and what it says.

    In a failed run that is the step that failed: what others wrote was never judged. Where the metric judged each
    field, only who wrote a wrong one is spoken to, who wrote a right one is told so, and the rest was not judged.
    """
    if trajectory.status == "error":
        failed = [step for step in trajectory.steps if step.error] or list(trajectory.steps[-1:])
        return {step.index: _error_evidence(step, trajectory, loss) for step in failed}
    requirement = None if loss.satisfied else loss.requirement or loss.text
    writers = _last_writers(network, trajectory)
    judged = {field: part for field, part in loss.metrics.items() if field in writers}
    if not judged:
        return dict.fromkeys(writers.values() or [step.index for step in trajectory.steps[-1:]], requirement)
    seeds: dict[int, Requirement] = {}
    for field, part in judged.items():
        if part < PERFECT or writers[field] not in seeds:
            seeds[writers[field]] = requirement if part < PERFECT else None
    return seeds


def _last_writers(network: Network, trajectory: Trajectory) -> dict[str, int]:
    """Return for each field of the output the step that wrote its final value."""
    return {
        field: step.index
        for step in trajectory.steps
        for field in step.output
        if field in network.outputs and _is_visible(network, step.node, field)
    }


def _is_visible(network: Network, node: str, field: str) -> bool:
    """Whether what an inner step wrote leaves every agent that it ran in (a private field may share an outer name)."""
    inner = network
    for name in node.split("/")[:-1]:
        outer = inner.node(name)
        if not isinstance(outer, AgentNode) or field not in outer.agent.outputs:
            return False
        inner = outer.agent
    return True


def _error_evidence(step: Step, trajectory: Trajectory, loss: LossReport) -> str:
    error = step.error or trajectory.error or "no reason was recorded"
    wanted = [] if error in loss.requirement else [loss.requirement]
    return "\n".join([f"This step failed: {error}", *filter(None, wanted)])


def _unasked(step: Step, loss: LossReport, *, satisfied: bool) -> Gradient:
    return Gradient(
        example_id=loss.example_id,
        step=step.index,
        node=step.node,
        satisfied=satisfied,
        status="skipped",
        score=loss.score,
        attempts=0,
    )


def _onward(gradient: Gradient, parents: Sequence[int], received: Sequence[str]) -> dict[int, Requirement]:
    """Return what each parent is told.

    A parent that a dissatisfied step requires nothing of is told nothing.
    """
    if gradient.status == "invalid":
        return dict.fromkeys(parents, "\n".join(received))
    told: dict[int, Requirement] = dict.fromkeys(parents) if gradient.satisfied else {}
    return {**told, **{parent: text for parent, text in gradient.requirements.items() if parent in parents}}
