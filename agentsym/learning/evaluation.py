"""Running a network on rows and scoring what it does, for batches, gates and final tests alike.

One place for all of them means that a score at the gate and a score in a report can never be computed in two ways.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

from agentsym.errors import BudgetExceeded, Unavailable
from agentsym.learning.loss import loss
from agentsym.learning.metrics import Metric, evaluate
from agentsym.learning.node_models import models_offered
from agentsym.learning.protocols import Evidence, Row, Teacher, Verdict
from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel, Phase
from agentsym.network.network import Network
from agentsym.network.records import LossReport
from agentsym.runtime.context import Context, Writes
from agentsym.runtime.executors.local import LocalExecutor
from agentsym.runtime.executors.protocol import Executor
from agentsym.runtime.ordered import in_order

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
        supervised: whether the teacher sees the labels.
        writes: stands in for what writes (see `Context`); None lets it happen.
        executor: where rows are run, here by default; whoever asks for runs enters it.
    """

    def __init__(
        self,
        *,
        student: LanguageModel,
        teacher: Teacher,
        metric: Metric | None,
        door: Door,
        concurrency: int = 8,
        comments: Literal["teacher", "metric"] = "teacher",
        supervised: bool = True,
        writes: Writes | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.student = student
        self.teacher = teacher
        self.metric = metric
        self.door = door
        self.executor: Executor = executor or LocalExecutor()
        self._concurrency = concurrency
        self.comments = comments
        self.supervised = supervised
        self.writes = writes
        self._clients: dict[str, LanguageModel] = {}

    @property
    def concurrency(self) -> int:
        """How many examples are kept under way."""
        return self.executor.width(self._concurrency)

    def models(self, network: Network) -> list[LanguageModel]:
        """Return the models that a network may ask: the student, and those that its nodes name or may be given.

        Raises:
            UsageError: nobody answers for a name.
        """
        return [self.student, *(self.model(name) for name in models_offered(network))]

    def model(self, name: str) -> LanguageModel:
        """Return the model that a node asks by its name.

        Raises:
            UsageError: nobody answers for the name.
        """
        return self._context("forward", 0).model(name)

    async def evidence(
        self, network: Network, rows: Sequence[Row], *, progress: Progress | None = None
    ) -> tuple[Evidence, ...]:
        """Run a batch and return each run with its loss, in the order of the rows."""
        runs = self._runs(network, rows, "forward", rollout=0, comments=self.comments, progress=progress)
        return tuple([item async for item in runs])

    async def scores(
        self,
        network: Network,
        rows: Sequence[Row],
        *,
        phase: Phase = "gate",
        samples: int = 1,
        first_rollout: int = 0,
        progress: Progress | None = None,
        seen: Callable[[Evidence], None] | None = None,
    ) -> tuple[LossReport, ...]:
        """Score every row, as the mean over `samples` independent runs; only the reports are held in memory.

        `seen` is shown every run.
        """
        runs: list[list[LossReport]] = [[] for _ in rows]
        for rollout in range(first_rollout, first_rollout + samples):
            items = self._runs(network, rows, phase, rollout=rollout, comments="metric", progress=progress)
            position = 0
            async for item in items:
                runs[position].append(item.loss)
                if seen is not None:
                    seen(item)
                position += 1
        return tuple(_averaged(reports) for reports in runs)

    async def _runs(
        self,
        network: Network,
        rows: Sequence[Row],
        phase: Phase,
        *,
        rollout: int,
        comments: Literal["teacher", "metric"],
        progress: Progress | None,
    ) -> AsyncIterator[Evidence]:
        context = self._context(phase, rollout)

        async def run(row: Row) -> Evidence:
            trajectory, error = await self.executor.run(network, row.inputs, context, example_id=row.id)
            if isinstance(error, BudgetExceeded | Unavailable):
                raise error  # every other row would meet it too
            verdict = Verdict(score=None)
            if self.metric is not None and trajectory.status != "error":
                verdict = await evaluate(self.metric, row, trajectory.output)
            report = await loss(
                self.teacher,
                network,
                trajectory,
                row,
                verdict,
                comments=comments,
                supervised=self.supervised,
                phase="loss" if phase == "forward" else phase,
                rollout=rollout,
            )
            return Evidence(row=row, trajectory=trajectory, loss=report.model_copy(update={"worth": trajectory.worth}))

        done = 0
        async for item in in_order(run, rows, self.concurrency):
            done += 1
            if progress is not None:
                progress(done, len(rows))
            yield item

    def _context(self, phase: Phase, rollout: int) -> Context:
        return Context(
            student=self.student,
            door=self.door,
            phase=phase,
            rollout=rollout,
            writes=self.writes,
            clients=self._clients,
        )


def _averaged(reports: Sequence[LossReport]) -> LossReport:
    """Return one report with the mean score and the mean of each metric."""
    if len(reports) == 1:
        return reports[0]
    metrics = {name: sum(r.metrics.get(name, 0.0) for r in reports) / len(reports) for name in reports[0].metrics}
    scores = tuple(report.score for report in reports)
    return reports[0].model_copy(
        update={"score": sum(scores) / len(scores), "samples": scores, "metrics": metrics, "satisfied": False}
    )


def score_table(rows: Sequence[Row], reports: Sequence[LossReport]) -> dict[str, float]:
    """Return row id → score; a row that stands in a batch twice gets a numbered id."""
    table: dict[str, float] = {}
    for row, report in zip(rows, reports, strict=True):
        key, number = row.id, 2
        while key in table:
            key, number = f"{row.id}#{number}", number + 1
        table[key] = report.score
    return table
