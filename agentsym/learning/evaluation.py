"""Running a network on rows and scoring what it does, for batches, gates and final tests alike.

One place for both means that a score at the gate and a score in a report can never be computed in two ways.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agentsym.learning.loss import loss
from agentsym.learning.metrics import Metric, evaluate
from agentsym.learning.protocols import Evidence, Row, Teacher, Verdict
from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel, Phase
from agentsym.network.network import Network
from agentsym.network.records import LossReport, Trajectory
from agentsym.runtime.context import Context
from agentsym.runtime.forward import forward_many

Progress = Callable[[int, int], None]


class Evaluator:
    """Runs and scores rows.

    Args:
        student: the model that runs the prompt nodes.
        teacher: who writes the texts of losses, and scores where there is no metric.
        metric: scores an output against its row; None leaves scoring to the teacher.
        door: the one way to any model.
        concurrency: examples in flight.
        comments: who writes the text of a loss that the metric has scored.
    """

    def __init__(
        self,
        *,
        student: LanguageModel,
        teacher: Teacher,
        metric: Metric | None,
        door: Door,
        concurrency: int = 8,
        comments: str = "teacher",
    ) -> None:
        self.student = student
        self.teacher = teacher
        self.metric = metric
        self.door = door
        self.concurrency = concurrency
        self.comments = comments

    async def evidence(
        self,
        network: Network,
        rows: Sequence[Row],
        *,
        phase: Phase = "forward",
        rollout: int = 0,
        progress: Progress | None = None,
    ) -> tuple[Evidence, ...]:
        """Run every row and return the runs with their losses, in the order of the rows."""
        scored = [item async for item in self._runs(network, rows, phase, rollout, progress)]
        return tuple(
            Evidence(row=row, trajectory=trajectory, loss=await report)
            for row, (trajectory, report) in zip(rows, scored, strict=True)
        )

    async def scores(
        self,
        network: Network,
        rows: Sequence[Row],
        *,
        phase: Phase = "gate",
        samples: int = 1,
        first_rollout: int = 0,
        progress: Progress | None = None,
    ) -> tuple[LossReport, ...]:
        """Run and score every row `samples` times; each report's score is the mean of its samples."""
        runs: list[list[LossReport]] = [[] for _ in rows]
        for rollout in range(first_rollout, first_rollout + samples):
            for position, item in enumerate(await self.evidence(network, rows, phase=phase, rollout=rollout, progress=progress)):
                runs[position].append(item.loss)
        return tuple(_averaged(reports) for reports in runs)
