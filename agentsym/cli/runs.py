"""`agentsym runs`: what is remembered of training runs, as tables, JSON, or the journal itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentsym.cli import options, runs_compare, runs_export, runs_report
from agentsym.cli.run_names import RunName, run_named
from agentsym.cli.screen import emit, say, screen
from agentsym.errors import UsageError
from agentsym.learning.report.figures import USED, used
from agentsym.learning.report.wording import count, dollars, number, short
from agentsym.network.shown import shown

if TYPE_CHECKING:
    from agentsym.learning.course import StepRecord
    from agentsym.store.reading import RunInfo
    from agentsym.store.store import Store

EDITS = 8  # edits of a step that are shown
COMPARABLE = "With --journal: leave out times, ids, costs, stops and resumes, so that equal runs print the same."

app = typer.Typer(help="What is remembered of training runs.", rich_markup_mode=None)
app.command("report")(runs_report.report)
app.command("compare")(runs_compare.compare)
app.command("export")(runs_export.export)


@app.command("list")
def list_runs(as_json: options.Json = False) -> None:
    """List all runs, the newest first."""
    from rich import box
    from rich.table import Table

    from agentsym.store.store import Store

    with Store.open() as store:
        found = store.runs()
    if as_json:
        emit([run.model_dump(mode="json", exclude={"config"}) for run in found])
        return
    if not found:
        say("there are no runs yet; `agentsym optimize AGENT` makes one")
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("run", no_wrap=True)
    table.add_column("agent", overflow="fold")
    table.add_column("status", no_wrap=True)
    for column in ("steps", "validation", "calls", "cost"):
        table.add_column(column, justify="right")
    for run in found:
        score = "" if run.val_after is None else f"{run.val_after:.3f}"
        table.add_row(run.id, run.agent, run.status, str(run.steps), score, number(run.calls), dollars(run.usd))
    screen().print(table)


@app.command("show")
def show_run(
    run: RunName = "last",
    as_json: options.Json = False,
    journal: Annotated[bool, typer.Option("--journal", help="Print every event of the run, one JSON a line.")] = False,
    comparable: Annotated[bool, typer.Option("--comparable", help=COMPARABLE)] = False,
) -> None:
    """Show one run: its steps with decisions and edits, its scores, and its calls by phase and node."""
    from agentsym.cli.report import run_document
    from agentsym.learning.run import Run
    from agentsym.store.store import Store

    if journal and as_json:
        raise UsageError("--journal prints one JSON document a line; give it without --json")
    if comparable and not journal:
        raise UsageError("--comparable says how --journal prints; give both")
    with Store.open() as store:
        info = run_named(store, run)
        if journal:
            return _print_journal(store, info.id, comparable)
        loaded = Run.read(store, info.id)
    document = {
        **run_document(loaded),
        "created": info.created,
        "config": info.config,
        "steps": [_step(step) for step in loaded.steps],
        "by_node": loaded.ledger.to_json(),
    }
    if as_json:
        emit(document)
    else:
        _show(info, document, loaded.steps)


@app.command("forget")
def forget_run(run: RunName) -> None:
    """Let later runs learn nothing from a run; its journal stays as it is."""
    from agentsym.store.store import Store

    with Store.open() as store:
        info = run_named(store, run)
        if info.status == "running":
            raise UsageError(
                f"run {info.id} has not ended, so no later run learns from it yet; forget it when it has "
                f"(agentsym optimize --resume {info.id} goes on with it)"
            )
        if store.last_event(info.id, kind="forget") is None:
            store.append(info.id, "forget", {})
    say(f"run {info.id} is forgotten: no later run is told of it; its rows and messages are still in {store.path}")


def _print_journal(store: Store, run_id: str, only_comparable: bool) -> None:
    from agentsym.store.comparable import comparable

    events = store.events(run_id)
    lines = comparable(events) if only_comparable else (event.model_dump(mode="json") for event in events)
    for line in lines:
        if not emit(line, indent=None):
            break


def _step(step: StepRecord) -> dict[str, Any]:
    return {
        "step": step.step + 1,
        "rows": step.rows,
        "score": step.score,
        "decision": None if step.decision is None else step.decision.model_dump(mode="json"),
        "edits": [
            {
                "op": edit.op,
                **edit.model_dump(mode="json", exclude_defaults=True),
                "kept": step.keeps(at),
                **({"credit": step.credit[at]} if at in step.credit else {}),
            }
            for at, update in step.updates()
            for edit in update.edits
        ],
        "validated": None if step.validated is None else step.validated.model_dump(mode="json"),
    }


def _show(info: RunInfo, document: dict[str, Any], steps: Sequence[StepRecord]) -> None:
    from agentsym.cli.report import front_table, headline, scores_table

    console = screen()
    status = f"{info.status}: {document['reason']}" if document["reason"] else info.status
    console.print(f"run {info.id}, {info.agent}, {info.created[:16]}, {status}", style="bold", soft_wrap=True)
    console.print(headline({**document, "steps": len(steps)}), soft_wrap=True)
    config = info.config
    console.print(f"student {config.get('student')}, teacher {config.get('teacher')}", soft_wrap=True)
    for step in steps:
        _show_step(step)
    for offer in document["offers"]:
        taken = "+" if offer["accept"] else "-"
        console.print(f"  {taken} {offer['path']}: {offer['value']}: {offer['reason']}", soft_wrap=True)
    if document["tested"] is not None:
        console.print(scores_table(document))
    if document["front"]:
        console.print(front_table(document))
    console.print(_calls(document["by_node"]))


def _show_step(step: StepRecord) -> None:
    console = screen()
    decision = step.decision
    scored = "" if step.score is None else f" at {step.score:.3f}"
    head = f"step {step.step + 1}: {count(step.rows, 'row')} run{scored}, "
    if decision is None:
        console.print(f"{head}nothing proposed", soft_wrap=True)
    else:
        edits = [(_fate(step, at), edit) for at, update in step.updates() for edit in update.edits]
        kept, proposed = sum(fate == "+" for fate, _ in edits), count(len(edits), "edit")
        verdict = f"{kept} of {proposed} accepted" if decision.accept else f"{proposed} rejected"
        console.print(
            f"{head}{verdict}: {decision.reason}, {decision.before:.3f} → {decision.after:.3f}",
            style="green" if decision.accept else "yellow",
            soft_wrap=True,
        )
        for fate, edit in edits[:EDITS]:
            console.print(f"  {fate} {_edit(edit)}", soft_wrap=True)
        if len(edits) > EDITS:
            console.print(f"    and {len(edits) - EDITS} more (--json shows all)")
    if step.validated is not None:
        verdict = "holds" if step.validated.accept else "says no"
        console.print(f"  validation {verdict}: {step.validated.reason}", soft_wrap=True)


def _fate(step: StepRecord, at: int) -> str:
    """Say what became of an update: kept, dropped, or dropped since it broke what was right."""
    return "+" if step.keeps(at) else "- (breaks what is right)" if at in step.harmful else "-"


def _edit(edit: Any) -> str:
    """Say what an edit is about and what it does."""
    place = getattr(edit, "path", getattr(edit, "node", getattr(edit, "tool", "")))
    place = getattr(place, "id", getattr(place, "name", place))
    item = f" {edit.id}" if getattr(edit, "op", "") in ("replace_item", "drop_item") else ""
    about = getattr(edit, "item", getattr(edit, "value", ""))
    if isinstance(about, dict) and set(about) == {"text"}:
        about = about["text"]
    said = "" if about == "" else f": {short(shown(about), 100)}"
    why = f"  ({short(edit.why, 80)})" if edit.why else ""
    return f"{edit.op} {place}{item}{said}{why}"


def _calls(entries: Sequence[dict[str, Any]]) -> Any:
    from rich import box
    from rich.table import Table

    from agentsym.models.ledger import Ledger

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("phase")
    table.add_column("node", overflow="fold")
    for column in USED:
        table.add_column(column, justify="right")
    total = {**Ledger.from_json(entries).total().model_dump(), "phase": "in all", "node": ""}
    for entry in (*entries, total):
        table.add_row(entry["phase"], entry["node"] or "–", *used(entry))
    return table
