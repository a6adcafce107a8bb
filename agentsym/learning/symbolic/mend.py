"""From blame to changes: each blamed node is mended for each group of failures, and the answers become one list.

What comes out is legal, within the learning rate, and code has passed its tests; whether it helps, the gates decide.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple, TypeVar

from agentsym.errors import ModelError, NetworkError, Unavailable
from agentsym.learning.backward import together
from agentsym.learning.optimizers import limits
from agentsym.learning.optimizers.code_check import check_code
from agentsym.learning.protocols import (
    Blame,
    Evidence,
    Proposal,
    Redesign,
    Repair,
    Task,
    Teacher,
    TraceTeacher,
    Update,
)
from agentsym.learning.symbolic.changes import as_changes, merged, told
from agentsym.learning.symbolic.groups import Group
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.learning.teacher import views
from agentsym.learning.teacher.operations import editable_at
from agentsym.network.edits import Edit
from agentsym.network.network import Network
from agentsym.network.parameters import Choices, Examples, Rules, Text
from agentsym.network.records import Gradient, Suggestion

T = TypeVar("T", Repair, Redesign)
RIGHT = 3  # visits of a node that are shown as right
Heard = Callable[[str], tuple[str, ...]]


class Case(NamedTuple):
    """One failure of a step: the run that stands for a group, who is to blame, and how many rows the group has."""

    item: Evidence
    blame: Blame
    group: Group

    @property
    def id(self) -> str:
        """The row's id, by which changes refer to the failure."""
        return self.item.row.id


class Mender:
    """Asks for the changes of a step.

    Args:
        teacher: who writes them; one that cannot mend whole nodes is asked component by component.
        recipe: how answers are shared among groups.
        retries: how often an illegal answer is sent back.
    """

    def __init__(self, teacher: Teacher, recipe: Recipe, retries: int) -> None:
        self._teacher, self._recipe, self._retries = teacher, recipe, retries

    async def propose(
        self,
        network: Network,
        cases: Sequence[Case],
        right: Mapping[str, tuple[str, ...]],
        *,
        lr: float,
        before: Heard,
        tried: Callable[[str, Sequence[Case]], tuple[str, ...]],
        remind: Callable[[Repair], Repair] = lambda repair: repair,
    ) -> Proposal:
        """Return all changes of a step, in the order of the cases and the nodes.

        Args:
            network: the version that failed.
            cases: the failures.
            right: node → visits that were right.
            lr: the learning rate.
            before: node → what was said of it in earlier steps.
            tried: node and failures → edits of it that did not help with them.
            remind: adds to a task what earlier runs teach.
        """
        tasks = [
            Repair(
                network=network,
                node=node,
                paths=tuple(paths),
                evidence=tuple(case.item for case in own),
                critiques=tuple(case.blame.critiques.get(node, "") for case in own),
                right=right.get(node, ()),
                limits=tuple(
                    dict.fromkeys(text for path in paths for text in limits.losses(network.parameter(path), lr))
                ),
                before=tuple(text for text in before(node) if text not in [c.blame.critiques.get(node) for c in own]),
                tried=tried(node, own),
            )
            for node, paths, own in self._repairs(network, cases)
        ]
        answers = await together([self._mended(remind(task), lr) for task in tasks])
        taken = merged(change for answer in answers for change in answer if change.edits)
        refused = tuple(change for answer in answers for change in answer if not change.edits)
        return Proposal(updates=(*taken, *refused))

    async def redesign(
        self, network: Network, cases: Sequence[Case], *, edits: tuple[str, ...], tried: tuple[str, ...]
    ) -> Proposal:
        """Return independent moves of the pipeline, each a change of its own, and the answers that were refused.

        Args:
            network: the version that failed.
            cases: the failures.
            edits: edits of nodes that did not help with them.
            tried: moves that did not.
        """
        if not isinstance(self._teacher, TraceTeacher) or not network.structure.learnable:
            return Proposal()
        critiques = dict.fromkeys(f"{node}: {text}" for case in cases for node, text in case.blame.critiques.items())
        task = Redesign(
            network=network,
            evidence=tuple(case.item for case in cases),
            critiques=tuple(critiques),
            edits=edits,
            tried=tried,
        )
        drafts = [task.model_copy(update={"draw": draw}) for draw in range(self._recipe.drafts)]
        answers = await together([self._legal(draft, self._teacher.redesign, lr=None) for draft in drafts])
        structure = partial(Update, parameter="structure", groups=tuple(case.id for case in cases))
        distinct = {network.apply(move).version: move for move, _ in answers if move}
        moves = [structure(status="committed", edits=move) for move in distinct.values()]
        refused = [structure(status="discarded", errors=errors) for move, errors in answers if move is None]
        return Proposal(updates=(*moves, *refused))

    def _repairs(self, network: Network, cases: Sequence[Case]) -> list[tuple[str, list[str], list[Case]]]:
        """Return node, its learnable components and the failures that one answer is for.

        A node whose components are lists gets an answer for each group, since items add up. Where a component is one
        text or one piece of code only one answer can be taken, so each is for all groups, and there are several drafts,
        each of which begins with another group.
        """
        tasks: list[tuple[str, list[str], list[Case]]] = []
        together_at: dict[str, list[Case]] = {}
        for case in cases:
            shares = case.blame.shares
            threshold = self._recipe.threshold * max(shares.values(), default=0.0)
            for node in sorted(shares, key=lambda node: (-shares[node], node)):
                paths = _paths(network, node, case.blame)
                if not shares[node] or shares[node] < threshold or not paths:
                    continue
                if self._recipe.per == "group" and any(_is_list(network, path) for path in paths):
                    tasks.append((node, paths, [case]))
                else:
                    together_at.setdefault(node, []).append(case)
        for node, own in together_at.items():
            drafts = min(len(own), self._recipe.drafts) if self._recipe.per == "group" else 1
            paths = list(dict.fromkeys(path for case in own for path in _paths(network, node, case.blame)))
            tasks += [(node, paths, [*own[draft:], *own[:draft]]) for draft in range(drafts)]
        return tasks

    async def _mended(self, task: Repair, lr: float) -> tuple[Update, ...]:
        """Return the changes of one task; without a legal answer it changes nothing."""
        edits, errors = await self._legal(task, lambda task: self._edits(task, lr), lr)
        groups = tuple(item.row.id for item in task.evidence)
        if edits:
            return as_changes(task.network, task.node, edits, groups)
        status: Literal["discarded", "kept"] = "discarded" if edits is None else "kept"
        return (Update(parameter=task.node, status=status, errors=errors, groups=groups),)

    async def _edits(self, task: Repair, lr: float) -> Sequence[Edit]:
        if isinstance(self._teacher, TraceTeacher):
            return await self._teacher.mend(task)
        return await _by_component(self._teacher, task, lr)

    async def _legal(
        self, task: T, ask: Callable[[T], Awaitable[Sequence[Edit]]], lr: float | None
    ) -> tuple[tuple[Edit, ...] | None, tuple[str, ...]]:
        """Ask until an answer is legal; returns it (None, if none was) and what was wrong with those before."""
        for _ in range(self._retries + 1):
            edits: tuple[Edit, ...] = ()
            try:
                edits = tuple(await ask(task))
                problems = await _problems(task.network, edits, lr)
            except Unavailable:
                raise
            except (ModelError, NetworkError) as error:
                problems = [str(error)]
            if not problems:
                return edits, task.errors
            task = task.model_copy(update={"errors": (*task.errors, _refusal(problems, edits, task.network))})
        return None, task.errors


