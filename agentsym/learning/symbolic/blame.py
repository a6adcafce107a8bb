"""Who is to blame for failing runs: calls on whole runs, or one of the cheaper and the costlier ways.

Each way answers with the same record, so the rest of the algorithm does not know which one is in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agentsym.errors import ModelError, Unavailable
from agentsym.learning.backward import backward, together
from agentsym.learning.protocols import Blame, Evidence, FailedRun, RunsTeacher, Teacher, TraceTeacher
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.network.canonical import Frozen
from agentsym.network.network import Network


class Blames(Frozen):
    """The blame for each failing run of a step, in the order of the runs."""

    runs: tuple[Blame, ...] = ()


class Blamer(Protocol):
    """Says for failing runs which nodes are to blame."""

    async def blame(self, network: Network, runs: Sequence[FailedRun], turn: int) -> tuple[Blame, ...]:
        """Blame the nodes of each run, in the order of the runs; `turn` counts the steps."""
        ...


class TraceBlame:
    """Calls of the teacher on whole runs: on several at once where it can, else one for each."""

    def __init__(self, teacher: TraceTeacher) -> None:
        self._teacher = teacher

    async def blame(self, network: Network, runs: Sequence[FailedRun], turn: int) -> tuple[Blame, ...]:
        if isinstance(self._teacher, RunsTeacher):
            return tuple(await self._teacher.blame_runs(network, runs))
        return tuple(await together([self._one(network, run) for run in runs]))

    async def _one(self, network: Network, run: FailedRun) -> Blame:
        try:
            return await self._teacher.blame(network, run.item.trajectory, run.item.loss, run.tried)
        except Unavailable:
            raise
        except ModelError as error:
            return Blame(example_id=run.item.row.id, critiques={"": str(error)}, status="invalid")


class NodeBlame:
    """Back-propagation node by node: whoever gets advice is to blame for as much as the advice is severe."""

    def __init__(self, teacher: Teacher, lr: float) -> None:
        self._teacher, self._lr = teacher, lr

    async def blame(self, network: Network, runs: Sequence[FailedRun], turn: int) -> tuple[Blame, ...]:
        return tuple(await together([self._one(network, run.item) for run in runs]))

    async def _one(self, network: Network, item: Evidence) -> Blame:
        gradients = await backward(self._teacher, network, item.trajectory, item.loss, lr=self._lr)
        shares: dict[str, float] = {}
        critiques: dict[str, str] = {}
        told: dict[str, str] = {}
        for gradient in gradients:
            if gradient.suggestions and not gradient.satisfied:
                severity = max(suggestion.severity for suggestion in gradient.suggestions) / 3
                shares[gradient.node] = max(severity, shares.get(gradient.node, 0.0))
                told |= {suggestion.parameter: suggestion.advice for suggestion in gradient.suggestions}
                advice = (suggestion.advice for suggestion in gradient.suggestions)
                critiques[gradient.node] = "\n".join(dict.fromkeys([gradient.analysis, *advice]))
        return Blame(example_id=item.row.id, shares=shares, critiques=critiques, advice=told)


class LastBlame:
    """No call: the last node that ran is to blame, and the loss is the critique."""

    async def blame(self, network: Network, runs: Sequence[FailedRun], turn: int) -> tuple[Blame, ...]:
        return tuple(_wholly(run.item, _nodes(run.item)[-1:]) for run in runs)


class TurnBlame:
    """No call: the nodes take turns."""

    async def blame(self, network: Network, runs: Sequence[FailedRun], turn: int) -> tuple[Blame, ...]:
        def next_of(nodes: Sequence[str]) -> Sequence[str]:
            return nodes[turn % len(nodes) :][:1] if nodes else ()

        return tuple(_wholly(run.item, next_of(list(dict.fromkeys(_nodes(run.item))))) for run in runs)


class ShuffledBlame:
    """Gives the shares and critiques of another blamer to the next node each: the ablation that shows their worth."""

    def __init__(self, inner: Blamer) -> None:
        self._inner = inner

    async def blame(self, network: Network, runs: Sequence[FailedRun], turn: int) -> tuple[Blame, ...]:
        found = await self._inner.blame(network, runs, turn)
        return tuple(_shuffled(blame, run.item) for blame, run in zip(found, runs, strict=True))


def blamer(recipe: Recipe, teacher: Teacher, lr: float) -> Blamer:
    """Return the recipe's way; a teacher that cannot judge whole runs is asked node by node."""
    if recipe.blame == "last":
        return LastBlame()
    if recipe.blame == "turns":
        return TurnBlame()
    traces = isinstance(teacher, TraceTeacher) and recipe.blame != "nodes"
    asking: Blamer = TraceBlame(teacher) if traces and isinstance(teacher, TraceTeacher) else NodeBlame(teacher, lr)
    return ShuffledBlame(asking) if recipe.blame == "shuffled" else asking


def _shuffled(blame: Blame, item: Evidence) -> Blame:
    nodes = list(dict.fromkeys(_nodes(item)))
    if len(nodes) < 2:
        return blame
    next_to = dict(zip(nodes, (*nodes[1:], nodes[0]), strict=True))
    return blame.model_copy(
        update={
            "shares": {next_to.get(node, node): share for node, share in blame.shares.items()},
            "critiques": {next_to.get(node, node): text for node, text in blame.critiques.items()},
        }
    )


def _nodes(item: Evidence) -> list[str]:
    return [step.node for step in item.trajectory.steps]


def _wholly(item: Evidence, nodes: Sequence[str]) -> Blame:
    said = item.trajectory.error or item.loss.requirement or item.loss.text
    return Blame(example_id=item.row.id, shares=dict.fromkeys(nodes, 1.0), critiques=dict.fromkeys(nodes, said))
