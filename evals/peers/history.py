"""What the journal of a run tells besides its result: whom it blamed with which version, and what it accepted.

A measure of the way there needs the versions on it, and the store keeps all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from agentsym import Agent
from agentsym.learning.protocols import Blame, Proposal, Trial
from agentsym.learning.symbolic.changes import applied
from agentsym.network.revive import revive
from agentsym.store.events import Event
from agentsym.store.store import Store


class Blamed(NamedTuple):
    """The blame for one failing run, and the version that failed."""

    version: str
    blame: Blame


class Accepted(NamedTuple):
    """What the gates of one step accepted.

    Attributes:
        base: the version that it was made from.
        candidate: the new version.
        without: versions with all accepted changes but one each.
    """

    base: Agent
    candidate: Agent
    without: tuple[Agent, ...]


def blamed(store: Store, run_id: str) -> Iterator[Blamed]:
    """Yield every blame of a run, in order."""
    for runs, event in _with_runs(store, run_id, "blame"):
        for data in event.data["value"]["runs"]:
            blame = Blame.model_validate(data)
            yield Blamed(runs[blame.example_id], blame)


def accepted(store: Store, run_id: str, first: Agent) -> Iterator[Accepted]:
    """Yield what the gates of a run's steps accepted, in order; validation comes later and is not asked.

    Args:
        store: where the run is.
        run_id: the run.
        first: the version that it began with.
    """
    known = versions(store, run_id, first)
    proposal = Proposal()
    for runs, event in _with_runs(store, run_id, "proposal", "gate"):
        if event.kind == "proposal":
            proposal = Proposal.model_validate(event.data["value"])
            continue
        trial = Trial.model_validate(event.data["value"])
        if trial.decision.accept:
            base = known[next(iter(runs.values()))]
            kept = range(len(proposal.updates)) if trial.kept is None else trial.kept
            rest = ([at for at in kept if at != left] for left in kept)
            without = tuple(applied(base, proposal.updates, which)[0] for which in rest)
            yield Accepted(base, known[trial.candidate], without)


def versions(store: Store, run_id: str, first: Agent) -> dict[str, Agent]:
    """Return all versions of a run; `first` is the one that it began with."""
    return {known.hash: revive(first, store.version_content(known.hash)) for known in store.versions(run_id)}


def _with_runs(store: Store, run_id: str, *kinds: str) -> Iterator[tuple[dict[str, str], Event]]:
    """Yield events of some kinds with the runs of their step: row → version."""
    step = 0
    for event in store.events(run_id):
        if event.kind == "forward":
            step = event.data["step"]
        elif event.kind in kinds:
            own = store.trajectories(run_id, phase="forward", step=step)
            yield {run.trajectory.example_id: run.trajectory.version for run in own}, event
