"""`WholeAlgorithm`: the paper's loop for teachers that read all rows at once, at a part of its runs.

Such a teacher is shown the whole of train at every step; only the rows that can tell something new are run for it, and
the others are shown as they last ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from agentsym.learning.paper import PaperAlgorithm, PaperState
from agentsym.learning.protocols import Evidence, Optimizer, Row
from agentsym.learning.recall import Recall
from agentsym.learning.training import Training
from agentsym.network.network import Network

N = TypeVar("N", bound=Network)


class WholeAlgorithm(PaperAlgorithm[N]):
    """Algorithm 1 on batches that are run in part and remembered in part.

    Only for gates that look at validation alone: of the rows that are remembered, some may fail by now, so the score of
    a batch is at least as high as it would be had all of it been run.

    Args:
        training: what it works with.
        optimizer: makes the proposals.
    """

    def __init__(self, training: Training[N], optimizer: Optimizer) -> None:
        super().__init__(training, optimizer)
        self._recall: Recall | None = None

    async def forward(self, state: PaperState, base: N, rows: Sequence[Row]) -> tuple[Evidence, ...]:
        """Run what can tell something new; returns the whole batch, what is remembered with its gradients.

        After a step that proposed nothing no row is taken on trust: an edit may have cost one of them.
        """
        recall = self._remembered(state)
        rows_to_run = recall.to_run(rows, base.version, state.step, every=state.idle > 0)
        return recall.complete(rows, await super().forward(state, base, rows_to_run))

    async def backward(self, state: PaperState, base: N, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """Walk the fresh runs of a batch back and remember them; returns the whole batch with its gradients."""
        recall = self._remembered(state)
        fresh = {item.row.id: item for item in evidence if not recall.holds(item)}
        recall.add(await super().backward(state, base, tuple(fresh.values())), state.step)
        return recall.complete((item.row for item in evidence), ())

    def reason_to_stop(self, state: PaperState) -> str:
        """Return that nothing is left to propose, once every row has been run with the version that is learned on."""
        reason = super().reason_to_stop(state)
        if not reason or self._remembered(state).to_run(self._training.sets.train, state.head, state.step, every=True):
            return ""
        return reason

    def _remembered(self, state: PaperState) -> Recall:
        """Return what is remembered; where a resumed run begins, that is read from its journal."""
        if self._recall is None:
            training = self._training
            self._recall = Recall(training.sets.train, training.settings.seed)
            self._recall.read(training.journal.store, training.journal.run_id, before=state.step)
        return self._recall
