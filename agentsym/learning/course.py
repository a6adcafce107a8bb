"""The course of a run: its steps, where it stood after each of them, and the versions that came to be, from its events.

`Run` holds it, so the command line, the report, the exported tables and a notebook all tell the same story.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from agentsym.learning.gate import mean
from agentsym.learning.protocols import Decision, Proposal, Trial, Update
from agentsym.store.events import Event

TOLD_BY = (
    "version",
    "baseline",
    "forward",
    "proposal",
    "gate",
    "validate",
    "validate_again",
    "finalists",
    "offer",
    "checkpoint",
)
"""The kinds of events that it is read from; the trajectories are many, and are left where they are."""


class StepRecord(NamedTuple):
    """One step as the journal tells it.

    Attributes:
        step: its number, from 0.
        rows: how many rows of train it ran.
        score: their mean score; None where there were none.
        proposal: what was proposed.
        decision: the gate's decision (None: there was no candidate).
        kept: numbers of the proposal's updates that were tried to the end; None: all of them.
        harmful: numbers of those that mended something and broke something else.
        credit: number of an update → what it added to the scores of the failures that it answers.
        validated: the decision of the validation that followed, where there was one; where that took changes back, the
            decision on what is left.
        base: the version that it began with.
        candidate: the version that the gate tried.
        val: mean validation score of what it made, where all of the validation rows were run with it.
        calls: model calls of the run until its end.
        events: numbers of the first and the last event that tell of it.
    """

    step: int
    rows: int
    score: float | None
    proposal: Proposal = Proposal()
    decision: Decision | None = None
    kept: tuple[int, ...] | None = None
    harmful: tuple[int, ...] = ()
    credit: Mapping[int, float] = {}
    validated: Decision | None = None
    base: str = ""
    candidate: str | None = None
    val: float | None = None
    calls: int = 0
    events: tuple[int, int] = (0, 0)

    @property
    def accepted(self) -> bool:
        """Whether the gate took it."""
        return self.decision is not None and self.decision.accept

    @property
    def held(self) -> bool:
        """Whether what it made was kept: by its validation, where there was one, else by the gate."""
        last = self.validated or self.decision
        return last is not None and last.accept

    def keeps(self, at: int) -> bool:
        """Whether an update of the proposal, by its number, is part of what was accepted."""
        return self.accepted and (self.kept is None or at in self.kept)

    def updates(self) -> list[tuple[int, Update]]:
        """Return with their numbers the updates that were proposed now or kept, without what was only tried along."""
        updates = enumerate(self.proposal.updates)
        return [(at, update) for at, update in updates if not update.earlier or self.keeps(at)]


How = Literal["first", "accepted", "reverted", "merged", "setting"]


class Point(NamedTuple):
    """Where a run stood at a checkpoint.

    Attributes:
        step: steps done.
        calls: model calls until then.
        best: the best version.
        val: its mean validation score, where there is validation.
    """

    step: int
    calls: int
    best: str
    val: float | None


class VersionRecord(NamedTuple):
    """How a version came to be.

    Attributes:
        hash: the version.
        parent: the version that it was made from.
        how: `first`; `accepted` by the gate of a step; `reverted`, what is left of its parent's changes when validation
            took some back; `merged` from two versions of the Pareto front; `setting`, with another option that was
            tried for its cost or time when learning was over.
        step: the step that made it, from 0; None for the first, and for a setting.
        val: its mean validation score, where it was run on all of validation.
    """

    hash: str
    parent: str | None
    how: How
    step: int | None = None
    val: float | None = None


class Course(NamedTuple):
    """All of it.

    Attributes:
        steps: what each step did.
        points: where the run stood at the beginning and after each step.
        versions: how each version came to be.
        front: the versions that are best on some validation row, where the algorithm keeps them.
        best_val: validation row → score of the best version.
    """

    steps: tuple[StepRecord, ...] = ()
    points: tuple[Point, ...] = ()
    versions: tuple[VersionRecord, ...] = ()
    front: tuple[str, ...] = ()
    best_val: Mapping[str, float] = {}


def read_course(events: Iterable[Event]) -> Course:
    """Read the course of a run from its events, in their order; a phase that a resume did again counts once."""
    reader = _Reader()
    for event in events:
        reader.take(event)
    means = {version: mean(scores.values()) for version, scores in reader.val.items()}
    versions = tuple(item._replace(val=means.get(item.hash)) for item in reader.versions.values())
    best_val = reader.val.get(reader.points[-1].best, {}) if reader.points else {}
    return Course(tuple(reader.steps.values()), tuple(reader.points), versions, reader.front, best_val)


class _Reader:
    """Gathers what the events of a step say until its checkpoint comes."""

    def __init__(self) -> None:
        self.steps: dict[int, StepRecord] = {}
        self.points: list[Point] = []
        self.versions: dict[str, VersionRecord] = {}
        self.val: dict[str, Mapping[str, float]] = {}
        self.front: tuple[str, ...] = ()
        self._head = ""
        self._over = False  # learning is
        self._begin()

    def _begin(self) -> None:
        """Forget the step that is over."""
        self._step = StepRecord(len(self.points) - 1, 0, None, base=self._head)
        self._validating = False

    def take(self, event: Event) -> None:
        """Take the next event."""
        data, step = event.data, self._step
        first = step.events[0] or event.seq
        match event.kind:
            case "version":
                self._version(data["hash"], data.get("parent"))
            case "baseline":
                self._scored(self._head, data["value"].get("val", {}))
            case "forward":
                scores = [loss["score"] for loss in data["losses"]]
                step = step._replace(step=data["step"], rows=len(scores), score=mean(scores) if scores else None)
            case "proposal":
                step = step._replace(proposal=Proposal.model_validate(data["value"]))
            case "gate":
                step = self._gated(step, Trial.model_validate(data["value"]))
            case "validate" | "validate_again":
                step = self._validated(step, data["value"])
            case "finalists" | "offer":
                self._over = True
        self._step = step._replace(events=(first, event.seq))
        if event.kind == "checkpoint":
            self._checkpoint(data)

    def _version(self, version: str, parent: str | None) -> None:
        how: How = "merged"
        if not self.versions:
            how = "first"
        elif self._over:
            how = "setting"
        elif version == self._step.candidate:
            how = "accepted"
        elif self._validating:
            how = "reverted"
        at = None if how in ("first", "setting") else self._step.step
        self.versions.setdefault(version, VersionRecord(version, parent, how, at))
        self._head = version

    def _gated(self, step: StepRecord, trial: Trial) -> StepRecord:
        val = self._scored(trial.candidate, trial.after.val)
        if trial.decision.accept:
            self._head = trial.candidate
        return step._replace(
            decision=trial.decision,
            candidate=trial.candidate,
            val=val,
            kept=trial.kept,
            harmful=trial.harmful,
            credit=trial.credit,
        )

    def _validated(self, step: StepRecord, value: Mapping[str, Any]) -> StepRecord:
        self._validating = True
        val = self._scored(self._head, value["val"]) if value.get("finished", True) else None
        return step._replace(validated=Decision.model_validate(value["decision"]), val=val)

    def _scored(self, version: str, val: Mapping[str, float]) -> float | None:
        """Remember a version's scores on validation and return their mean; None where there are no rows."""
        if not val:
            return None
        self.val[version] = val
        return mean(val.values())

    def _checkpoint(self, data: Mapping[str, Any]) -> None:
        state, calls = data["state"], data.get("summary", {}).get("calls", 0)
        self._head = state["head"]
        self.front = tuple(state.get("pool", ()))
        if self._over and state["val"]:
            self._scored(state["best"], state["val"])
        if state["step"]:
            self._end_step(state["step"] - 1, calls)
        if self.points and self.points[-1].step == state["step"]:  # the last validation, after all steps
            self.points.pop()
        self.points.append(Point(state["step"], calls, state["best"], state["best_score"] if state["val"] else None))
        self._begin()

    def _end_step(self, number: int, calls: int) -> None:
        """Keep the step that is over; what comes after the last one, its validation, belongs to that."""
        step, known = self._step._replace(step=number, calls=calls), self.steps.get(number)
        if known is not None:
            validated, val = (step.validated, step.val) if step.validated else (known.validated, known.val)
            events = (known.events[0], step.events[1])
            step = known._replace(calls=calls, events=events, validated=validated, val=val)
        self.steps[number] = step
