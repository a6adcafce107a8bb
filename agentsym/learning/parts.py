"""The parts of a run: door, teacher, sampler, optimizer, gate and evaluator, made from what the user asked for.

Names become objects here and defaults that depend on each other are settled here, so the trainer is the loop and
nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentsym.errors import UsageError
from agentsym.learning.evaluation import Evaluator
from agentsym.learning.gate import gate_named
from agentsym.learning.metrics import Metric
from agentsym.learning.optimizers.joint import JointOptimizer
from agentsym.learning.protocols import Gate, Optimizer, Sampler, Teacher
from agentsym.learning.sampler import EpochSampler
from agentsym.learning.sets import Sets
from agentsym.learning.settings import Settings
from agentsym.learning.symbolic.recipe import RECIPES, Recipe, recipe_named
from agentsym.learning.teacher.choose import EMBEDDED, choose_teacher
from agentsym.models.budget import Budget
from agentsym.models.cache import ResponseCache
from agentsym.models.door import Door, Recorder
from agentsym.models.protocol import LanguageModel
from agentsym.runtime.context import Writes
from agentsym.runtime.executors.protocol import Executor

if TYPE_CHECKING:
    from agentsym.learning.training import Algorithm, Training
    from agentsym.telemetry.telemetry import Telemetry

PAPER, DEFAULT = "paper", "symbolic"
OPTIMIZERS = (*RECIPES, PAPER)
SMALL_BATCH = 4


@dataclass(frozen=True)
class Wanted:
    """What the user asked for; None and names are settled by `make_parts`. The fields are the trainer's arguments."""

    student: LanguageModel
    teacher: str | LanguageModel | Teacher | None
    metric: Metric | None
    optimizer: str | Optimizer | Recipe
    gate: str | Gate | None
    sampler: Sampler | None
    judge: str
    concurrency: int
    cache: bool
    recorder: Recorder | None
    executor: Executor
    writes: Writes | None = None
    telemetry: Telemetry | bool | None = None


@dataclass(frozen=True)
class Parts:
    """The parts of one run, the learning rate that it begins with, and whether rows of a batch may be remembered."""

    door: Door
    teacher: Teacher
    sampler: Sampler
    optimizer: Optimizer | Recipe
    gate: Gate
    evaluator: Evaluator
    lr: float
    recalls: bool = False

    def algorithm(self, training: Training[Any]) -> Algorithm[Any]:
        """Return what learns: the combined algorithm by a recipe, the paper's with an optimizer."""
        if isinstance(self.optimizer, Recipe):
            from agentsym.learning.symbolic.loop import SymbolicAlgorithm

            return SymbolicAlgorithm(training, self.optimizer)
        if self.recalls:
            from agentsym.learning.whole import WholeAlgorithm

            return WholeAlgorithm(training, self.optimizer)
        from agentsym.learning.paper import PaperAlgorithm

        return PaperAlgorithm(training, self.optimizer)

    def unheeded(self, wanted: str | Optimizer | Recipe, repeats: int) -> Iterator[str]:
        """Yield notices of what was asked for and has no effect in this run."""
        if isinstance(self.optimizer, Recipe):
            return
        name = wanted.name if isinstance(wanted, Recipe) else wanted
        if isinstance(name, str) and name not in (PAPER, DEFAULT):
            yield f"the teacher reads all rows at once, so the optimizer {name} has no effect"
        if repeats > 1:
            yield "repeats have an effect with the combined algorithm only, not in this run"

    def names(self) -> dict[str, str]:
        """Return what a resumed run must have in common with its beginning."""
        parts = {
            "student": self.evaluator.student,
            "teacher": self.teacher,
            "metric": self.evaluator.metric,
            "optimizer": self.optimizer,
            "gate": self.gate,
            "sampler": self.sampler,
        }
        names = {role: name_of(part) for role, part in parts.items()}
        return {**names, "algorithm": "whole"} if self.recalls else names


def make_parts(wanted: Wanted, sets: Sets, settings: Settings, budget: Budget) -> Parts:
    """Make the parts.

    A teacher that reads all rows at once gets all of train as its batch, the whole learning rate, and a gate that
    looks at validation alone; any other gets small batches, half the rate, and a gate on batch and validation.

    Raises:
        UsageError: there is no part of such a name, or the teacher cannot score and there is no metric.
    """
    door = Door(concurrency=wanted.concurrency, budget=budget, recorder=wanted.recorder, telemetry=wanted.telemetry)
    teacher = choose_teacher(
        wanted.teacher,
        door,
        judge=wanted.judge,
        scores=wanted.metric is None,
        student=wanted.student.name.partition(" at ")[0],
    )
    if wanted.cache and (wanted.student.remote or name_of(teacher) != EMBEDDED):
        door.cache = ResponseCache()
    whole = bool(getattr(teacher, "reads_all_rows", False))
    optimizer = _optimizer(wanted.optimizer, teacher, settings, whole=whole)
    few = optimizer.rows if isinstance(optimizer, Recipe) else SMALL_BATCH
    size = settings.batch or (max(1, len(sets.train)) if whole else few)
    held_out = "tolerant" if whole else "validated"
    gate = wanted.gate or (held_out if sets.val or sets.must_pass else "paper")
    gate = gate_named(gate) if isinstance(gate, str) else gate
    combined = isinstance(wanted.optimizer, str | Recipe) and wanted.optimizer != PAPER
    validated = bool(sets.val) and "val" in gate.looks_at and "batch" not in gate.looks_at
    evaluator = Evaluator(
        student=wanted.student,
        teacher=teacher,
        metric=wanted.metric,
        door=door,
        concurrency=wanted.concurrency,
        comments="metric" if isinstance(optimizer, Recipe) else settings.comments,  # the blame is the comment
        supervised=settings.supervised,
        writes=wanted.writes,
        executor=wanted.executor,
    )
    return Parts(
        door=door,
        teacher=teacher,
        sampler=wanted.sampler or EpochSampler(size, settings.seed),
        optimizer=optimizer,
        gate=gate,
        evaluator=evaluator,
        lr=settings.lr or (1.0 if whole else 0.5),
        recalls=whole and combined and validated,
    )


def name_of(part: Any) -> str:
    """Return what stands for a part in a run's config: its own name, else that of its class or function."""
    return str(getattr(part, "name", None) or getattr(part, "__qualname__", None) or type(part).__qualname__)


def _optimizer(
    optimizer: str | Optimizer | Recipe, teacher: Teacher, settings: Settings, *, whole: bool
) -> Optimizer | Recipe:
    """Return an optimizer for the paper's loop, or a recipe for the combined algorithm.

    For a teacher that reads all rows at once, all failures are one group and its answer is one change, which is the
    paper's loop with the whole of train as its batch, run in part where validation alone decides.
    """
    if isinstance(optimizer, str) and optimizer not in OPTIMIZERS:
        raise UsageError(f"there is no optimizer {optimizer!r}; there are: {', '.join(OPTIMIZERS)}")
    if optimizer == PAPER or (whole and isinstance(optimizer, str | Recipe)):
        return JointOptimizer(teacher, retries=settings.retries)
    return recipe_named(optimizer) if isinstance(optimizer, str) else optimizer