async def _problems(network: Network, edits: Sequence[Edit], lr: float | None) -> list[str]:
    """Return what is wrong with an answer: the learning rate is exceeded, or code fails its tests.

    Raises:
        NetworkError: when the edits cannot be applied.
    """
    after = network.apply(edits)
    lists = [path for path, item in network.parameters().items() if not isinstance(item, Text)]  # a text is gated whole
    problems = [
        problem
        for path in lists
        if lr is not None and path in after.parameters()
        for problem in limits.violations(network, after, path, lr)
    ]
    return [*problems, *await check_code(network, after)]


def _refusal(problems: Sequence[str], edits: Sequence[Edit], network: Network) -> str:
    """Say why an answer is refused, and what it was."""
    said = "; ".join(told(Update(parameter="", status="discarded", edits=(edit,)), network) for edit in edits)
    return "; ".join(problems) + (f" (your edits were: {said})" if said else "")


def right_visits(known: Mapping[str, tuple[str, ...]], runs: Iterable[Evidence]) -> dict[str, tuple[str, ...]]:
    """Return node → a few visits in runs that pass, the latest look first, no two with the same output."""
    found = {node: list(lines) for node, lines in known.items()}
    for item in reversed(list(runs)):
        for step in item.trajectory.steps:
            own, output = found.setdefault(step.node, []), views.briefly(step.output)
            if step.output and not any(line.endswith(f" => {output}") for line in own):
                own.insert(0, f"{views.briefly(step.inputs)} => {output}")
    return {node: tuple(lines[:RIGHT]) for node, lines in found.items()}


async def _by_component(teacher: Teacher, task: Repair, lr: float) -> tuple[Edit, ...]:
    """Ask a teacher that knows only the paper's questions: for each component, one after the other."""
    evidence = tuple(
        item.model_copy(update={"gradients": (_gradient(task, item, critique),)})
        for item, critique in zip(task.evidence, task.critiques, strict=True)
    )
    edits: list[Edit] = []
    for path in task.paths:
        component = Task(
            network=task.network,
            node=task.node,
            parameter=path,
            evidence=evidence,
            lr=lr,
            limits=limits.sentences(task.network.parameter(path), lr),
            errors=task.errors,
        )
        edits += await teacher.propose(component)
    return tuple(edits)


def _gradient(task: Repair, item: Evidence, critique: str) -> Gradient:
    step = next((step.index for step in item.trajectory.steps if step.node == task.node), 0)
    return Gradient(
        example_id=item.row.id,
        step=step,
        node=task.node,
        analysis=critique,
        suggestions=tuple(Suggestion(parameter=path, advice=critique) for path in task.paths),
        score=item.loss.score,
    )


def _paths(network: Network, node: str, blame: Blame) -> list[str]:
    """Return the components of a node that may be edited: those with advice, where the blame gives any."""
    paths = editable_at(network, node)
    advised = [path for path in paths if path in blame.advice]
    return advised or list(paths)


def _is_list(network: Network, path: str) -> bool:
    return isinstance(network.parameter(path), Rules | Examples | Choices)
