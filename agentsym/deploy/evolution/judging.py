"""A model's opinion of answers that nobody has judged, and how far that opinion is to be trusted.

Once a day the judge is also asked about answers whose labels are known; where its scores do not go up and down with
what people said, nothing goes live on its word alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from agentsym.deploy.evolution.examples import judgement, score_of
from agentsym.deploy.policy import Judge
from agentsym.errors import ModelError, UsageError
from agentsym.learning.metrics import Metric
from agentsym.learning.protocols import Row, Verdict
from agentsym.learning.teacher.llm import LLMTeacher
from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel
from agentsym.models.resolve import resolve
from agentsym.network.network import Network
from agentsym.network.records import LossReport
from agentsym.store.live.traces import Feedback, Trace
from agentsym.store.store import Store

AUTHOR = "judge"
EVENT = "judge calibrated"
AT_ONCE = 50
"""Answers that are judged in one turn at most."""
FRESH = timedelta(days=1)
NO_OPINION = "The judge gave no usable answer."
"""A remark without a score: it judges nothing, and the same answer is not asked about again."""
TEMPERATURE = 0.7
"""Of several samples, so that they differ."""


class Judging:
    """The judge of a deployment.

    Args:
        store: where traces and feedback are.
        name: the deployment.
        network: the live version, which the judge is told about.
        metric: compares outputs with labels.
        policy: the judge's part of the policy; its model must be set.
        model: the model itself, where it is not to be found by its name.
        door: the way to it, with its caps; None for no caps.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        network: Network,
        metric: Metric,
        policy: Judge,
        *,
        model: LanguageModel | None = None,
        door: Door | None = None,
    ) -> None:
        assert policy.model is not None
        self._store, self._name, self._network, self._metric, self._policy = store, name, network, metric, policy
        several = policy.samples > 1
        self._teacher = LLMTeacher(
            model or resolve(policy.model),
            door or Door(),
            judge=policy.rubric,
            samples=policy.samples,
            temperature_loss=TEMPERATURE if several else 0.0,
        )

    async def judge_new(self) -> int:
        """Score the share of the newest traces that nobody has judged; return how many it was asked about.

        Raises:
            BudgetExceeded: a cap of the door stopped it; what was scored before is kept.
        """
        traces = [
            trace
            for trace in self._store.traces.recent(self._name, most=4 * AT_ONCE)
            if trace.trajectory is not None and trace.status == "ok" and _drawn(trace.id) < self._policy.share
        ]
        said = self._store.traces.feedback_of(trace.id for trace in traces)
        return await self._judge([trace for trace in traces if trace.id not in said][:AT_ONCE])

    async def calibrate(self) -> float | None:
        """Return the rank correlation of the judge's scores with those by labels; asks it at most once a day.

        None where there are fewer labelled answers than the policy's `anchors`.
        """
        last = self._store.audit.last(EVENT, self._name)
        if last is not None and datetime.now(UTC) - datetime.fromisoformat(last.at) < FRESH:
            return float(last.data()["agreement"])
        anchors = [
            (trace, found)
            for trace, feedback in self._store.traces.judged(self._name, most=20 * self._policy.anchors)
            if (found := judgement(feedback)) is not None and found.label and trace.trajectory is not None
        ][: self._policy.anchors]
        if len(anchors) < self._policy.anchors:
            return None
        reports = await asyncio.gather(*(self._report(trace) for trace, _ in anchors))
        judged, labelled = [], []
        for report, (trace, found) in zip(reports, anchors, strict=True):
            score = await score_of(self._metric, trace, found)
            if report is not None and score is not None:
                judged.append(report.score)
                labelled.append(score)
        agreement = spearman(judged, labelled)
        self._store.audit.write("evolution", EVENT, self._name, {"agreement": agreement, "n": len(judged)})
        return agreement

    async def _judge(self, traces: Sequence[Trace]) -> int:
        reports = await asyncio.gather(*(self._report(trace) for trace in traces), return_exceptions=True)
        failed = next((each for each in reports if isinstance(each, BaseException)), None)
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        said = [
            Feedback(
                id=secrets.token_hex(12),
                trace_id=trace.id,
                deployment=self._name,
                kind="judge",
                score=None if report is None else report.score,
                text=NO_OPINION if report is None else report.text,
                author=f"{AUTHOR} {self._policy.model}",
                at=at,
            )
            for trace, report in zip(traces, reports, strict=True)
            if not isinstance(report, BaseException)
        ]
        self._store.traces.add((), said)
        if failed is not None:
            raise failed
        return len(said)

    async def _report(self, trace: Trace) -> LossReport | None:
        """Ask the judge about one answer; None where it gave no legal answer."""
        held = trace.trajectory
        assert held is not None
        row = Row(id=trace.id, inputs=held.inputs)
        try:
            return await self._teacher.loss(self._network, held, row, Verdict(score=None))
        except ModelError:
            return None


def require_another(judge: str | None, teacher: object) -> None:
    """Raise UsageError where the judge is the model that writes the edits: it would mark its own homework."""
    name = teacher if isinstance(teacher, str) else getattr(teacher, "name", None)
    if judge is not None and judge == name:
        raise UsageError(f"judge.model is {judge}, which writes the edits too; let another model judge them")


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the rank correlation (Spearman 1904), equal values sharing their ranks; 0 where one side is constant."""
    if len(a) < 2:
        return 0.0
    x, y = _ranks(a), _ranks(b)
    mean = (len(a) + 1) / 2
    both = math.fsum((i - mean) * (j - mean) for i, j in zip(x, y, strict=True))
    spread = math.sqrt(math.fsum((i - mean) ** 2 for i in x) * math.fsum((j - mean) ** 2 for j in y))
    return both / spread if spread else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            ranks[place] = (start + end) / 2 + 1
        start = end + 1
    return ranks


def _drawn(trace_id: str) -> float:
    """Return a number in [0, 1) that belongs to a trace."""
    return int.from_bytes(hashlib.sha256(f"judge {trace_id}".encode()).digest()[:8]) / 2**64
