"""What a report tells of a run, read from the store: the run, and for each step its failures, critiques and changes.

Everything is a plain value, so the pages that draw it ask the store nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from agentsym.errors import StoreError
from agentsym.learning.course import StepRecord
from agentsym.learning.journal import Gradients
from agentsym.learning.loss import PERFECT
from agentsym.learning.memory.history import Bases
from agentsym.learning.protocols import Update
from agentsym.learning.report.edits import EditView, view
from agentsym.learning.run import Run
from agentsym.learning.symbolic.blame import Blames
from agentsym.network.network import Network
from agentsym.network.records import LossReport
from agentsym.network.shown import cut, shown
from agentsym.store.events import Event
from agentsym.store.reading import RunInfo
from agentsym.store.store import Store

FAILURES = 4  # failures of a step that are told
CHANGES = 8  # changes of a step
EDITS = 6  # edits of a change
DETAILED = 120  # steps that are told in full; of a longer run those that were accepted, and the last ones
SAID = 400  # letters of a field

Fate = Literal["accepted", "rejected", "harmful", "refused", "unchanged"]


class Failure(NamedTuple):
    """A row of train that failed.

    Attributes:
        row: its id.
        score: what it scored.
        inputs: what went in.
        output: what came out.
        wanted: what was wanted: the labels, or what the loss requires.
        critiques: node and what was said of it.
    """

    row: str
    score: float
    inputs: str
    output: str
    wanted: str
    critiques: tuple[tuple[str, str], ...] = ()


class ChangeView(NamedTuple):
    """One update of a proposal.

    Attributes:
        parameter: what it is about.
        fate: what became of it.
        edits: what it does, as far as it is shown.
        left_out: edits that are not.
        answers: the failures that it is for.
        credit: what it added to their scores.
        errors: why answers of the teacher were refused.
    """

    parameter: str
    fate: Fate
    edits: tuple[EditView, ...] = ()
    left_out: int = 0
    answers: tuple[str, ...] = ()
    credit: float | None = None
    errors: tuple[str, ...] = ()


class StepView(NamedTuple):
    """One step in full; `failed` and `proposed` count what there was, `detailed` says whether it was looked up."""

    record: StepRecord
    detailed: bool = True
    failed: int = 0
    failures: tuple[Failure, ...] = ()
    proposed: int = 0
    changes: tuple[ChangeView, ...] = ()


class Report(NamedTuple):
    """All that a report tells: what the store's table says of the run, the run itself, and its steps."""

    info: RunInfo
    run: Run[Any]
    steps: tuple[StepView, ...]


def read_report(store: Store, run_id: str, agent: Network | None = None) -> Report:
    """Read a run; `agent` is the version it began with, where the caller has it.

    Raises:
        UsageError: it ended before it began to learn.
    """
    info = store.run(run_id)
    run: Run[Any] = Run.read(store, info.id) if agent is None else Run.load(store, info.id, agent)
    return Report(info, run, tuple(_steps(store, run)))


def _steps(store: Store, run: Run[Any]) -> Iterator[StepView]:
    said = {kind: list(_by_step(store, run, kind)) for kind in ("forward", "blame", "backward")}
    told = _told(run.steps)
    bases = Bases(store)
    for at, record in enumerate(run.steps):
        if record.step not in told:
            yield StepView(record, detailed=False, proposed=len(_told_of(record)))
            continue
        forward, blame, backward = (said[kind][at] for kind in ("forward", "blame", "backward"))
        losses = [LossReport.model_validate(loss) for loss in forward.data["losses"]] if forward else []
        critiques = {**_of_gradients(backward), **_of_blames(blame)}
        failing = _failing(losses, critiques)
        failures = tuple(_failure(store, run, record, position, losses, critiques) for position in failing[:FAILURES])
        changes = tuple(_changes(record, bases))
        yield StepView(record, True, len(failing), failures, len(_told_of(record)), changes)


def _told(steps: Sequence[StepRecord]) -> set[int]:
    """Return the numbers of the steps that are told in full."""
    wanted = sorted(steps, key=lambda step: (not step.accepted, -step.step))
    return {step.step for step in wanted[:DETAILED]}


