"""`ToolOptimizer`: for each node first what is to be done about its tools, then, where there is something, the doing.

Asking in two stages keeps the common answer, nothing, short (paper, section 3.4). Code that is written has passed its
tests before it is proposed; whether it helps, the gate decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from agentsym.errors import ModelError, Unavailable
from agentsym.learning.backward import together
from agentsym.learning.merge import merge
from agentsym.learning.optimizers import limits
from agentsym.learning.optimizers.attempt import answered, attempt
from agentsym.learning.protocols import Evidence, Proposal, Teacher, Tried, Update
from agentsym.learning.tasks import ToolDecision, ToolTask, ToolTeacher
from agentsym.learning.teacher.tool_requests import decisions_at, paths_of
from agentsym.network.edits import Edit
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode

_TOO_MANY = "at a learning rate of {lr:.2g} one step makes or deletes tools {most} times at most; this was once more"


class _Decided(NamedTuple):
    """What came of asking about one node; no decision where no answer was legal."""

    task: ToolTask
    decision: ToolDecision | None


class ToolOptimizer:
    """The update of the tools: what a model reads of them, their code, numbers and options, and which there are.

    Args:
        teacher: who decides and writes; one that knows nothing of tools is asked nothing.
        retries: how often an illegal answer is sent back with its errors before it is dropped.
    """

    def __init__(self, teacher: Teacher, *, retries: int = 3) -> None:
        self.teacher = teacher
        self.retries = retries

    async def propose(
        self,
        network: Network,
        evidence: Sequence[Evidence],
        *,
        lr: float,
        history: Mapping[str, Sequence[Tried]],
    ) -> Proposal:
        """Return one proposal: a call for each node that has a choice, and one for each decision to change something.

        The calls of a stage run side by side and their answers are tried in the order of the nodes. The learning rate
        bounds how many tools are made or deleted; decisions beyond that are dropped before they cost a call.
        """
        teacher = self.teacher
        if not isinstance(teacher, ToolTeacher):
            return Proposal()
        ordered = tuple(sorted(evidence, key=lambda item: (item.loss.score, item.row.id)))
        found_fault = {node for node, merged in merge(ordered).items() if merged.items}
        asked = [
            ToolTask(network=network, node=node, evidence=ordered, lr=lr, history=tuple(history.get(node, ())))
            for node in choosing(network)
            if node in found_fault
        ]
        decided = await together([self._decide(teacher, task) for task in asked])
        updates = [
            Update(parameter=task.node, status="kept" if decision else "discarded", errors=task.errors)
            for task, decision in decided
            if decision is None or decision.operation == "none"
        ]
        return Proposal(updates=(*updates, *await self._carry_out(teacher, network, decided, lr, history)))

    async def _decide(self, teacher: ToolTeacher, task: ToolTask) -> _Decided:
        """Ask for one node's decision until it is legal."""
        for _ in range(self.retries + 1):
            try:
                return _Decided(task, await teacher.decide(task))
            except Unavailable:
                raise
            except ModelError as error:
                task = task.model_copy(update={"errors": (*task.errors, str(error))})
        return _Decided(task, None)

    async def _carry_out(
        self,
        teacher: ToolTeacher,
        network: Network,
        decided: Iterable[_Decided],
        lr: float,
        history: Mapping[str, Sequence[Tried]],
    ) -> list[Update]:
        """Ask for the edits of each decision; all of them speak of the same base, each has its own attempts.

        The updates stand in the order in which their edits apply: one that needed another attempt comes later.
        """
        pending: dict[int, _Doing] = {}
        done: list[Update] = []
        for at, (task, decision) in enumerate(_distinct(decided)):
            doing = _Doing(_with_limits(task, decision, lr, history), decision)
            if doing.moves and sum(other.moves for other in pending.values()) >= limits.moves_allowed(lr):
                done.append(doing.again(_TOO_MANY.format(lr=lr, most=limits.moves_allowed(lr))).ended("discarded"))
            else:
                pending[at] = doing
        work = network
        for _ in range(self.retries + 1):
            asked = list(pending.items())
            answers = await together([answered(teacher.change_tool(*doing)) for _, doing in asked])
            for (at, doing), answer in zip(asked, answers, strict=True):
                spent = sum(limits.moves(update.edits) for update in done)
                work, error = await attempt(work, answer, lr=lr, spent=spent)
                if error or isinstance(answer, ModelError):
                    pending[at] = doing.again(error)
                else:
                    done.append(doing.ended("committed" if answer else "kept", answer))
                    del pending[at]
        return [*done, *(doing.ended("discarded") for doing in pending.values())]


class _Doing(NamedTuple):
    """One decision on its way to edits."""

    task: ToolTask
    decision: ToolDecision

    @property
    def moves(self) -> bool:
        """Whether it changes which tools there are."""
        return self.decision.operation in ("create", "delete")

    def again(self, error: str) -> _Doing:
        """Return it with one more error."""
        return self._replace(task=self.task.model_copy(update={"errors": (*self.task.errors, error)}))

    def ended(self, status: Literal["committed", "kept", "discarded"], edits: tuple[Edit, ...] = ()) -> Update:
        """Return what became of it."""
        place = self.decision.target or self.task.node
        return Update(parameter=place, status=status, edits=edits, errors=self.task.errors)


def choosing(network: Network) -> tuple[str, ...]:
    """Return the nodes at whose tools there is anything to decide, in the order in which they are asked for."""
    return tuple(node for node in _nodes(network) if decisions_at(network, node))


def _distinct(decided: Iterable[_Decided]) -> Iterator[tuple[ToolTask, ToolDecision]]:
    """Yield the decisions to change something; what several nodes want of one tool is done once."""
    seen: set[tuple[str, str]] = set()
    for task, decision in decided:
        if decision is None or decision.operation == "none":
            continue
        wish = decision.operation, decision.target or task.node
        if wish not in seen:
            seen.add(wish)
            yield task, decision


def _with_limits(task: ToolTask, decision: ToolDecision, lr: float, history: Mapping[str, Sequence[Tried]]) -> ToolTask:
    """Return the task of carrying a decision out, with the limits of the texts that it may change."""
    said = tuple(
        f"{path}: {sentence}"
        for path in paths_of(task.network, task.node, decision)
        for sentence in limits.sentences(task.network.parameter(path), lr)
    )
    tries = tuple(history.get(decision.target or task.node, ()))
    return task.model_copy(update={"limits": said, "history": tries, "errors": ()})


def _nodes(network: Network, prefix: str = "") -> Iterator[str]:
    """Yield the path of every node, those of inner agents in the place of their holder."""
    for node in network.nodes:
        if isinstance(node, AgentNode):
            yield from _nodes(node.agent, f"{prefix}{node.id}/")
        else:
            yield f"{prefix}{node.id}"
