"""`State`: what a training run must remember between two steps, whatever its algorithm.

It is written into the journal as a checkpoint after each step, so a run that was killed goes on from the last one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from agentsym.learning.objectives import Measured
from agentsym.learning.protocols import Decision, Proposal, Tried, Update
from agentsym.network.canonical import Frozen

HISTORY = 5  # updates of each outcome that are remembered of each parameter
History = Mapping[str, tuple[Tried, ...]]


class State(Frozen):
    """Where a run stands before step number `step`; each algorithm adds what it needs.

    Attributes:
        step: the next step.
        head: the version that is learned on.
        best: the version with the best validation score so far (the head, where there is no validation).
        best_score: its score.
        val: validation scores by row, of the version that the next one is compared with.
        must_pass: that version's scores on the must-pass rows.
        lr: the learning rate.
        history: parameter → what was tried, oldest first.
        accepted: steps whose candidate was kept.
        stale: steps in a row that did not raise the score that the algorithm looks at.
        failing: batches in a row with too many failed runs.
        over: why learning is over; "" while it goes on. What follows is the choice among versions by cost or time.
        field: version → what it is worth, of those that the choice is among.
        offers: settings that are not tried any more for it, as `path=value`.
    """

    step: int = 0
    head: str
    best: str
    best_score: float = 0.0
    val: dict[str, float] = {}
    must_pass: dict[str, float] = {}
    lr: float
    history: dict[str, tuple[Tried, ...]] = {}
    accepted: int = 0
    stale: int = 0
    failing: int = 0
    over: str = ""
    field: dict[str, Measured] = {}
    offers: tuple[str, ...] = ()

    @property
    def finalists(self) -> tuple[str, ...]:
        """The versions that a choice by cost or time is among."""
        return (self.best,)


def remembered(
    history: History, proposal: Proposal, decision: Decision | None, step: int
) -> dict[str, tuple[Tried, ...]]:
    """Add what a step tried: of each parameter, the last five of every outcome."""
    made = dict(history)
    for update in proposal.updates:
        new = Tried(step=step, outcome=_outcome(update, decision), **_effect(update, decision))
        tried = (*made.get(update.parameter, ()), new)
        same = [item for item in tried if item.outcome == new.outcome][:-HISTORY]
        made[update.parameter] = tuple(item for item in tried if item not in same)
    return made


def _outcome(update: Update, decision: Decision | None) -> Literal["accepted", "rejected", "kept", "discarded"]:
    if update.status == "committed":
        return "accepted" if decision is not None and decision.accept else "rejected"
    return update.status


def _effect(update: Update, decision: Decision | None) -> dict[str, Any]:
    if update.status != "committed" or decision is None:
        return {}
    reasons = Counter(edit.why or edit.op for edit in update.edits)  # one reason often stands behind many examples
    what = "; ".join(reason + (f" (×{times})" if times > 1 else "") for reason, times in list(reasons.items())[:8])
    return {"what": what, "change": decision.after - decision.before}
