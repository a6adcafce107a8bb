"""Trying the changes of a step: what mends is kept, what harms is dropped, and what is left is confirmed.

The two gates judge changes; this is where a step's verdict is put together from theirs, with the credit of each change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from agentsym.learning.gate import TIE, mean
from agentsym.learning.protocols import Decision, Proposal, Row, Scores, Trial, Update
from agentsym.learning.symbolic.changes import applied, compatible
from agentsym.learning.symbolic.gates import FixGate, Mended, RegressionGate
from agentsym.learning.symbolic.mend import Case
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.learning.training import Training
from agentsym.network.network import Network
from agentsym.network.records import LossReport

N = TypeVar("N", bound=Network)


class Trying(Generic[N]):
    """Tries proposals.

    Args:
        training: runs the rows; a gate that looks at nothing switches the gates of a step off too.
        recipe: which gates there are.

    Attributes:
        regression: the regression gate, which validation uses too.
        gated: whether anything is judged.
    """

    def __init__(self, training: Training[N], recipe: Recipe) -> None:
        self._training, self._recipe = training, recipe
        most = training.settings.repeats
        self.gated = bool(training.parts.gate.looks_at)
        self.regression = RegressionGate(training, most=most)
        self._fix = FixGate(training, joint=recipe.joint, most=most, prune=recipe.prune)

    async def __call__(
        self, base: N, proposal: Proposal, cases: Sequence[Case], must_hold: Sequence[Row], first_rollout: int
    ) -> Trial:
        """Try a proposal: do its changes mend what they answer, and do they break what works?

        Args:
            base: the head.
            proposal: its changes.
            cases: the failures that they answer.
            must_hold: rows that pass with the head.
            first_rollout: number of the first run of a row, of those that this step may use.
        """
        changes = proposal.updates
        before = {case.id: case.item.loss.score for case in cases}
        mended = await self._mended(base, changes, cases, first_rollout)
        kept = mended.kept
        if self.gated and self._recipe.regression:
            kept = await self.regression(base, changes, kept, must_hold, first_rollout)
        harmful = tuple(at for at in mended.kept if at not in kept)
        candidate, kept = applied(base, changes, kept)
        after = {**before, **{row: score for row, score in mended.scores.items() if answers(changes, kept, row)}}
        said = {row: text for row, text in mended.said.items() if mended.scores[row] <= before[row] + TIE}
        if self.gated and self._recipe.fix:
            most = len(cases) if mended.joined else max(0, self._recipe.regression - len(must_hold))
            again = await self._confirmed(candidate, cases, after, changes, harmful, most, first_rollout)
            after |= {row: report.score for row, report in again.items()}
            said |= {row: report.requirement or report.text for row, report in again.items()}
            kept = tuple(at for at in kept if any(after[group] > before[group] + TIE for group in changes[at].groups))
            candidate, kept = applied(base, changes, kept)
        credit = {
            at: sum(after[group] - before[group] for group in changes[at].groups if group in after) for at in kept
        }
        return Trial(
            candidate=candidate.version,
            before=Scores(batch=before),
            after=Scores(batch=after),
            decision=self._decided(kept, len(changes), before, after),
            kept=kept,
            harmful=harmful,
            credit=credit,
            said={row: text for row, text in said.items() if after[row] <= before[row] + TIE},
        )

    async def _mended(self, base: N, changes: Sequence[Update], cases: Sequence[Case], first_rollout: int) -> Mended:
        if self.gated and self._recipe.fix:
            return await self._fix(base, changes, cases, first_rollout)
        new = [at for at, change in enumerate(changes) if change.status == "committed" and not change.earlier]
        first, _ = compatible(changes, new, {case.id: len(case.group.rows) for case in cases})
        return Mended(first, {case.id: case.item.loss.score for case in cases})

    async def _confirmed(
        self,
        candidate: N,
        cases: Sequence[Case],
        scores: Mapping[str, float],
        changes: Sequence[Update],
        dropped: Iterable[int],
        most: int,
        first_rollout: int,
    ) -> dict[str, LossReport]:
        """Run mended failures again with what is left of the changes, and return the losses of those that count.

        Those that a dropped change was for are all run, since it may have had its part in them; of the others `most`.
        """
        mended = [case for case in cases if scores[case.id] > case.item.loss.score + TIE]
        doubtful = [case for case in mended if answers(changes, dropped, case.id)]
        sure = [case for case in mended if case not in doubtful][:most]
        rows = [case.item.row for case in (*doubtful, *sure)]
        if self._training.settings.repeats == 1:
            return await self._training.judged(candidate, rows)
        lost = await self.regression.broken(candidate, rows, first_rollout)
        return {case.id: case.item.loss for case in mended if case.item.row in lost}

    def _decided(
        self, kept: Sequence[int], proposed: int, before: Mapping[str, float], after: Mapping[str, float]
    ) -> Decision:
        """Put the gates' findings in words."""
        old, new = mean(before.values()), mean(after.values())
        if not kept:
            return Decision(accept=False, reason="no edit mends a failure without harm", before=old, after=old)
        mended = sum(after[row] > before[row] + TIE for row in before)
        reason = f"{mended} of {len(before)} failures mended, {len(kept)} of {proposed} changes kept"
        return Decision(accept=True, reason=reason if self.gated else "no gate", before=old, after=new)


def answers(changes: Sequence[Update], which: Iterable[int], group: str) -> bool:
    """Whether some of these changes are for a failure."""
    return any(group in changes[at].groups for at in which)
