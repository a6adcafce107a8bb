"""`agentsym optimize --dry-run`: what would run, how many model calls it would make at most, and what they may cost.

Data and agent are read and checked as for a run; no model is asked and nothing is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentsym.cli.screen import emit, screen
from agentsym.learning.report.wording import count, dollars, number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agentsym.cli.agents import Found
    from agentsym.cli.caps import Caps
    from agentsym.cli.plan import Plan
    from agentsym.learning.trainer import Trainer
    from agentsym.models.protocol import Phase
    from agentsym.network.records import Usage


def show_plan(plan: Plan, found: Found, caps: Caps, record: Path | None, as_json: bool) -> None:
    """Say what a run of this plan would do."""
    from agentsym.cli.plan import check_destination, check_recording
    from agentsym.cli.progress import Progress

    check_destination(plan, found)
    if record is not None:
        check_recording(record)
    document = _document(plan, plan.trainer(found, caps, None, Progress(0)), caps)
    if as_json:
        emit(document)
        return
    console = screen()
    most = count(document["calls_in_all"], "model call")
    lines = {
        "agent": f"{document['agent']} ({document['version'][:12]}): {', '.join(document['nodes'])}",
        "rows": ", ".join(f"{number(size)} {name}" for name, size in document["rows"].items()),
        "models": f"student {document['student']}, teacher {document['teacher']}",
        "metric": document["metric"] or "the teacher's judgement",
        "optimizer": f"{document['optimizer']}, gate {document['gate']}",
        "steps": f"at most {document['steps']}, of {count(document['batch'], 'row')}",
        "calls": ", ".join(f"{phase} {number(calls)}" for phase, calls in document["calls"].items() if calls),
        "in all": f"{document['calls_are']} {most}{_free(plan)}; retries and tool calls on top",
        **({} if _free(plan) else {"tokens": _tokens(document)}),
        "caps": str(caps),
        "out": document["out"],
    }
    for name, text in lines.items():
        console.print(f"{name:<10}{text}", soft_wrap=True)


def _document(plan: Plan, trainer: Trainer[Any], caps: Caps) -> dict[str, Any]:
    return {
        "agent": trainer.agent.name,
        "version": trainer.agent.version,
        "nodes": [node.id for node in trainer.agent.nodes],
        "rows": {name: len(held) for name, held in trainer.sets.all()},
        "student": plan.student,
        "teacher": plan.teacher,
        "metric": plan.metric,
        "optimizer": plan.optimizer,
        "gate": plan.gate or type(trainer.parts.gate).__name__.removesuffix("Gate").lower(),
        "steps": trainer.settings.steps,
        "settings": trainer.settings.model_dump(mode="json"),
        **estimated(trainer),
        "caps": caps._asdict(),
        "out": str(plan.destination("ID")),
    }


def estimated(trainer: Trainer[Any]) -> dict[str, Any]:
    """Return how many rows a step runs, and the calls, tokens and dollars that a run is expected to take."""
    from agentsym.learning.estimate import estimate_calls, estimate_symbolic_calls, estimate_usage
    from agentsym.learning.symbolic.recipe import Recipe

    parts, train = trainer.parts, trainer.sets.train
    judged = parts.evaluator.metric is None
    rows = {name: len(held) for name, held in trainer.sets.all()}
    batch = len(parts.sampler.batch(train, 0))
    if isinstance(parts.optimizer, Recipe):  # how often a gate halves, and what it tries, nobody knows before
        looks_at = parts.gate.looks_at
        calls = estimate_symbolic_calls(
            trainer.agent, rows, batch, trainer.settings, parts.optimizer, looks_at=looks_at, judged=judged
        )
    else:
        calls = estimate_calls(
            trainer.agent,
            rows,
            batch,
            trainer.settings,
            lr=parts.lr,
            looks_at=parts.gate.looks_at,
            teacher_asks=not getattr(parts.teacher, "reads_all_rows", False),
            judged=judged,
        )
    combined = isinstance(parts.optimizer, Recipe)
    usage = _priced(trainer, estimate_usage(trainer.agent, train, batch, calls, judged=judged, combined=combined))
    return {
        "batch": batch,
        "calls": calls,
        "calls_in_all": sum(calls.values()),
        "calls_are": "about" if combined else "at most",
        "tokens": {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens},
        "tokens_in_all": usage.tokens,
        "usd": usage.usd,
    }


def _priced(trainer: Trainer[Any], usage: Mapping[tuple[str, Phase], Usage]) -> Usage:
    """Return what is expected in all: tokens of models that are asked elsewhere, and dollars (None: unknown)."""
    from agentsym.learning.estimate import STUDENT, TEACHER
    from agentsym.models.resolve import resolve
    from agentsym.network.records import Usage

    known = {STUDENT: trainer.parts.evaluator.student, TEACHER: getattr(trainer.parts.teacher, "model", None)}
    whole = Usage()
    for (who, _), part in usage.items():
        model = known[who] if who in known else resolve(who)
        if part.calls and model is not None and model.remote:
            price = trainer.parts.door.price(model)
            whole += part.model_copy(update={"usd": None if price is None else price.of(part)})
    return whole


def _tokens(document: Mapping[str, Any]) -> str:
    from agentsym.learning.estimate import CHARS, STUDENT_REPLY, TEACHER_REPLY

    tokens, usd = document["tokens"], document["usd"]
    price = "at a price that nobody knows (AGENTSYM_PRICES names a list)" if usd is None else f"for {dollars(usd)}"
    return (
        f"about {number(tokens['prompt'])} of prompts and {number(tokens['completion'])} of replies, {price}; reckoned "
        f"with {CHARS} characters a token, the prompts as they are now, and replies of {STUDENT_REPLY} tokens from the "
        f"student and {TEACHER_REPLY} from the teacher"
    )


def _free(plan: Plan) -> str:
    from agentsym.cli.agents import EMBEDDED

    return " of the embedded model, which cost nothing" if plan.student == plan.teacher == EMBEDDED else ""
