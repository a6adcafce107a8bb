"""Derives the lessons of a run from its events: what was proposed, and what the gates and validation made of it.

Nothing is kept beside the events, so a lesson can neither get lost nor contradict them. Of validation is read which
changes it took back; no text of its rows stands in an event that is read here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, Literal, NamedTuple

from agentsym.errors import NetworkError
from agentsym.learning.memory.lesson import LOSS, Group, Lesson, Situation
from agentsym.learning.merge import shorten
from agentsym.learning.protocols import Blame, Proposal, Trial, Update
from agentsym.learning.symbolic.changes import node_of, told
from agentsym.learning.teacher import views
from agentsym.network.edits import AddItem, DropItem, Edit, ReplaceItem, SetParameter
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Choices, Rules
from agentsym.store.reading import RunInfo
from agentsym.store.store import Store

READ = ("forward", "blame", "proposal", "gate", "validate", "harmless", "validate_again")
"""The kinds of event that tell of edits; `blame` is of the combined algorithm alone."""
TASK, FAULT, EDIT = 400, 200, 200  # characters of each that are remembered


class Base:
    """A version of a stored run: what lessons tell of it, each looked up once; good for reading, not for running."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.parameters = network.parameters()
        self._tasks: dict[str, str] = {}

    def task(self, node: str) -> str:
        """Return what `task_of` says of a node."""
        if node not in self._tasks:
            self._tasks[node] = task_of(self.network, node)
        return self._tasks[node]


