"""The language loss: who scores a run, who writes its text, and what the teacher is allowed to see.

All of that is policy and stands here in code; the teacher only writes comments, and a score where nothing else gives
one.
"""

from __future__ import annotations

from typing import Literal

from agentsym.errors import ModelError, Unavailable
from agentsym.learning.protocols import Row, Teacher, Verdict
from agentsym.models.protocol import Phase
from agentsym.network.network import Network
from agentsym.network.records import LossReport, Trajectory

PERFECT = 1.0 - 1e-9


async def loss(
    teacher: Teacher,
    network: Network,
    trajectory: Trajectory,
    row: Row,
    verdict: Verdict,
    *,
    comments: Literal["teacher", "metric"] = "teacher",
    supervised: bool = True,
    phase: Phase = "loss",
    rollout: int = 0,
) -> LossReport:
    """Return the loss of one run (paper, Eq. 1: L = LLM(P_loss(τ))).

    Four variants follow from what there is: the teacher sees `row.expected` if the row has any, and the metric's score
    if there is one; it scores only where there is none. A failed run scores 0 whatever anybody says, and its error is
    the evidence. With a metric a run is satisfied only at full score, so that an error can never be talked away.

    Args:
        teacher: who writes the comments.
        network: the version that ran.
        trajectory: the run.
        row: the example.
        verdict: what the metric says.
        comments: `metric` takes the verdict's text and asks nobody, where there is a score; of a run that the metric
            finds perfect nobody is asked either way.
        phase: what the teacher's calls are counted as.
        rollout: number of an independent judgement of the same run.
        supervised: False withholds from the teacher the labels and the metric's text, which may quote them.

    A teacher that fails at one run fails that run only: the metric's own loss stands in, or a score of 0.

    Raises:
        Unavailable: when the teacher's model cannot be asked at all.
    """
    failed = trajectory.status != "ok"
    if failed:
        verdict = verdict.model_copy(update={"score": 0.0, "text": _failure(trajectory)})
    elif verdict.score is not None:
        verdict = verdict.model_copy(update={"score": clamp(verdict.score)})
    if not supervised:
        row = row.model_copy(update={"expected": {}})
        verdict = verdict if failed else verdict.model_copy(update={"text": ""})
    if verdict.score is not None and (comments == "metric" or verdict.score >= PERFECT):
        return _from_metric(row, verdict, verdict.score)  # of a perfect run there is nothing to say
    try:
        report = await teacher.loss(network, trajectory, row, verdict, phase=phase, rollout=rollout)
    except Unavailable:
        raise
    except ModelError as error:
        if verdict.score is None:
            verdict = verdict.model_copy(update={"score": 0.0, "text": f"Nobody could judge this run: {error}"})
        return _from_metric(row, verdict, verdict.score or 0.0)
    return report.model_copy(update=_settled(report, row, verdict))


def clamp(score: float) -> float:
    """Return the score within [0, 1]; what is no number scores 0."""
    return min(1.0, max(0.0, score)) if score == score else 0.0


def from_ten(score: float) -> float:
    """Return a prompted score of 0 to 10, as the paper asks for it, within [0, 1]."""
    return clamp(score / 10.0)


def _failure(trajectory: Trajectory) -> str:
    why = {"capped": "a cycle met its visit limit and had no way out", "budget": "a cap on calls or time stopped it"}
    return f"The run failed: {trajectory.error or why.get(trajectory.status, 'no reason was recorded')}"


def _settled(report: LossReport, row: Row, verdict: Verdict) -> dict[str, object]:
    """Return the fields of a teacher's report that are not the teacher's to decide."""
    settled: dict[str, object] = {
        "example_id": row.id,
        "expected": row.expected or None,
        "metrics": dict(verdict.parts),
    }
    if verdict.score is None:
        score = sum(report.samples) / len(report.samples) if report.samples else report.score
        return {**settled, "score": clamp(score), "source": "judge"}
    satisfied = report.satisfied and verdict.score >= PERFECT
    return {**settled, "score": verdict.score, "source": "metric", "satisfied": satisfied, "samples": ()}


def _from_metric(row: Row, verdict: Verdict, score: float) -> LossReport:
    """Return the loss that needs no call: the metric's score and text."""
    satisfied = score >= PERFECT
    text = verdict.text or ("Everything is as it was wanted." if satisfied else _wanted(row, score))
    return LossReport(
        example_id=row.id,
        score=score,
        text=text,
        requirement="" if satisfied else text,
        satisfied=satisfied,
        expected=row.expected or None,
        metrics=dict(verdict.parts),
    )


def _wanted(row: Row, score: float) -> str:
    wanted = "; ".join(f"{field} should be {value!r}" for field, value in row.expected.items())
    return f"The score is {score:.2f} of 1." + (f" Wanted: {wanted}." if wanted else "")
