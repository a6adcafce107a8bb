"""The seams of learning: who judges, who writes gradients and edits, who decides.

The trainer knows only these; a strategy is a small class behind one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from agentsym.models.protocol import Phase
from agentsym.network.canonical import Frozen
from agentsym.network.edits import Edit
from agentsym.network.network import Network
from agentsym.network.records import Gradient, LossReport, Score, Step, Trajectory


class Row(Frozen):
    """One row of a data set: its inputs, the fields it is labeled with (if any) and where it came from."""

    id: str
    inputs: dict[str, Any]
    expected: dict[str, Any] = {}
    source: str = ""

    def content(self) -> dict[str, Any]:
        """Return the row as plain JSON, without where it came from."""
        return self.model_dump(mode="json", exclude={"source"})


class Verdict(Frozen):
    """What a metric says of one output: a score in [0, 1] (None: the teacher must score), its parts and a comment."""

    score: float | None
    parts: dict[str, float] = {}
    text: str = ""


class Evidence(Frozen):
    """Everything known of one example in a batch: the row, the run, the loss, and a gradient for each step."""

    row: Row
    trajectory: Trajectory
    loss: LossReport
    gradients: tuple[Gradient, ...] = ()


class Tried(Frozen):
    """What became of one parameter when its update was asked for: by the gate, or before it came to one.

    Attributes:
        step: when.
        outcome: `accepted` or `rejected` by the gate; `kept` where the teacher changed nothing, `discarded` where it
            had no legal answer.
        what: the edits' reasons.
        change: of the score that the gate looked at.
    """

    step: int
    outcome: Literal["accepted", "rejected", "kept", "discarded"]
    what: str = ""
    change: float = 0.0

    def __str__(self) -> str:
        return f"{self.outcome} ({self.change:+.3f}): {self.what}" if self.what else self.outcome


class Blame(Frozen):
    """What one call says of a whole run: which nodes are to blame, and why.

    Attributes:
        example_id: the row.
        shares: node → its share of the blame in [0, 1]; nodes that did their part are left out.
        critiques: node → what it must do differently.
        advice: component → what to change there, where the teacher has said that.
        status: `ok`, or `invalid` where no answer was legal.
    """

    example_id: str
    shares: dict[str, Score] = {}
    critiques: dict[str, str] = {}
    advice: dict[str, str] = {}
    status: Literal["ok", "invalid"] = "ok"


class FailedRun(NamedTuple):
    """A failing run that blame is asked for, and what was done about it in vain."""

    item: Evidence
    tried: tuple[str, ...] = ()


class Repair(Frozen):
    """One update that is asked for: mend one node, so that failures of one group go away.

    Attributes:
        network: the network that failed.
        node: the node that is blamed.
        paths: its learnable components.
        evidence: a failing run of each group that the repair is for.
        critiques: what was said of the node in each of these runs.
        right: visits of the node that were right, as `inputs => outputs`.
        limits: what the learning rate allows, as sentences.
        before: what was said of the node in earlier steps, the heaviest first.
        tried: edits that did not help, the latest last.
        helped: edits of like nodes that helped in earlier runs, each with its credit there.
        failed: such edits that did harm there, or nothing where others helped.
        errors: why earlier answers to this very task were refused.
    """

    network: Network
    node: str
    paths: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    critiques: tuple[str, ...]
    right: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    helped: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


class Redesign(Frozen):
    """One move that is asked for: change the pipeline, since edits of its nodes have stopped to help.

    Attributes:
        network: the network that fails.
        evidence: failing runs.
        critiques: what was said of the nodes in them.
        edits: edits of single nodes that did not help.
        tried: moves that did not help.
        draw: number of an independent answer to the same task.
        errors: why earlier answers to this very task were refused.
    """

    network: Network
    evidence: tuple[Evidence, ...]
    critiques: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    draw: int = 0
    errors: tuple[str, ...] = ()


class Task(Frozen):
    """One update that a teacher is asked for: rewrite one component of one node.

    Attributes:
        network: the network that all gradients speak of.
        node: the node's id.
        parameter: path of the component (`triage/rules`).
        evidence: the batch, sorted by (score, example id).
        lr: the learning rate; the limits that follow from it are enforced afterwards.
        limits: what the learning rate allows, as sentences for the teacher.
        history: the last accepted and rejected edits of this parameter, oldest first.
        errors: why earlier answers to this very task were refused.
    """

    network: Network
    node: str
    parameter: str
    evidence: tuple[Evidence, ...]
    lr: float
    limits: tuple[str, ...] = ()
    history: tuple[Tried, ...] = ()
    errors: tuple[str, ...] = ()


class Update(Frozen):
    """What became of one `Task`: the edits that were taken, and why earlier answers were refused.

    `kept` means that the teacher chose to change nothing, `discarded` that no answer was legal within the retries.

    Attributes:
        parameter: path of the component, or the node or tool, that is changed.
        status: see above.
        edits: what is done; they are taken or dropped together.
        errors: why answers were refused.
        groups: the groups of failures that the edits answer, where failures are grouped.
        earlier: proposed at an earlier step, where it did not help by itself; it may help with others.
    """

    parameter: str
    status: Literal["committed", "kept", "discarded"]
    edits: tuple[Edit, ...] = ()
    errors: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    earlier: bool = False


class Proposal(Frozen):
    """One candidate for a new version: the edits of all updates together."""

    updates: tuple[Update, ...] = ()

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Every edit, in the order in which they apply."""
        return tuple(edit for update in self.updates for edit in update.edits)