class Bases:
    """The versions of all runs of a store, each made once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made: dict[str, Base] = {}

    def __getitem__(self, version: str) -> Base:
        if version not in self._made:
            self._made[version] = Base(Network.model_validate(self._store.version_content(version)))
        return self._made[version]


class _Try(NamedTuple):
    """An edit that was tried, what was said of the failures that it answers, and what came of it."""

    situation: Situation
    edit: str
    failures: tuple[str, ...]
    fate: Literal["kept", "vain", "harmful", "taken back"]
    credit: float

    @property
    def worth(self) -> float:
        return LOSS if self.fate in ("harmful", "taken back") else self.credit


def lessons_of(store: Store, run: RunInfo, bases: Bases, held_out: Container[str] = ()) -> tuple[Lesson, ...]:
    """Return the lessons of a run, in the order in which its edits were tried; moves of the pipeline teach none.

    Edits that answer a failure of one of the rows in `held_out` are left out. Where the run's best version did not hold
    when it was deployed, what was kept counts as taken back.
    """
    versions = store.forward_versions(run.id)
    tries = _Tries()
    said: Mapping[str, str] = {}
    blames: Mapping[str, Blame] = {}
    proposal = Proposal()
    seen: list[bool] = []
    version = ""
    for event in store.events(run.id, kind=READ):
        value: Any = event.data.get("value")
        if event.kind not in ("harmless", "validate_again"):
            tries.settle()
        match event.kind:
            case "forward":
                said, version = _said(event.data["losses"]), versions.get(event.data["step"], "")
            case "blame":
                blames = {each["example_id"]: Blame.model_validate(each) for each in value["runs"]}
            case "proposal":
                proposal = Proposal.model_validate(value)
                seen = [any(row in held_out for row in update.groups) for update in proposal.updates]
            case "gate" if version:
                tries.add(bases[version], proposal, Trial.model_validate(value), said, blames, seen)
            case "validate":
                tries.accepted = value["decision"]["accept"]
            case "harmless":
                tries.harmless = value["kept"]
            case "validate_again":
                tries.settle(again=True)
    tries.settle()
    if store.last_event(run.id, kind="withdrawn") is not None:
        tries.withdraw()
    return tuple(_lessons(run, tries.made))


class _Tries:
    """The edits of a run, and which of them validation has yet to look at.

    Attributes:
        made: all that were tried.
        accepted: what the validation that was read last has decided; None where nothing is open.
        harmless: numbers of the changes that it has found not to blame; None where it found no row broken.
    """

    def __init__(self) -> None:
        self.made: list[_Try] = []
        self.accepted: bool | None = None
        self.harmless: Iterable[int] | None = None
        self._since: list[int | None] = []  # of each kept change its place among those made, if it is there

    def add(
        self,
        base: Base,
        proposal: Proposal,
        trial: Trial,
        said: Mapping[str, str],
        blames: Mapping[str, Blame],
        left_out: Sequence[bool],
    ) -> None:
        """Add the edits of one step, as its gates found them; of those that are left out only their place counts."""
        for at, update in enumerate(proposal.updates):
            kept = trial.decision.accept and at in (trial.kept or ())
            if update.status != "committed" or (update.earlier and not kept):
                continue  # what was proposed earlier was counted then
            made = None if left_out[at] else _tried(base, update, kept, at, trial, said, blames)
            if kept:
                self._since.append(None if made is None else len(self.made))
            if made is not None:
                self.made.append(made)

    def settle(self, *, again: bool = False) -> None:
        """End a validation: what it took back is marked; `again` where it went on with what was left."""
        if self.accepted is None:
            return
        harmless = set(self.harmless or ()) if again or self.harmless is not None else set(range(len(self._since)))
        for number, at in enumerate(self._since):
            if at is not None and number not in harmless and (again or not self.accepted):
                self.made[at] = self.made[at]._replace(fate="taken back")
        self.accepted, self.harmless, self._since = None, None, []

    def withdraw(self) -> None:
        """Mark everything that was kept as taken back."""
        self.made = [made._replace(fate="taken back") if made.fate == "kept" else made for made in self.made]


def _tried(
    base: Base,
    update: Update,
    kept: bool,
    at: int,
    trial: Trial,
    said: Mapping[str, str],
    blames: Mapping[str, Blame],
) -> _Try | None:
    """Return what a change was for and what came of it; None where it is no edit of a node's parameters.

    Worked examples are rows, so they stay with their agent.
    """
    node = node_of(update)
    kinds = {base.parameters[path].kind for edit in update.edits if (path := _path(edit)) in base.parameters}
    task = base.task(node)
    if not (task and update.groups) or len(kinds) != 1 or "examples" in kinds:
        return None
    critiques = (blames[row].critiques.get(node, "") for row in update.groups if row in blames)
    fault = next((text for text in critiques if text), None) or next((said.get(row, "") for row in update.groups), "")
    return _Try(
        situation=Situation(task=task, kind=kinds.pop(), fault=_short(fault, FAULT)),
        edit=_short("; ".join(_told(edit, base) for edit in update.edits), EDIT),
        failures=tuple(said.get(row) or row for row in update.groups),
        fate="kept" if kept else "harmful" if at in trial.harmful else "vain",
        credit=trial.credit.get(at, 0.0) / len(update.groups) if kept else 0.0,
    )


def task_of(network: Network, node: str) -> str:
    """Say what a node is for, what its prompt asks of it, reads and writes; "" where there is no such node."""
    try:
        found, _ = views.node_at(network, node)
    except (NetworkError, AssertionError):  # of a tool, or inside of one
        return ""
    asked = found.parameters["instructions"].content if isinstance(found, PromptNode) else ""
    fields = f"({', '.join(found.inputs)} → {', '.join(field.name for field in found.output)})"
    return _short(f"{found.description} {asked} {fields}", TASK)


def _lessons(run: RunInfo, tries: list[_Try]) -> Iterator[Lesson]:
    """Judge each edit beside those for the same failure; where there are none, beside all of the run."""
    if not tries:
        return
    rivals: dict[str, list[float]] = {}
    for item in tries:
        for failure in item.failures:
            rivals.setdefault(failure, []).append(item.worth)
    everything = Group.of([item.worth for item in tries])
    judged = {failure: Group.of(worths) if len(worths) > 1 else everything for failure, worths in rivals.items()}
    for item in tries:
        yield Lesson(
            run=run.id,
            agent=run.agent,
            situation=item.situation,
            edit=item.edit,
            fate=item.fate,
            credit=round(item.credit, 3),
            advantage=round(fmean(judged[failure].advantage(item.worth) for failure in item.failures), 3),
        )


def _said(losses: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return row → what its loss says, by which failures are the same."""
    texts = ((loss["example_id"], loss.get("requirement") or loss.get("text") or "") for loss in losses)
    return {row: " ".join(text.split()) for row, text in texts}


def _told(edit: Edit, base: Base) -> str:
    """Say what an edit does, without the names that mean something to one agent only."""
    said = told(Update(parameter="", status="committed", edits=(edit,)), base.network)
    path = _path(edit)
    op, _, text = said.replace(f" {path}", "", 1).partition(": ")
    if isinstance(edit, DropItem):
        held = base.parameters[path]
        text = next((rule.text for rule in held.value if rule.id == edit.id), text) if isinstance(held, Rules) else text
    if isinstance(edit, ReplaceItem) and isinstance(base.parameters.get(path), Choices):
        op = f"{op} `{edit.id}`"
    return f"{op}: {text}"


def _path(edit: Edit) -> str:
    return edit.path if isinstance(edit, SetParameter | AddItem | DropItem | ReplaceItem) else ""


def _short(text: str, limit: int) -> str:
    return shorten(" ".join(text.split()), limit)
