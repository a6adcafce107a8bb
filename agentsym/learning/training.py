"""`Training`: what an algorithm of learning works with: the rows, the parts, the journal and the versions.

The trainer makes it and hands it to the algorithm, so no algorithm has to know where rows come from, what a score costs
or how a version is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from agentsym.errors import Unavailable
from agentsym.learning.evaluation import score_table
from agentsym.learning.journal import Baseline, Journal, read_back
from agentsym.learning.metrics import Watched
from agentsym.learning.node_models import models_asked
from agentsym.learning.parts import Parts
from agentsym.learning.protocols import Evidence, Row
from agentsym.learning.sets import Sets
from agentsym.learning.settings import Settings
from agentsym.learning.spans import learning_span, tell
from agentsym.learning.state import State
from agentsym.models.door import Door
from agentsym.network.canonical import Frozen
from agentsym.network.network import Network
from agentsym.network.nodes import ToolNode
from agentsym.network.parameters import Code
from agentsym.network.records import LossReport
from agentsym.network.revive import revive

N = TypeVar("N", bound=Network)
S = TypeVar("S", bound=State)
F = TypeVar("F", bound=Frozen)
Watch = Callable[[str, Mapping[str, Any]], None]


class Algorithm(Protocol[S]):
    """One way of learning, from a first state to the next ones; everything it must remember is in its state.

    Attributes:
        state: the class of its states, by which a resumed run reads the last one.
    """

    state: type[S]

    async def begin(self) -> S:
        """Score the first version and return the first state."""
        ...

    async def step(self, state: S) -> S:
        """Do one step."""
        ...

    def reason_to_stop(self, state: S) -> str:
        """Return why learning is over; "" while it is not."""
        ...

    async def finish(self, state: S) -> S:
        """Do what is left to do when learning is over."""
        ...


class Training(Generic[N]):
    """One run of an algorithm.

    Args:
        agent: the version that it begins with.
        sets: the rows.
        parts: door, teacher, gate and the like.
        settings: numbers and switches.
        metric: the metric, if there is one.
        watch: is told what happens.
        journal: where the run is written down.

    Attributes:
        failure: why nothing was learned from the last batch of which too many runs failed.
    """

    def __init__(
        self,
        agent: N,
        sets: Sets,
        parts: Parts,
        settings: Settings,
        metric: Watched | None,
        watch: Watch,
        journal: Journal,
    ) -> None:
        self.agent = agent
        self.sets = sets
        self.parts = parts
        self.settings = settings
        self.watch = watch
        self.journal = journal
        self.failure = ""
        self._metric = metric
        self._versions: dict[str, N] = {agent.version: agent}

    @property
    def door(self) -> Door:
        """The way to all models."""
        return self.parts.door

    def network(self, version: str) -> N:
        """Return a version of this run."""
        if version not in self._versions:
            self._versions[version] = revive(self.agent, self.journal.store.version_content(version))
        return self._versions[version]

    def keep(self, network: N, parent: str | None) -> None:
        """Make a network a version of this run."""
        self._versions[network.version] = network
        self.journal.version(network, parent)

    def held_out(self) -> dict[str, tuple[Row, ...]]:
        """Return the held-out rows that the gate looks at."""
        looks_at = self.parts.gate.looks_at
        return {
            "val": self.sets.val if "val" in looks_at else (),
            "must_pass": self.sets.must_pass if "must_pass" in looks_at else (),
        }

    def rows_at_first(self) -> int:
        """Return how many rows are run before anything can be learned: those of the baseline and the first batch."""
        batch = self.parts.sampler.batch(self.sets.train, 0)
        return len(batch) + sum(map(len, self.held_out().values()))

    async def baseline(self) -> Baseline:
        """Score the first version on the rows that the gate looks at."""
        self.journal.version(self.agent, parent=None)

        async def score() -> Baseline:
            rows = self.held_out()
            return Baseline(
                val=await self.scores(self.agent, rows["val"]),
                must_pass=await self.scores(self.agent, rows["must_pass"]),
            )

        return await self.phase("baseline", Baseline, score)

    async def phase(self, kind: str, result: type[F], compute: Callable[[], Awaitable[F]]) -> F:
        """Return a finished phase's value from the journal, or compute it, see that the metric works, and keep it."""

        async def checked() -> F:
            with learning_span(self.door.telemetry, kind) as span:
                value = await compute()
                tell(span, value)
            self.check_metric()
            return value

        return await self.journal.phase(kind, result, checked)

    async def forward(self, network: N, rows: Sequence[Row], step: int) -> tuple[Evidence, ...]:
        """Run rows of train, as a phase of a step; returns each run with its loss."""

        async def checked() -> tuple[Evidence, ...]:
            with learning_span(self.door.telemetry, "forward") as span:
                evidence = await self.evidence(network, rows)
                tell(span, evidence)
            self.check_metric()
            return evidence

        return await self.journal.forward(step, rows, checked)

    async def evidence(self, network: N, rows: Sequence[Row]) -> tuple[Evidence, ...]:
        """Run rows of train and return each run with its loss."""
        return await self.parts.evaluator.evidence(network, rows, progress=self.progress("forward"))

    async def scores(self, network: N, rows: Sequence[Row], first_rollout: int = 0) -> dict[str, float]:
        """Return the score of each row, as the mean over `settings.samples` runs."""
        reports = await self.parts.evaluator.scores(
            network,
            rows,
            samples=self.settings.samples,
            first_rollout=first_rollout,
            progress=self.progress("gate"),
        )
        return score_table(rows, reports)

    async def run_once(self, network: N, rows: Sequence[Row], rollout: int = 0) -> dict[str, float]:
        """Return the score of each row in one run; equal rollouts of equal prompts are answered once."""
        return {row: report.score for row, report in (await self.judged(network, rows, rollout)).items()}

    async def judged(self, network: N, rows: Sequence[Row], rollout: int = 0) -> dict[str, LossReport]:
        """Return the loss of each row in one run, as `run_once` does the score.

        Of a version that asks a model which nobody answers for each row fails, where the run can do without that model.
        """
        try:
            reports = await self.parts.evaluator.scores(network, rows, first_rollout=rollout)
        except Unavailable as error:
            if not self.can_do_without(network):
                raise
            self.watch("warning", {"text": f"{error}; no version that asks for it is taken"})
            reports = tuple(LossReport(example_id=row.id, score=0.0, text=str(error)) for row in rows)
        return {row.id: report for row, report in zip(rows, reports, strict=True)}

    def can_do_without(self, network: Network) -> bool:
        """Whether a version asks a model that the first version does not, so that the run does not rest on it."""
        return not set(models_asked(network)) <= set(models_asked(self.agent))

    def check_metric(self) -> None:
        """End the run where the metric fails, not now and then but on every row."""
        if self._metric is not None:
            self._metric.end_batch()

    def unusable(self, network: N, evidence: Sequence[Evidence]) -> str:
        """Return why nothing can be learned from a batch: too many runs failed; "" where it can be used.

        A run that learnable code ended is what that code learns from, so it does not count.
        """
        failed = [item for item in evidence if item.trajectory.status == "error" and not _by_learnable(network, item)]
        if len(failed) <= self.settings.failing_share * len(evidence):
            return ""
        what = f"{len(failed)} of {len(evidence)} runs failed ({failed[0].trajectory.error})"
        self.watch("notice", {"text": f"{what}; nothing is learned from this batch"})
        self.failure = what
        return what

    def checkpoint(self, state: S) -> S:
        """Write a state down; a resumed run begins with the last one."""
        summary = {"steps": state.step, "best_version": state.best, **self.spent()}
        if state.val:
            summary |= {"val_after": state.best_score} if state.step else {"val_before": state.best_score}
        self.journal.write("checkpoint", state=state, ledger=self.door.ledger.to_json(), summary=summary)
        self.watch("checkpoint", {"state": state, "usage": self.door.ledger.total()})
        return read_back(state)

    def spent(self) -> dict[str, Any]:
        """Return what the run has used so far."""
        total = self.door.ledger.total()
        return {"calls": total.calls, "tokens": total.tokens, "usd": total.usd, "seconds": total.seconds}

    def progress(self, phase: str) -> Callable[[int, int], None]:
        """Return what is told how many rows of a phase are done."""
        return lambda done, total: self.watch("rows", {"phase": phase, "done": done, "total": total})


def _by_learnable(network: Network, item: Evidence) -> bool:
    """Whether a run failed in code that may be learned."""
    name = item.trajectory.steps[-1].node if item.trajectory.steps else ""
    node = next((node for node in network.nodes if node.id == name), None)
    code = node.tool.parameters.get("code") if isinstance(node, ToolNode) else None
    return isinstance(code, Code) and code.learnable
