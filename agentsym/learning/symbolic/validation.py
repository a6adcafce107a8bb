"""Validation of the combined algorithm: seldom, stopped as soon as it is lost, and remembered as a Pareto front.

Most of what an optimization costs is validation, so a version is validated only when there is a reason to expect more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from agentsym.learning.gate import ValidatedGate, mean
from agentsym.learning.loss import PERFECT
from agentsym.learning.protocols import Decision, Row, Scores
from agentsym.learning.symbolic.gates import RegressionGate
from agentsym.learning.symbolic.pareto import front
from agentsym.learning.symbolic.race import race
from agentsym.learning.training import Training
from agentsym.network.canonical import Frozen
from agentsym.network.network import Network

N = TypeVar("N", bound=Network)
NOTHING_TO_BEAT = -1.0


class Validated(Frozen):
    """What validation found: the scores so far, whether they are of all rows, and the gate's decision."""

    val: dict[str, float] = {}
    must_pass: dict[str, float] = {}
    finished: bool = True
    decision: Decision


class Validation(Generic[N]):
    """Compares a version with the best one on the held-out rows.

    Args:
        training: runs the rows; its gate decides.
        concurrency: rows in flight.
    """

    def __init__(self, training: Training[N], concurrency: int) -> None:
        self._training, self._concurrency = training, concurrency

    @property
    def rows(self) -> tuple[Row, ...]:
        """The validation rows, as far as the gate looks at them."""
        return self._training.held_out()["val"]

    async def __call__(self, network: N, before: Scores) -> Validated:
        """Score a version, and decide whether it becomes the best one.

        A gate that wants the mean to hold or to rise lets the version race: what is in flight is cancelled as soon as
        even perfect scores on the rest could not reach the mean of before.
        """
        training, gate = self._training, self._training.parts.gate
        beat = mean(before.val.values()) if isinstance(gate, ValidatedGate) else NOTHING_TO_BEAT
        samples = training.settings.samples

        async def score(row: Row) -> float:
            return (await training.scores(network, [row]))[row.id]

        if samples == 1 and self.rows:
            raced = await race(self.rows, score, beat=beat, concurrency=self._concurrency)
            val, finished = raced.scores, raced.finished
        else:
            val, finished = await training.scores(network, self.rows), True
        if not finished:
            seen, reach = mean(val.values()), beat
            reason = f"even perfect scores on the rest could not reach {reach:.3f} (after {len(val)} rows: {seen:.3f})"
            decision = Decision(accept=False, reason=reason, before=reach, after=seen)
            return Validated(val=val, finished=False, decision=decision)
        must_pass = await self._must_pass(network)
        after = Scores(val=val, must_pass=must_pass)
        return Validated(val=val, must_pass=must_pass, decision=gate.decide(before, after))

    async def _must_pass(self, network: N) -> dict[str, float]:
        """Score the must-pass rows; with a noisy student one fails when most of its runs do."""
        training, rows = self._training, self._training.held_out()["must_pass"]
        scores = await training.scores(network, rows)
        repeats, failed = training.settings.repeats, [row for row in rows if scores[row.id] < PERFECT]
        if repeats > 1 and failed:
            broken = await RegressionGate(training, most=repeats).broken(network, failed)
            scores |= {row.id: 1.0 for row in failed if row not in broken}
        return scores


def pooled(
    pool: Mapping[str, Mapping[str, float]], version: str, val: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Add a version to the Pareto pool, and leave out those that are best nowhere."""
    joined = {**{name: dict(scores) for name, scores in pool.items()}, version: dict(val)}
    on_front = front(joined)
    return {name: scores for name, scores in joined.items() if name in on_front}
