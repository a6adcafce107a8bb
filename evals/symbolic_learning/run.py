"""One run of a task: baseline, learning and test by the library's own Trainer, and what came of it as a document.

The plan stands in the run's first event, so a run that was stopped goes on with exactly what it began with.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agentsym import Agent
from agentsym.cli.caps import Caps
from agentsym.cli.dry_run import estimated
from agentsym.cli.progress import Progress
from agentsym.cli.report import run_document
from agentsym.cli.runs import run_named
from agentsym.cli.screen import told
from agentsym.cli.signals import Signals
from agentsym.cli.training import EXIT_CODES
from agentsym.errors import UsageError
from agentsym.learning.run import Run
from agentsym.learning.trainer import Trainer
from agentsym.models.openai_http import OpenAIModel
from agentsym.network.canonical import Frozen
from agentsym.store.store import Store
from evals.symbolic_learning.data import Parts
from evals.symbolic_learning.double import NOTE, SCRIPTED, STUDENT, TEACHER, server
from evals.symbolic_learning.task import Task


class Plan(Frozen):
    """What a run is begun with; `eval` is the task's name, both models are `scripted` where doubles answer."""

    eval: str
    student: str
    teacher: str
    split: str
    optimizer: str = "symbolic"
    gate: str | None = None
    steps: int = 10
    batch: int | None = None
    patience: int = 5
    samples: int = 1
    repeats: int = 1
    seed: int = 0

    @property
    def is_scripted(self) -> bool:
        """Whether doubles answer."""
        return SCRIPTED in (self.student, self.teacher)


def begun_with(name: str, task: str) -> tuple[str, Plan]:
    """Return the id and the plan of a run, by its id or `last` (of this task).

    Raises:
        UsageError: there is no such run, or it is none of the task.
    """
    with Store.open() as store:
        if name == "last":
            ours = [run for run in store.runs() if run.config.get("origin", {}).get("eval") == task]
            if not ours:
                raise UsageError(f"there is no run of {task} yet, so nothing can be resumed")
            found = ours[0]
        else:
            found = run_named(store, name)
    origin = found.config.get("origin", {})
    if origin.get("eval") != task:
        raise UsageError(f"run {found.id} is none of {task}; `agentsym runs list` shows what it is")
    return found.id, Plan.model_validate(origin)


def planned(task: Task, plan: Plan, parts: Parts, caps: Caps) -> dict[str, Any]:
    """Return what a run would do, as a document; nobody is asked anything."""
    with ExitStack() as stack:
        trainer = _trainer(stack, task, plan, parts, caps, None, Progress(0))
        return {**_head(task, plan, parts), **estimated(trainer), "caps": caps._asdict()}


def learn(
    task: Task, plan: Plan, parts: Parts, caps: Caps, *, resume: str | None, out: Path | None
) -> tuple[dict[str, Any], int]:
    """Carry out a run, or go on with one, and return its document and exit code.

    Raises:
        AgentsymError: nothing was begun, or the best agent cannot be saved.
    """
    began = time.monotonic()
    with Signals() as signals, Store.open() as store, Progress(plan.steps) as progress, ExitStack() as stack:
        trainer = _trainer(stack, task, plan, parts, caps, store, progress)
        error: Exception | None = None
        try:
            run = signals.run(trainer.afit(resume))
        except (KeyboardInterrupt, Exception) as raised:
            if progress.run_id is None:
                raise
            run = Run.load(store, progress.run_id, task.agent)
            error = raised if isinstance(raised, Exception) else None
        message, code = told(error) if error is not None else (None, EXIT_CODES.get(run.status, 0))
        if out is not None and run.reached:
            run.save(out)
    found = run_document(run)
    document = {
        **_head(task, plan, parts),
        **{name: found[name] for name in ("run", "status", "reason", "steps", "accepted", "val", "usage", "learned")},
        "figures": None if run.tested is None else _figures(task, plan, run),
        "seconds": round(time.monotonic() - began, 1),
        "out": str(out) if out is not None and run.reached else None,
        "error": message or (run.reason if run.status == "failed" else None),
    }
    return document, code


def _trainer(
    stack: ExitStack, task: Task, plan: Plan, parts: Parts, caps: Caps, store: Store | None, watch: Progress
) -> Trainer[Agent]:
    student: Any = plan.student
    teacher: Any = plan.teacher
    if plan.is_scripted:
        url = stack.enter_context(server(task)).base_url
        student, teacher = (OpenAIModel(name, base_url=url) for name in (STUDENT, TEACHER))
    rows = {name: [task.row(problem) for problem in problems] for name, problems in parts._asdict().items()}
    return Trainer(
        task.agent,
        rows["train"],
        val=rows["val"],
        test=rows["test"],
        metric=task.metric([problem for problems in parts for problem in problems]),
        student=student,
        teacher=teacher,
        optimizer=plan.optimizer,
        gate=plan.gate,
        **caps._asdict(),
        cache=not plan.is_scripted,
        store=store,
        watch=watch,
        origin=plan.model_dump(mode="json"),
        steps=plan.steps,
        batch=plan.batch,
        patience=plan.patience,
        samples=plan.samples,
        repeats=plan.repeats,
        seed=plan.seed,
    )


def _head(task: Task, plan: Plan, parts: Parts) -> dict[str, Any]:
    return {
        **plan.model_dump(mode="json"),
        "is_scripted": plan.is_scripted,
        "note": NOTE if plan.is_scripted else None,
        "rows": {name: len(problems) for name, problems in parts._asdict().items()},
        "paper": {name: {"gpt-3.5": cheap, "gpt-4": dear} for name, (cheap, dear) in task.paper.items()},
        "caveats": list(task.caveats),
    }


def _figures(task: Task, plan: Plan, run: Run[Agent]) -> dict[str, Any]:
    """Return each figure before and after, in percent, and the 95 % interval of the gain in the score."""
    tested = run.tested
    assert tested is not None
    gain = tested.gain
    pairs = task.figures(tested, plan.samples)
    return {
        **{name: {"before": before, "after": after} for name, (before, after) in pairs.items()},
        "gain": {"score": gain.mean, "low": gain.low, "high": gain.high},
    }
