"""`agentsym optimize --dry-run`: what would run, and how many model calls it would make at most.

Data and agent are read and checked as for a run; no model is asked and nothing is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentsym.cli.screen import emit, number, screen, span

if TYPE_CHECKING:
    from agentsym.cli.agents import Found
    from agentsym.cli.plan import Caps, Plan
    from agentsym.learning.trainer import Trainer


def show_plan(plan: Plan, found: Found, caps: Caps, as_json: bool) -> None:
    """Say what a run of this plan would do."""
    from agentsym.cli.plan import check_destination
    from agentsym.cli.progress import Progress

    check_destination(plan, found)
    document = _document(plan, plan.trainer(found, caps, None, Progress(0)), caps)
    if as_json:
        return emit(document)
    console = screen()
    lines = {
        "agent": f"{document['agent']} ({document['version'][:12]}): {', '.join(document['nodes'])}",
        "rows": ", ".join(f"{count} {name}" for name, count in document["rows"].items()),
        "models": f"student {document['student']}, teacher {document['teacher']}",
        "metric": document["metric"] or "the teacher's judgement",
        "optimizer": f"{document['optimizer']}, gate {document['gate']}",
        "steps": f"at most {document['steps']}, of {document['batch']} rows",
        "calls": ", ".join(f"{phase} {number(count)}" for phase, count in document["calls"].items() if count),
        "in all": f"at most {number(document['calls_in_all'])} model calls{_free(plan)}; retries and tool calls on top",
        "caps": _caps(caps),
        "out": document["out"],
    }
    for name, text in lines.items():
        console.print(f"{name:<10}{text}", soft_wrap=True)


def _document(plan: Plan, trainer: Trainer[Any], caps: Caps) -> dict[str, Any]:
    from agentsym.learning.estimate import estimate_calls
    from agentsym.learning.teacher.choose import choose_teacher
    from agentsym.models.door import Door

    judged = trainer.parts.evaluator.metric is None
    teacher = choose_teacher(plan.teacher, Door(), judge=plan.judge, scores=judged)
    reads_all = bool(getattr(teacher, "reads_all_rows", False))
    rows = {name: len(held) for name, held in trainer.sets.all()}
    batch = len(trainer.parts.sampler.batch(trainer.sets.train, 0))
    calls = estimate_calls(
        trainer.agent,
        rows,
        batch,
        trainer.settings,
        lr=trainer.parts.lr,
        looks_at=trainer.parts.gate.looks_at,
        teacher_asks=not reads_all,
        judged=judged,
    )
    return {
        "agent": trainer.agent.name,
        "version": trainer.agent.version,
        "nodes": [node.id for node in trainer.agent.nodes],
        "rows": rows,
        "student": plan.student,
        "teacher": plan.teacher,
        "metric": plan.metric,
        "optimizer": plan.optimizer,
        "gate": plan.gate or type(trainer.parts.gate).__name__.removesuffix("Gate").lower(),
        "steps": trainer.settings.steps,
        "batch": batch,
        "settings": trainer.settings.model_dump(mode="json"),
        "calls": calls,
        "calls_in_all": sum(calls.values()),
        "caps": {"max_calls": caps.max_calls, "max_seconds": caps.max_seconds, "concurrency": caps.concurrency},
        "out": str(plan.destination("ID")),
    }


def _free(plan: Plan) -> str:
    from agentsym.cli.agents import EMBEDDED

    return " of the embedded model, which cost nothing" if plan.student == plan.teacher == EMBEDDED else ""


def _caps(caps: Caps) -> str:
    parts = []
    if caps.max_calls is not None:
        parts.append(f"{number(caps.max_calls)} model calls")
    if caps.max_seconds is not None:
        parts.append(span(caps.max_seconds))
    return ", ".join(parts) or "none"
