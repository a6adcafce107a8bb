"""The paper's algorithm, call by call: batch, losses, back-propagation, one proposal, one gate (Algorithm 1).

It is the reference that the combined algorithm is measured against, and the loop that `whole.py` makes cheaper for
teachers that read all rows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Generic, TypeVar

from agentsym.learning.backward import backward, together
from agentsym.learning.evaluation import score_table
from agentsym.learning.gate import TIE, mean
from agentsym.learning.journal import Gradients
from agentsym.learning.protocols import Evidence, Optimizer, Proposal, Row, Scores, Trial
from agentsym.learning.settings import Settings
from agentsym.learning.state import State, remembered
from agentsym.learning.training import Training
from agentsym.network.network import Network

N = TypeVar("N", bound=Network)


class PaperState(State):
    """Where the paper's loop stands.

    Attributes:
        idle: steps in a row that proposed nothing.
    """

    idle: int = 0

    def after_failing_batch(self) -> PaperState:
        """Go on without an update."""
        return self.model_copy(update={"step": self.step + 1, "failing": self.failing + 1})

    def after_idle(self, proposal: Proposal, *, batch_score: float) -> PaperState:
        """Go on from a step whose proposal changed nothing."""
        score = self.best_score if self.val else max(self.best_score, batch_score)
        changes = {
            "step": self.step + 1,
            "history": remembered(self.history, proposal, None, self.step),
            "idle": self.idle + 1,
            "stale": self.stale + 1,
            "failing": 0,
        }
        return self.model_copy(update={**changes, "best_score": score})

    def after_gate(self, settings: Settings, proposal: Proposal, trial: Trial, *, batch_score: float) -> PaperState:
        """Go on from a gate's decision: the candidate becomes the head, or the learning rate decays.

        Args:
            settings: decay and floor of the learning rate.
            proposal: what was tried.
            trial: what the gate saw.
            batch_score: the candidate's mean on the batch, which counts where there is no validation.
        """
        changes: dict[str, object] = {
            "step": self.step + 1,
            "history": remembered(self.history, proposal, trial.decision, self.step),
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


class PaperAlgorithm(Generic[N]):
    """Algorithm 1 with its transaction (paper, section 3.4): validate, retry, gate, keep or roll back.

    Args:
        training: what it works with.
        optimizer: makes the proposals.
    """

    state = PaperState

    def __init__(self, training: Training[N], optimizer: Optimizer) -> None:
        self._training = training
        self._optimizer = optimizer
        self._parts, self._settings = training.parts, training.settings

    async def begin(self) -> PaperState:
        """Score the first version."""
        baseline = await self._training.baseline()
        version = self._training.agent.version
        return PaperState(
            head=version,
            best=version,
            best_score=mean(baseline.val.values()),
            val=baseline.val,
            must_pass=baseline.must_pass,
            lr=self._parts.lr,
        )

    async def step(self, state: PaperState) -> PaperState:
        """One step: forward, loss, backward, proposal, gate."""
        training = self._training
        base = training.network(state.head)
        rows = self._parts.sampler.batch(training.sets.train, state.step)
        evidence = await self.forward(state, base, rows)
        score = mean(item.loss.score for item in evidence)
        training.watch("batch", {"step": state.step, "rows": len(rows), "score": score})
        if training.unusable(base, evidence):
            return state.after_failing_batch()
        evidence = await self.backward(state, base, evidence)

        async def propose() -> Proposal:
            return await self._optimizer.propose(base, evidence, lr=state.lr, history=state.history)

        proposal = await training.phase("proposal", Proposal, propose)
        candidate = base.apply(proposal.edits)
        if candidate.version == base.version:
            return state.after_idle(proposal, batch_score=score)
        trial = await training.phase("gate", Trial, lambda: self._try(state, base, candidate, evidence))
        if trial.decision.accept:
            training.keep(candidate, parent=base.version)
        training.watch("gate", {"step": state.step, "decision": trial.decision, "edits": len(proposal.edits)})
        return state.after_gate(
            self._settings,
            proposal,
            trial,
            batch_score=mean(trial.after.batch.values()) if trial.after.batch else score,
        )

    def reason_to_stop(self, state: PaperState) -> str:
        """Return that nothing is left to propose, as soon as every component has had its turn."""
        train = self._training.sets.train
        whole = len(self._parts.sampler.batch(train, state.step)) >= len(train)
        return "there is nothing left to propose" if whole and state.idle >= ceil(1 / state.lr) else ""

    async def finish(self, state: PaperState) -> PaperState:
        """Return the state as it is."""
        return state

    async def forward(self, state: PaperState, base: N, rows: Sequence[Row]) -> tuple[Evidence, ...]:
        """Run a batch; returns each run with its loss."""
        return await self._training.forward(base, rows, state.step)

    async def backward(self, state: PaperState, base: N, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """Walk runs back; returns them with their gradients."""

        async def compute() -> Gradients:
            walks = [
                backward(self._parts.teacher, base, item.trajectory, item.loss, lr=state.lr, order=self._settings.order)
                for item in evidence
            ]
            return Gradients(rows=tuple(await together(walks)))

        gradients = await self._training.phase("backward", Gradients, compute)
        return tuple(
            item.model_copy(update={"gradients": own}) for item, own in zip(evidence, gradients.rows, strict=True)
        )

    async def _try(self, state: PaperState, base: N, candidate: N, evidence: Sequence[Evidence]) -> Trial:
        """Score base and candidate on the rows that the gate looks at, and let it decide."""
        training, gate = self._training, self._parts.gate
        rows = {"batch": tuple(item.row for item in evidence), **training.held_out()}
        if "batch" not in gate.looks_at:
            rows["batch"] = ()
        if self._settings.rescore_base or self._settings.samples > 1:
            before = Scores(**{name: await training.scores(base, own, first_rollout=1) for name, own in rows.items()})
        else:
            batch = score_table(rows["batch"], [item.loss for item in evidence][: len(rows["batch"])])
            before = Scores(batch=batch, val=state.val, must_pass=state.must_pass)
        after = Scores(**{name: await training.scores(candidate, own) for name, own in rows.items()})
        return Trial(candidate=candidate.version, before=before, after=after, decision=gate.decide(before, after))