def _by_step(store: Store, run: Run[Any], kind: str) -> Iterator[Event | None]:
    """Yield for each step its last event of a kind."""
    events = list(store.events(run.id, kind=kind))
    for step in run.steps:
        first, last = step.events
        yield next((event for event in reversed(events) if first <= event.seq <= last), None)


def _of_blames(event: Event | None) -> dict[str, tuple[tuple[str, str], ...]]:
    if event is None:
        return {}
    return {
        blame.example_id: tuple(blame.critiques.items()) for blame in Blames.model_validate(event.data["value"]).runs
    }


def _of_gradients(event: Event | None) -> dict[str, tuple[tuple[str, str], ...]]:
    if event is None:
        return {}
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for gradients in Gradients.model_validate(event.data["value"]).rows:
        for item in gradients:
            if not item.satisfied and item.status != "skipped" and (item.analysis or item.suggestions):
                new = [suggestion for suggestion in item.suggestions if suggestion.advice != item.analysis]
                advice = (f"{suggestion.parameter}: {suggestion.advice}" for suggestion in new)
                said = "\n".join(filter(None, (item.analysis, *advice)))
                found[item.example_id] = (*found.get(item.example_id, ()), (item.node, said))
    return found


def _failing(losses: Sequence[LossReport], critiques: Mapping[str, Any]) -> list[int]:
    """Return the positions of the failing rows, those that were criticised first."""
    failing = [at for at, loss in enumerate(losses) if loss.score < PERFECT]
    return sorted(failing, key=lambda at: (losses[at].example_id not in critiques, at))


def _failure(
    store: Store,
    run: Run[Any],
    record: StepRecord,
    position: int,
    losses: Sequence[LossReport],
    critiques: Mapping[str, tuple[tuple[str, str], ...]],
) -> Failure:
    loss = losses[position]
    wanted = _fields(loss.expected) if loss.expected else loss.requirement or loss.text
    try:
        trajectory = store.trajectory(f"{run.id}-{record.step}-{position}")
    except StoreError:
        inputs = output = ""
    else:
        inputs, output = _fields(trajectory.inputs), trajectory.error or _fields(trajectory.output)
    said = tuple((node, cut(text, SAID)) for node, text in critiques.get(loss.example_id, ()))
    return Failure(loss.example_id, loss.score, inputs, output, cut(wanted, SAID), said)


def _changes(record: StepRecord, bases: Bases) -> Iterator[ChangeView]:
    """Yield the changes of a step that are shown: the kept ones first, then those with edits."""
    updates = sorted(_told_of(record), key=lambda pair: (not record.keeps(pair[0]), not pair[1].edits, pair[0]))
    for at, update in updates[:CHANGES]:
        compared = record.base and any(edit.op != "add_item" for edit in update.edits[:EDITS])
        base = bases[record.base].network if compared else None
        yield ChangeView(
            parameter=update.parameter,
            fate=fate(record, at),
            edits=tuple(view(edit, base) for edit in update.edits[:EDITS]),
            left_out=max(0, len(update.edits) - EDITS),
            answers=update.groups,
            credit=record.credit.get(at),
            errors=tuple(cut(error, SAID) for error in update.errors),
        )


def _told_of(record: StepRecord) -> list[tuple[int, Update]]:
    """Return the updates of a step that say anything."""
    return [(at, update) for at, update in record.updates() if update.edits or update.errors]


def fate(record: StepRecord, at: int) -> Fate:
    """Return what became of an update of a step's proposal, by its number."""
    update = record.proposal.updates[at]
    if update.status != "committed":
        return "refused" if update.status == "discarded" else "unchanged"
    if record.keeps(at):
        return "accepted"
    return "harmful" if at in record.harmful else "rejected"


def _fields(values: Mapping[str, Any]) -> str:
    """Write fields as lines."""
    return "\n".join(f"{name}: {cut(shown(value), SAID)}" for name, value in values.items())