class Scores(Frozen):
    """The scores of one version by row id: on the current batch, on validation, on the must-pass rows."""

    batch: dict[str, float] = {}
    val: dict[str, float] = {}
    must_pass: dict[str, float] = {}


class Decision(Frozen):
    """What a gate decided, the two means it looked at, and why."""

    accept: bool
    reason: str
    before: float = 0.0
    after: float = 0.0


class Trial(Frozen):
    """What a gate saw and decided.

    Attributes:
        candidate: the version that was tried.
        before: the base's scores.
        after: the candidate's.
        decision: what was decided, and why.
        kept: numbers of the proposal's updates that the candidate is made of; None: all of them.
        harmful: numbers of those that mend something and break something else.
        said: failure that stayed → what the metric said of it with the changes.
        credit: number of an update → what it added to the scores of the failures that it answers.
    """

    candidate: str
    before: Scores
    after: Scores
    decision: Decision
    kept: tuple[int, ...] | None = None
    harmful: tuple[int, ...] = ()
    said: dict[str, str] = {}
    credit: dict[int, float] = {}


class Teacher(Protocol):
    """Writes losses, gradients and edits. Raises OutputError where it has no legal answer."""

    async def loss(
        self,
        network: Network,
        trajectory: Trajectory,
        row: Row,
        verdict: Verdict,
        *,
        phase: Phase = "loss",
        rollout: int = 0,
    ) -> LossReport:
        """Say what is wrong with a run and what was wanted; score it where `verdict.score` is None (paper, Eq. 1).

        Calls are counted under `phase`; another `rollout` is another, independent judgement.
        """
        ...

    async def gradient(
        self,
        network: Network,
        trajectory: Trajectory,
        step: Step,
        loss: LossReport,
        messages: Sequence[str],
        lr: float,
    ) -> Gradient:
        """Say what one step must change, given what its successors require (`messages`) (paper, Eq. 2)."""
        ...

    async def propose(self, task: Task) -> Sequence[Edit]:
        """Return edits of one component; none means: keep it."""
        ...


@runtime_checkable
class TraceTeacher(Protocol):
    """A teacher that judges a run as a whole and mends nodes and pipeline; the combined algorithm asks for these."""

    async def blame(
        self, network: Network, trajectory: Trajectory, loss: LossReport, tried: Sequence[str] = ()
    ) -> Blame:
        """Say which nodes of one failing run are to blame, in one call; `tried`: what was done about it in vain."""
        ...

    async def mend(self, repair: Repair) -> Sequence[Edit]:
        """Return edits of one node, in one call; none means: keep it."""
        ...

    async def redesign(self, redesign: Redesign) -> Sequence[Edit]:
        """Return edits of the pipeline that belong together, in one call; none means: keep it."""
        ...


@runtime_checkable
class RunsTeacher(Protocol):
    """A teacher that can judge several failing runs of one network at once, at fewer calls and tokens."""

    async def blame_runs(self, network: Network, runs: Sequence[FailedRun]) -> Sequence[Blame]:
        """Say of each run which nodes are to blame, in the order of the runs."""
        ...


class Optimizer(Protocol):
    """Turns a batch's evidence into one proposal; it never changes the network itself."""

    async def propose(
        self,
        network: Network,
        evidence: Sequence[Evidence],
        *,
        lr: float,
        history: Mapping[str, Sequence[Tried]],
    ) -> Proposal:
        """Return the edits for one step; `history` holds what was tried before, by parameter."""
        ...


class Gate(Protocol):
    """Decides from scores whether a proposal becomes a version.

    Attributes:
        looks_at: which rows must be scored for a decision.
    """

    looks_at: frozenset[Literal["batch", "val", "must_pass"]]

    def decide(self, before: Scores, after: Scores) -> Decision:
        """Compare the two versions on the same rows."""
        ...


class Sampler(Protocol):
    """Draws the batch of a step; the same step always gets the same rows, so a resumed run draws as the first did."""

    def batch(self, rows: Sequence[Row], step: int) -> tuple[Row, ...]:
        """Return the rows of step number `step` (from 0)."""
        ...
