"""Shadow evaluation: the live version and a candidate run the same held-out questions, and nothing is written.

Whether the candidate is better is decided by rules on the paired scores; where the rows are too few, or the gain rests
on answers that nobody has judged, a person decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from agentsym.deploy.evolution.examples import FeedbackMetric
from agentsym.deploy.evolution.stubs import MISSED
from agentsym.deploy.policy import Shadow
from agentsym.learning.evaluation import Evaluator
from agentsym.learning.loss import PERFECT
from agentsym.learning.protocols import Evidence, Row
from agentsym.learning.statistics import Interval, paired_bootstrap
from agentsym.network.canonical import Frozen
from agentsym.network.network import Network
from agentsym.network.records import Trajectory

SLACK = 0.05
"""Seconds by which the 95th percentile may always rise: below that a machine's own noise decides."""
RECENT = 100
"""The newest rows, on which a gain counts too: where customers have changed, old questions would hide it."""
LOT = 32
"""Rows that one version runs before the other one's turn."""
TIMED_AGAIN = 64
"""Rows that are run once more where the candidate seems slower."""
MUCH = 999.0
"""The ratio of something to nothing."""
UNEVALUABLE = 0.2
"""Share of rows that cannot be run without writing, from which on a person decides."""


class Gain(Frozen):
    """The mean difference of paired scores and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


class Evaluation(Frozen):
    """What a shadow evaluation found.

    Attributes:
        n: rows of replay that both versions ran.
        base: mean score of the live version on them.
        candidate: of the candidate.
        gain: candidate minus base, an answer that nobody has judged counted as no change.
        recent: mean gain on the newest rows.
        hoped: mean gain with such answers counted as half right.
        unjudged: rows on which the candidate gives such an answer.
        must_pass: must-pass rows that were run.
        regressions: ids of must-pass rows that went from pass to fail.
        unevaluable: rows that cannot be run without writing.
        cost_ratio: tokens of the candidate by those of the base.
        latency_ratio: 95th percentile of the seconds, likewise.
        verdict: `promote`, `hold` (a person decides) or `reject`.
        reasons: why.
    """

    n: int
    base: float
    candidate: float
    gain: Gain
    recent: float = 0.0
    hoped: float
    unjudged: int
    must_pass: int
    regressions: tuple[str, ...]
    unevaluable: int
    cost_ratio: float
    latency_ratio: float
    verdict: Literal["promote", "hold", "reject"]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Ran:
    """What one version did with the rows: score by row, rows that would write, answers nobody judged, cost, times."""

    scores: dict[str, float] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)
    unjudged: set[str] = field(default_factory=set)
    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


async def shadow(
    evaluator: Evaluator,
    metric: FeedbackMetric,
    base: Network,
    candidate: Network,
    replay: Sequence[Row],
    must_pass: Sequence[Row],
    policy: Shadow,
) -> Evaluation:
    """Run both versions on the same rows, with the same rollouts, and decide.

    Args:
        evaluator: runs and scores rows; its `writes` must stand in for what writes, its metric must be `metric`.
        metric: knows which answers nobody has judged.
        base: the live version.
        candidate: the version that may take its place.
        replay: rows that decide on the gain.
        must_pass: rows that must not go from pass to fail.
        policy: the bounds.
    """
    rows = (*replay, *must_pass)
    before, after = await _side_by_side(evaluator, metric, (base, candidate), rows, policy.repeats)
    missed = before.missed | after.missed
    pairs = [row.id for row in replay if row.id not in missed]
    old = [before.scores[row] for row in pairs]
    hoped = [after.scores[row] for row in pairs]
    sure = [before.scores[row] if row in after.unjudged else after.scores[row] for row in pairs]
    broken = [
        row.id
        for row in must_pass
        if row.id not in missed
        and row.id not in after.unjudged
        and before.scores[row.id] >= PERFECT > after.scores[row.id]
    ]
    gain = paired_bootstrap(old, sure) if pairs else Interval(0.0, 0.0, 0.0)
    found = Evaluation(
        n=len(pairs),
        base=_mean(old),
        candidate=_mean(sure),
        gain=Gain(**gain._asdict()),
        recent=_mean(sure[:RECENT]) - _mean(old[:RECENT]),
        hoped=_mean(hoped) - _mean(old),
        unjudged=len(after.unjudged & set(pairs)),
        must_pass=sum(row.id not in missed for row in must_pass),
        regressions=tuple(broken),
        unevaluable=len(missed),
        cost_ratio=_ratio(sum(after.tokens), sum(before.tokens)),
        latency_ratio=_ratio(_p95(after.seconds), _p95(before.seconds)),
        verdict="reject",
        reasons=(),
    )
    slower = _slower(before, after, policy)
    if slower:  # a machine that was busy for a moment is no reason, so it has to be slower again
        again = await _side_by_side(evaluator, metric, (base, candidate), rows[:TIMED_AGAIN], repeats=1)
        slower = _slower(*again, policy)
    return _decided(found, len(rows), slower, policy)


def _decided(found: Evaluation, rows: int, slower: bool, policy: Shadow) -> Evaluation:
    """Add the verdict: what speaks against the candidate rejects it, what is open is left to a person."""
    against: list[str] = []
    if found.regressions:
        against.append(
            f"{len(found.regressions)} must-pass rows went from pass to fail: {', '.join(found.regressions[:5])}"
        )
    if found.cost_ratio > policy.cost:
        against.append(f"it needs {found.cost_ratio:.2f} times the tokens (at most {policy.cost:g})")
    if slower:
        against.append(
            f"it is slower: {found.latency_ratio:.2f} times at the 95th percentile (at most {policy.latency:g})"
        )
    if found.gain.low < -policy.epsilon and found.n >= policy.min_rows:
        against.append(
            f"the gain may be negative: 95 % interval from {found.gain.low:+.3f} (bound {-policy.epsilon:+.3f})"
        )
    open_: list[str] = []
    gains = found.gain.mean >= policy.delta or (found.recent >= policy.delta and found.gain.mean >= 0.0)
    if found.n and not gains:
        few = f"the gain is {found.gain.mean:+.3f}, less than {policy.delta:+.3f}"
        if found.unjudged and found.hoped >= policy.delta:
            open_.append(
                f"{few}; {found.unjudged} answers that people disliked are others now, which nobody has judged"
            )
        else:
            against.append(few)
    if found.n < policy.min_rows:
        open_.append(f"only {found.n} rows could be compared, fewer than {policy.min_rows}")
    if found.unevaluable > UNEVALUABLE * rows:
        open_.append(f"{found.unevaluable} of {rows} rows cannot be run without writing")
    verdict: Literal["promote", "hold", "reject"] = "reject" if against else "hold" if open_ else "promote"
    newest = "" if found.gain.mean >= policy.delta else f" ({found.recent:+.3f} on the newest {RECENT})"
    better = (f"gain {found.gain.mean:+.3f} on {found.n} rows{newest}, no must-pass row broke",)
    return found.model_copy(update={"verdict": verdict, "reasons": tuple(against or open_ or better)})


async def _side_by_side(
    evaluator: Evaluator,
    metric: FeedbackMetric,
    versions: tuple[Network, Network],
    rows: Sequence[Row],
    repeats: int,
) -> tuple[_Ran, _Ran]:
    """Run two versions by turns, a lot of rows each, so that whatever else the machine does slows both down alike."""
    both = (_Ran(), _Ran())
    for number, start in enumerate(range(0, len(rows), LOT)):
        lot = rows[start : start + LOT]
        order = ((0, 1), (1, 0))[number % 2]
        for at in order:
            await _run(evaluator, metric, versions[at], lot, repeats, both[at])
    return both


async def _run(
    evaluator: Evaluator, metric: FeedbackMetric, network: Network, rows: Sequence[Row], repeats: int, ran: _Ran
) -> None:
    """Run a lot of rows and add what was seen."""

    def see(item: Evidence) -> None:
        ran.tokens.append(item.trajectory.worth.tokens)
        ran.seconds.append(item.trajectory.seconds)
        if _missed(item.trajectory):
            ran.missed.add(item.row.id)
        elif item.trajectory.status == "ok" and metric.unjudged(item.row, item.trajectory.output):
            ran.unjudged.add(item.row.id)

    reports = await evaluator.scores(network, rows, samples=repeats, seen=see)
    ran.scores.update((row.id, report.score) for row, report in zip(rows, reports, strict=True))


def _slower(before: _Ran, after: _Ran, policy: Shadow) -> bool:
    return _p95(after.seconds) > policy.latency * _p95(before.seconds) + SLACK


def _missed(trajectory: Trajectory) -> bool:
    """Whether a run came to a write that nobody knows the result of; a model may have gone on without it."""
    errors = [trajectory.error, *(call.error for step in trajectory.steps for call in step.tool_calls)]
    return any(MISSED in error for error in errors if error is not None)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _ratio(after: float, before: float) -> float:
    return after / before if before else 1.0 if not after else MUCH


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[max(0, math.ceil(0.95 * len(values)) - 1)] if values else 0.0
