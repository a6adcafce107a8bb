"""`Run`: what a training run has reached, read from the store alone.

The command line, a resumed process and a notebook all see a run through this one value.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from agentsym.errors import UsageError
from agentsym.learning import course
from agentsym.learning.answers import spent
from agentsym.learning.confusion import Confusion
from agentsym.learning.course import Course, StepRecord, read_course
from agentsym.learning.gate import mean
from agentsym.learning.objectives import Measured
from agentsym.learning.statistics import Interval, paired_bootstrap
from agentsym.learning.thrift import Offer
from agentsym.models.ledger import Ledger
from agentsym.network.canonical import Frozen
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.prompt import Prompt
from agentsym.network.records import LossReport
from agentsym.network.revive import revive
from agentsym.store.store import Store

N = TypeVar("N", bound=Network)
TOLD_BY = ("run", *course.TOLD_BY, "test", "stop")


class Tested(Frozen):
    """The final comparison: both versions on the same rows.

    Attributes:
        rows: `test`, or `val` where there were no test rows.
        before: each row's score with the first version.
        after: each row's score with the best version.
        metrics_before: each metric's mean with the first version (for example a field's accuracy).
        metrics_after: each metric's mean with the best version.
        worth_before: what a run of the first version costs; None in runs of older versions of agentsym.
        worth_after: what a run of the best one does.
        confusion_before: of each choice in the output, what was answered for what with the first version.
        confusion_after: the same with the best version.
    """

    rows: str
    before: tuple[float, ...]
    after: tuple[float, ...]
    metrics_before: dict[str, float] = {}
    metrics_after: dict[str, float] = {}
    worth_before: Measured | None = None
    worth_after: Measured | None = None
    confusion_before: Confusion = {}
    confusion_after: Confusion = {}

    @classmethod
    def of(cls, rows: str, before: Sequence[LossReport], after: Sequence[LossReport], **confusions: Confusion) -> Self:
        """Make the comparison from two lists of reports over the same rows, and from what was answered in each."""
        return cls(
            rows=rows,
            before=tuple(report.score for report in before),
            after=tuple(report.score for report in after),
            metrics_before=_metric_means(before),
            metrics_after=_metric_means(after),
            worth_before=Measured.of(before),
            worth_after=Measured.of(after),
            **confusions,
        )

    @property
    def gain(self) -> Interval:
        """The mean gain with its 95 % paired bootstrap interval."""
        return paired_bootstrap(self.before, self.after)


class Run(Generic[N]):
    """A finished or stopped run.

    Attributes:
        id: the run.
        status: `done`, `budget`, `interrupted`, `failed` or `running`.
        reason: why it stopped.
        first: the version it began with.
        reached: whether there is a checkpoint, so that `best` says anything.
        best: the version with the best validation score.
        head: the version it would go on with.
        val: mean validation score of the first and of the best version, where there was validation.
        tested: the final comparison, if it was reached.
        ledger: model calls by phase and node.
        course: what each step did, and which versions came of it.
        field: version → what it is worth on the held-out rows, of those that a choice by cost or time was among.
        offers: settings that were tried for that choice.
        config: models, data hashes and settings.
    """

    def __init__(self, run_id: str, first: N, best: N, head: N) -> None:
        self.id = run_id
        self.status = "running"
        self.reason = ""
        self.reached = False
        self.first, self.best, self.head = first, best, head
        self.val: tuple[float, float] | None = None
        self.tested: Tested | None = None
        self.ledger = Ledger()
        self.course = Course()
        self.field: dict[str, Measured] = {}
        self.offers: tuple[Offer, ...] = ()
        self.config: dict[str, Any] = {}

    @classmethod
    def load(cls, store: Store, run_id: str, agent: N) -> Run[N]:
        """Read a run from the store; `agent` is the version it began with, whose live code all versions share."""
        events = sorted((e for kind in TOLD_BY for e in store.events(run_id, kind=kind)), key=lambda e: e.seq)
        if not events:
            raise UsageError(f"there is no run {run_id!r}; `agentsym runs list` shows those there are")
        last: dict[str, Any] = {event.kind: event.data for event in events}
        state: dict[str, Any] = (
            last["checkpoint"]["state"] if "checkpoint" in last else {"best": agent.version, "head": agent.version}
        )
        known = {agent.version: agent}
        for version in (state["best"], state["head"]):
            if version not in known:
                known[version] = revive(agent, store.version_content(version))
        run = cls(run_id, agent, known[state["best"]], known[state["head"]])
        run.config = last["run"]["config"]
        run.reached = "checkpoint" in last
        if "stop" in last:
            run.status, run.reason = last["stop"]["status"], last["stop"]["reason"]
        run.ledger = spent(store, run_id)  # also of a run that was killed, and of one that is under way
        if "checkpoint" in last and last["baseline"]["value"].get("val"):
            run.val = (mean(last["baseline"]["value"]["val"].values()), state["best_score"])
        if "test" in last:
            run.tested = Tested.model_validate(last["test"]["value"])
        run.field = {name: Measured.model_validate(found) for name, found in state.get("field", {}).items()}
        offers = [event.data["value"] for event in events if event.kind == "offer"]
        run.offers = tuple(Offer.model_validate(offer) for offer in offers)
        run.course = read_course(events)
        return run

    @classmethod
    def read(cls, store: Store, run_id: str) -> Run[Network]:
        """Read a run from the store alone; its versions can be looked at and saved, the user's own code is not loaded.

        Raises:
            UsageError: there is no such run, or it ended before it began to learn.
        """
        versions = store.versions(run_id)
        if not versions:
            raise UsageError(
                f"run {run_id} ended before it began to learn; `agentsym runs show {run_id} --journal` prints what "
                "there is of it"
            )
        first = Network.model_validate(store.version_content(versions[0].hash))
        return Run[Network].load(store, run_id, first)

    @property
    def steps(self) -> tuple[StepRecord, ...]:
        """What each step did."""
        return self.course.steps

    @property
    def accepted(self) -> int:
        """How many steps made a new version."""
        return sum(step.accepted for step in self.steps)

    def to_frame(self) -> Any:
        """Return the steps as a pandas data frame: scores, decisions, calls; one row a step.

        Raises:
            UsageError: pandas is not installed (extra `data`).
        """
        from agentsym.learning.report.export import frame

        return frame(self)

    def _repr_html_(self) -> str:
        """Show in a notebook: the result, the curve, and what was learned."""
        from agentsym.learning.report.notebook import compact

        return compact(self)

    def save(self, folder: Path | str) -> Path:
        """Save the best version as a folder that a person can read; returns the folder."""
        from agentsym.network.files import save

        return save(self.best, Path(folder), tuned_with={name: self.config[name] for name in ("student", "teacher")})


def prompt_chars(network: Network) -> int:
    """Return the length of all system prompts of a network, in characters."""
    nodes = [node for node in network.nodes if isinstance(node, PromptNode)]
    return sum(Prompt(node).chars for node in nodes)


def _metric_means(reports: Sequence[LossReport]) -> dict[str, float]:
    names = dict.fromkeys(name for report in reports for name in report.metrics)
    return {name: mean(report.metrics.get(name, 0.0) for report in reports) for name in names}
