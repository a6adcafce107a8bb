"""`State`: everything a training run must remember between two steps.

It is written into the journal as a checkpoint after each step, so a run that was killed goes on from the last one.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from agentsym.learning.gate import TIE, mean
from agentsym.learning.protocols import Decision, Proposal, Trial, Tried, Update
from agentsym.learning.settings import Settings
from agentsym.network.canonical import Frozen

HISTORY = 5  # updates of each outcome that are remembered of each parameter


class State(Frozen):
    """Where a run stands before step number `step`.

    Attributes:
        step: the next step.
        head: the version that is learned on.
        best: the version with the best validation score so far (the head, where there is no validation).
        best_score: its score.
        val: the head's validation scores by row.
        must_pass: the head's scores on the must-pass rows.
        lr: the learning rate.
        history: parameter → what was tried, oldest first.
        accepted: steps whose candidate was kept.
        stale: steps in a row that did not raise the score that the gate looks at.
        idle: steps in a row that proposed nothing.
        failing: batches in a row with too many failed runs.
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
    idle: int = 0
    failing: int = 0

    def after_failing_batch(self) -> State:
        """Go on without an update."""
        return self.model_copy(update={"step": self.step + 1, "failing": self.failing + 1})

    def after_idle(self, proposal: Proposal, *, batch_score: float) -> State:
        """Go on from a step whose proposal changed nothing."""
        score = self.best_score if self.val else max(self.best_score, batch_score)
        changes = {
            "step": self.step + 1,
            "history": self._remembered(proposal, None),
            "idle": self.idle + 1,
            "stale": self.stale + 1,
            "failing": 0,
        }
        return self.model_copy(update={**changes, "best_score": score})

    def after_gate(self, settings: Settings, proposal: Proposal, trial: Trial, *, batch_score: float) -> State:
        """Go on from a gate's decision: the candidate becomes the head, or the learning rate decays.

        Args:
            settings: decay and floor of the learning rate.
            proposal: what was tried.
            trial: what the gate saw.
            batch_score: the candidate's mean on the batch, which counts where there is no validation.
        """
        changes: dict[str, object] = {
            "step": self.step + 1,
            "history": self._remembered(proposal, trial.decision),
            "idle": 0,
            "failing": 0,
            "stale": self.stale + 1,
        }
        if not trial.decision.accept:
            return self.model_copy(
                update={**changes, "lr": max(self.lr * settings.lr_decay, min(self.lr, settings.lr_floor))}
            )
        val = trial.after.val
        score = mean(val.values()) if val else batch_score
        changes |= {
            "head": trial.candidate,
            "val": val,
            "must_pass": trial.after.must_pass,
            "accepted": self.accepted + 1,
        }
        if (
            not val or score >= self.best_score - TIE
        ):  # of equals the newer: the gate has seen that it is no worse on the batch
            changes |= {"best": trial.candidate, "best_score": score}
        unseen = not (trial.after.batch or val)  # without a gate nobody can tell whether a step was any good
        if unseen or trial.decision.after > trial.decision.before + TIE:
            changes |= {"stale": 0}
        return self.model_copy(update=changes)

    def _remembered(self, proposal: Proposal, decision: Decision | None) -> dict[str, tuple[Tried, ...]]:
        """Add what this step tried: of each parameter, the last five of every outcome."""
        history = dict(self.history)
        for update in proposal.updates:
            new = Tried(step=self.step, outcome=_outcome(update, decision), **_effect(update, decision))
            tried = (*history.get(update.parameter, ()), new)
            same = [item for item in tried if item.outcome == new.outcome][:-HISTORY]
            history[update.parameter] = tuple(item for item in tried if item not in same)
        return history


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
