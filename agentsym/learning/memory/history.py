"""Derives the lessons of a run from its events: what was proposed, and what the gates and validation made of it.

Nothing is kept beside the events, so a lesson can neither get lost nor contradict them. Of validation is read which
changes it took back; no text of its rows stands in an event that is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from agentsym.errors import NetworkError
from agentsym.learning.memory.lesson import LOSS, Lesson, Situation, relative
from agentsym.learning.merge import shorten
from agentsym.learning.protocols import Blame, Proposal, Trial, Update
from agentsym.learning.symbolic.changes import node_of, told
from agentsym.learning.teacher import views
from agentsym.models.secrets import scrub
from agentsym.network.edits import AddItem, DropItem, Edit, ReplaceItem, SetParameter
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Choices
from agentsym.store.reading import RunInfo
from agentsym.store.store import Store

READ = ("forward", "blame", "proposal", "gate", "validate", "harmless", "validate_again")
"""The kinds of event that tell of edits; `blame` is of the combined algorithm alone."""
TASK, FAULT, EDIT = 400, 200, 200  # characters of each that are remembered


class Networks:
    """The versions of stored runs, each made once; good for reading, not for running."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made: dict[str, Network] = {}

    def __getitem__(self, version: str) -> Network:
        if version not in self._made:
            self._made[version] = Network.model_validate(self._store.version_content(version))
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


def lessons_of(store: Store, run: RunInfo, networks: Networks) -> tuple[Lesson, ...]:
    """Return the lessons of a run, in the order in which its edits were tried; moves of the pipeline teach none."""
    bases = store.forward_versions(run.id)
    tries = _Tries()
    said: Mapping[str, str] = {}
    blames: Mapping[str, Blame] = {}
    proposal = Proposal()
    base = ""
    for event in store.events(run.id, kind=READ):
        value: Any = event.data.get("value")
        if event.kind not in ("harmless", "validate_again"):
            tries.settle()
        match event.kind:
            case "forward":
                said, base = _said(event.data["losses"]), bases.get(event.data["step"], "")
            case "blame":
                blames = {each["example_id"]: Blame.model_validate(each) for each in value["runs"]}
            case "proposal":
                proposal = Proposal.model_validate(value)
            case "gate" if base:
                tries.add(networks[base], proposal, Trial.model_validate(value), said, blames)
            case "validate":
                tries.accepted = value["decision"]["accept"]
            case "harmless":
                tries.harmless = value["kept"]
            case "validate_again":
                tries.settle(again=True)
    tries.settle()
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
        self, base: Network, proposal: Proposal, trial: Trial, said: Mapping[str, str], blames: Mapping[str, Blame]
    ) -> None:
        """Add the edits of one step, as its gates found them."""
        for at, update in enumerate(proposal.updates):
            kept = trial.decision.accept and at in (trial.kept or ())
            if update.status != "committed" or (update.earlier and not kept):
                continue  # what was proposed earlier was counted then
            made = _tried(base, update, kept, at, trial, said, blames)
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


def _tried(
    base: Network,
    update: Update,
    kept: bool,
    at: int,
    trial: Trial,
    said: Mapping[str, str],
    blames: Mapping[str, Blame],
) -> _Try | None:
    """Return what a change was for and what came of it; None where it is no edit of a node's parameters."""
    node = node_of(update)
    kinds = {base.parameter(path).kind for edit in update.edits if (path := _path(edit)) in base.parameters()}
    task = task_of(base, node)
    if not task or len(kinds) != 1:
        return None
    critiques = (blames[row].critiques.get(node, "") for row in update.groups if row in blames)
    fault = next((text for text in critiques if text), None) or next((said.get(row, "") for row in update.groups), "")
    return _Try(
        situation=Situation(task=task, kind=kinds.pop(), fault=_short(fault, FAULT)),
        edit=_short("; ".join(_told(edit, base) for edit in update.edits), EDIT),
        failures=tuple(said.get(row) or row for row in update.groups),
        fate="kept" if kept else "harmful" if at in trial.harmful else "vain",
        credit=trial.credit.get(at, 0.0) / max(1, len(update.groups)) if kept else 0.0,
    )


def task_of(network: Network, node: str) -> str:
    """Say what a node is for and what its prompt asks of it; "" where there is no such node."""
    try:
        found, _ = views.node_at(network, node)
    except (NetworkError, AssertionError):  # of a tool, or inside of one
        return ""
    asked = found.parameters["instructions"].content if isinstance(found, PromptNode) else ""
    return _short(f"{views.node(network, node)} {asked}", TASK)


def _lessons(run: RunInfo, tries: list[_Try]) -> Iterator[Lesson]:
    """Judge each edit beside those for the same failure; where there are none, beside all of the run."""
    rivals: dict[str, list[float]] = {}
    for item in tries:
        for failure in item.failures:
            rivals.setdefault(failure, []).append(item.worth)
    everything = [item.worth for item in tries]
    for item in tries:
        groups = [group if len(group := rivals[failure]) > 1 else everything for failure in item.failures]
        yield Lesson(
            run=run.id,
            agent=run.agent,
            situation=item.situation,
            edit=item.edit,
            fate=item.fate,
            credit=round(item.credit, 3),
            advantage=round(sum(relative(item.worth, group) for group in groups) / max(1, len(groups)), 3),
        )


def _said(losses: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return row → what its loss says, by which failures are the same."""
    return {loss["example_id"]: " ".join((loss.get("requirement") or loss.get("text") or "").split()) for loss in losses}


def _told(edit: Edit, base: Network) -> str:
    """Say what an edit does, without the names that mean something to one agent only."""
    said = told(Update(parameter="", status="committed", edits=(edit,)), base)
    path = _path(edit)
    op, _, text = said.replace(f" {path}", "", 1).partition(": ")
    if isinstance(edit, DropItem):
        item = next((item for item in base.parameter(path).value if item.id == edit.id), None)
        text = str(getattr(item, "text", text))
    if isinstance(edit, ReplaceItem) and isinstance(base.parameter(path), Choices):
        op = f"{op} `{edit.id}`"
    return f"{op}: {text}"


def _path(edit: Edit) -> str:
    return edit.path if isinstance(edit, SetParameter | AddItem | DropItem | ReplaceItem) else ""


def _short(text: str, limit: int) -> str:
    return shorten(" ".join(scrub(text).split()), limit)
