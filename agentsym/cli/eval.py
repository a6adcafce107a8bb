"""`agentsym eval`: score an agent on labeled rows, with 95 % intervals.

It scores exactly as the trainer does; nothing is learned and nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentsym.cli import options
from agentsym.cli.screen import dollars, emit, number, say, screen, span
from agentsym.errors import UsageError

if TYPE_CHECKING:
    from agentsym.cli.agents import Found
    from agentsym.learning.protocols import Row
    from agentsym.models.ledger import Ledger
    from agentsym.network.records import LossReport

AT_ONCE = 256  # rows whose whole runs are held in memory


def evaluate(
    agent: options.AgentName,
    data: Annotated[Path, typer.Option(metavar="FILE", help="Labeled rows: JSONL, CSV or Parquet.")],
    metric: options.Metric = None,
    maps: options.Map = None,
    label: options.Label = None,
    student: options.Student = None,
    as_json: options.Json = False,
) -> None:
    """Score AGENT on the labeled rows of --data."""
    from agentsym.cli.agents import check_models, find_agent
    from agentsym.learning.dataset import Dataset

    found = find_agent(agent)
    student = check_models(found, student)
    tell = lambda text: say(f"note: {text}")  # noqa: E731
    dataset = Dataset(found.agent, columns=options.columns_of(maps), label=label, notice=tell)
    rows = dataset.load(data)
    name = metric or "exact"
    if name in ("exact", "f1") and (bare := next((row for row in rows if not row.expected), None)):
        outputs = ", ".join(found.agent.outputs)
        raise UsageError(
            f"{data}: row {bare.id!r} has no label, so {name} cannot score it; the labels are columns named like the "
            f"outputs ({outputs}), or others with --map and --label"
        )
    reports, failed, ledger = _scored(found, rows, name, student)
    document = _document(found, name, reports, failed, ledger)
    if as_json:
        emit(document)
    else:
        _show(document)
    if failed == len(rows):
        raise typer.Exit(1)


def _scored(found: Found, rows: Sequence[Row], metric: str, student: str) -> tuple[list[LossReport], int, Ledger]:
    """Return each row's report, how many runs failed, and what was used."""
    from agentsym.learning.evaluation import Evaluator
    from agentsym.learning.metrics import load_metric
    from agentsym.learning.teacher.contrastive import ContrastiveTeacher
    from agentsym.models.door import Door
    from agentsym.runtime.context import student_model
    from agentsym.runtime.loop import run_sync

    door = Door()
    evaluator = Evaluator(
        student=student_model(student),
        teacher=ContrastiveTeacher(),  # never asked: the metric scores, and nobody comments
        metric=load_metric(metric),
        door=door,
        comments="metric",
    )

    async def score() -> tuple[list[LossReport], int]:
        reports: list[LossReport] = []
        failed = 0
        left = iter(rows)
        while part := tuple(islice(left, AT_ONCE)):
            for item in await evaluator.evidence(found.agent, part):
                reports.append(item.loss)
                if item.trajectory.status == "error":
                    failed += 1
                    say(f"{item.row.source}: row {item.row.id} failed: {item.trajectory.error}", "red")
        return reports, failed

    reports, failed = run_sync(score())
    return reports, failed, door.ledger


def _document(found: Found, metric: str, reports: Sequence[LossReport], failed: int, ledger: Ledger) -> dict[str, Any]:
    used = ledger.total()
    fields = dict.fromkeys(name for report in reports for name in report.metrics)
    parts = {name: [report.metrics[name] for report in reports if name in report.metrics] for name in fields}
    return {
        "agent": found.agent.name,
        "version": found.agent.version,
        "metric": metric,
        "n": len(reports),
        "failed": failed,
        "score": _estimate([report.score for report in reports]),
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
    failed = f"{document['failed']} runs failed; " if document["failed"] else ""
    say(
        f"{failed}{number(used['calls'])} calls, {number(used['tokens'])} tokens, {dollars(used['usd'])}, "
        f"{span(used['seconds'])} of model time"
    )
