"""`agentsym eval`: score an agent on labeled rows, with 95 % intervals.

It scores exactly as the trainer does; nothing is learned and nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from agentsym.cli import caps, executors, options
from agentsym.cli.screen import emit, say, screen, told, warn
from agentsym.errors import AgentsymError, UsageError
from agentsym.learning.report.wording import count, number, span, spent

if TYPE_CHECKING:
    from agentsym.cli.agents import Found
    from agentsym.learning.metrics import Metric
    from agentsym.learning.protocols import Evidence, Row
    from agentsym.models.ledger import Ledger
    from agentsym.network.records import LossReport
    from agentsym.runtime.executors.protocol import Executor


def evaluate(
    agent: options.AgentName,
    data: Annotated[Path, typer.Option(metavar="FILE", help="Labeled rows: JSONL, CSV or Parquet.")],
    metric: options.Metric = None,
    maps: options.Map = None,
    label: options.Label = None,
    student: options.Student = None,
    concurrency: caps.Concurrency = None,
    max_calls: caps.MaxCalls = None,
    max_tokens: caps.MaxTokens = None,
    max_usd: caps.MaxUsd = None,
    max_seconds: caps.MaxSeconds = None,
    executor: executors.Name = None,
    ray_address: executors.Address = None,
    workers: executors.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Score AGENT on the labeled rows of --data."""
    from agentsym.cli.agents import check_models, find_agent
    from agentsym.learning.metrics import Watched, load_metric

    limits = caps.Caps.given(max_calls, max_tokens, max_usd, max_seconds, concurrency)
    where = executors.Where.given(executor, ray_address, workers)
    columns = options.columns_of(maps)
    found = find_agent(agent)
    student = check_models(found, student)
    watched = Watched(load_metric(metric or "exact"), warn)
    rows = _labeled(found, data, watched.name, columns, label)
    scored, stopped = _scored(found, rows, watched, student, limits, where.executor())
    message, code = (None, 0) if stopped is None else told(stopped)
    document = {**_document(found, watched.name, scored), "rows": len(rows), "error": message}
    if scored.reports and stopped is None:
        watched.end_batch()
    if as_json:
        emit(document)
    elif scored.reports:
        _show(document)
    if message is not None:
        say(f"{number(len(scored.reports))} of {count(len(rows), 'row')} were scored")
        say(f"error: {message}", "red")
    raise typer.Exit(code or (1 if scored.failed == len(rows) else 0))


class Scored(NamedTuple):
    """The reports of the rows that were scored, in their order, how many runs failed, and what was used."""

    reports: list[LossReport]
    failed: int
    ledger: Ledger


def _labeled(found: Found, data: Path, metric: str, columns: dict[str, str], label: str | None) -> tuple[Row, ...]:
    """Read all rows, so that whatever is wrong with one is said before a single call is paid for."""
    from agentsym.learning.dataset import Dataset
    from agentsym.learning.metrics import METRICS
    from agentsym.learning.sets import unlabeled

    rows = Dataset(found.agent, columns=columns, label=label, notice=_note).load(data)
    if metric in METRICS and (bare := next((row for row in rows if not row.expected), None)):
        outputs = ", ".join(found.agent.outputs)
        raise UsageError(
            f"{data}: row {bare.id!r} has no label, so {metric} cannot score it; the labels are columns named like the "
            f"outputs ({outputs}), or others with --map and --label"
        )
    for notice in unlabeled([(str(data), rows)]):
        _note(notice)
    return rows


def _scored(
    found: Found, rows: Sequence[Row], metric: Metric, student: str, caps: caps.Caps, executor: Executor
) -> tuple[Scored, AgentsymError | None]:
    """Score rows as the trainer does; return what came of them, and what ended it early."""
    from agentsym.cli.run import asking, why_capped
    from agentsym.cli.streaming import stream
    from agentsym.learning.evaluation import Evaluator
    from agentsym.learning.teacher.contrastive import ContrastiveTeacher

    context = asking(found.agent, student, caps)
    evaluator = Evaluator(
        student=context.student,
        teacher=ContrastiveTeacher(),  # never asked: the metric scores, and nobody comments
        metric=metric,
        door=context.door,
        concurrency=caps.concurrency,
        comments="metric",
        executor=executor,
    )
    reports: list[LossReport] = []
    failed = 0

    async def one(row: Row) -> Evidence:
        (item,) = await evaluator.evidence(found.agent, (row,))
        return item

    def take(row: Row, item: Evidence) -> None:
        nonlocal failed
        reports.append(item.loss)
        if item.trajectory.status != "ok":
            failed += 1
            say(f"{row.source}: row {row.id} failed: {item.trajectory.error or why_capped(item.trajectory)}", "red")

    stopped = stream(rows, one, take, executor, caps.concurrency)
    return Scored(reports, failed, context.door.ledger), stopped


def _note(text: str) -> None:
    say(f"note: {text}")


def _document(found: Found, metric: str, scored: Scored) -> dict[str, Any]:
    reports, used = scored.reports, scored.ledger.total()
    fields = dict.fromkeys(name for report in reports for name in report.metrics)
    parts = {name: [report.metrics[name] for report in reports if name in report.metrics] for name in fields}
    return {
        "agent": found.agent.name,
        "version": found.agent.version,
        "metric": metric,
        "n": len(reports),
        "failed": scored.failed,
        "score": _estimate([report.score for report in reports]) if reports else None,
        "fields": {name: _estimate(values) for name, values in parts.items()},
        "usage": {**used.model_dump(), "tokens": used.tokens},
    }


def _estimate(scores: Sequence[float]) -> dict[str, float]:
    """Return the mean of some scores with its 95 % bootstrap interval."""
    from agentsym.learning.statistics import paired_bootstrap

    found = paired_bootstrap([0.0] * len(scores), scores)
    return {"mean": found.mean, "low": found.low, "high": found.high, "n": len(scores)}


def _show(document: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(document["metric"], overflow="fold")
    for column in ("mean", "95 % interval", "rows"):
        table.add_column(column, justify="right")
    for name, part in {"score": document["score"], **document["fields"]}.items():
        table.add_row(name, f"{part['mean']:.3f}", f"{part['low']:.3f} to {part['high']:.3f}", number(part["n"]))
    screen().print(table)
    used = document["usage"]
    failed = f"{count(document['failed'], 'run')} failed; " if document["failed"] else ""
    say(f"{failed}{spent(used['calls'], used['tokens'], used['usd'])}, {span(used['seconds'])} of model time")
