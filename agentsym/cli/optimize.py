"""`agentsym optimize`: train an agent on examples, show how it goes, and say what came of it.

The command reads flags and talks; what a run is made of stands in `plan.py`, what it says at its end in `report.py`.
"""

from __future__ import annotations

import time
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentsym.cli import options
from agentsym.cli.screen import emit, say
from agentsym.errors import UsageError

if TYPE_CHECKING:
    from agentsym.cli.agents import Found
    from agentsym.cli.plan import Caps, Plan
    from agentsym.learning.run import Run

ROWS = "Rows to {}: JSONL, CSV or Parquet"
BESIDE = " (default: data/{}.jsonl beside the agent)."
EXIT_CODES = {"budget": 3, "interrupted": 130, "failed": 1}


def _file(purpose: str, default: str = "") -> Any:
    return typer.Option(metavar="FILE", help=ROWS.format(purpose) + (BESIDE.format(default) if default else "."))


def optimize(
    agent: Annotated[str | None, typer.Argument(metavar="AGENT", help=options.AGENT_HELP, show_default=False)] = None,
    train: Annotated[Path | None, _file("learn from", "train")] = None,
    val: Annotated[Path | None, _file("decide by", "val")] = None,
    test: Annotated[Path | None, _file("report on", "test")] = None,
    must_pass: Annotated[Path | None, _file("never break")] = None,
    maps: options.Map = None,
    label: options.Label = None,
    metric: options.Metric = None,
    judge: Annotated[
        str | None, typer.Option(metavar="RUBRIC", help="Let the teacher score by this text or file, not a metric.")
    ] = None,
    student: options.Student = None,
    teacher: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model that criticises and rewrites (default: embedded).")
    ] = None,
    optimizer: Annotated[str | None, typer.Option(metavar="NAME", help="paper (default: paper).")] = None,
    gate: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="paper, strict, validated, tolerant or always (default: tolerant; validated with a language model).",
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Most steps (default: 20).")] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", help="Rows a step (default: 4; embedded teacher: all).")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(metavar="X", help="Share of a parameter that one step may change.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(metavar="N", help="Stop after N steps without gain (default: 5).")
    ] = None,
    target: Annotated[float | None, typer.Option(metavar="S", help="Stop at this validation score.")] = None,
    concurrency: options.Concurrency = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Seeds batches and splits (default: 0).")] = None,
    max_calls: Annotated[int | None, typer.Option(metavar="N", help="Cap on model calls.")] = None,
    max_seconds: Annotated[float | None, typer.Option(metavar="S", help="Start no model call after S seconds.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, without any model call.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the best agent (default: runs/ID).")
    ] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run: its id, or last.")] = None,
    as_json: options.Json = False,
) -> None:
    """Train AGENT on examples.

    Each step runs a batch, finds what went wrong and where, proposes edits, and keeps them if they score better.
    """
    from agentsym.cli.agents import check_models, find_agent
    from agentsym.cli.plan import Caps, Plan

    caps = Caps(max_calls, max_seconds, concurrency or Caps().concurrency)
    settings = {"steps": steps, "batch": batch, "lr": lr, "patience": patience, "target": target, "seed": seed}
    given = {
        "train": options.absolute(train),
        "val": options.absolute(val),
        "test": options.absolute(test),
        "must_pass": options.absolute(must_pass),
        "columns": options.columns_of(maps) or None,
        "label": label,
        "metric": options.absolute_metric(metric),
        "judge": judge,
        "student": student,
        "teacher": teacher,
        "optimizer": optimizer,
        "gate": gate,
        "out": options.absolute(out),
        "settings": {name: value for name, value in settings.items() if value is not None} or None,
    }
    if resume is not None:
        _refuse_with_resume({**given, **settings, "settings": None, "agent": agent, "dry_run": dry_run or None})
        return _resume(resume, caps, as_json)
    if agent is None:
        raise UsageError("name the AGENT to train (a folder, file.py:name, a shipped pipeline), or a run with --resume")
    found = find_agent(agent)
    plan = Plan.made(found, {**given, "student": check_models(found, student)})
    if dry_run:
        from agentsym.cli.dry_run import show_plan

        return show_plan(plan, found, caps, as_json)
    _train(plan, found, caps, as_json)


def _refuse_with_resume(given: dict[str, Any]) -> None:
    """Raise UsageError when a flag is given that the run has long decided."""
    flags = {"columns": "--map", "agent": "AGENT"}
    wrong = [flags.get(name, f"--{name.replace('_', '-')}") for name, value in given.items() if value is not None]
    if wrong:
        raise UsageError(
            f"--resume takes agent, data and settings from the run, so leave out {', '.join(wrong)}; "
            "only --max-calls, --max-seconds, --concurrency and --json may be given anew"
        )


def _resume(name: str, caps: Caps, as_json: bool) -> None:
    from agentsym.cli.agents import find_agent
    from agentsym.cli.plan import Plan
    from agentsym.cli.runs import run_named
    from agentsym.store.store import Store

    with Store.open() as store:
        info = run_named(store, name)
    origin = info.config.get("origin")
    if not origin:
        raise UsageError(f"run {info.id} was not begun by `agentsym optimize`; resume it from Python: fit(resume=…)")
    plan = Plan.model_validate(origin)
    if not Path(plan.folder).is_dir():
        raise UsageError(f"run {info.id} was begun in {plan.folder}, which is gone; put it back")
    with chdir(plan.folder):
        found = find_agent(plan.agent)
    _train(plan, found, caps, as_json, info.id)


def _train(plan: Plan, found: Found, caps: Caps, as_json: bool, resume: str | None = None) -> None:
    """Train, save the best agent, say what came of it, and exit with the code of how it ended."""
    from agentsym.cli.plan import check_destination
    from agentsym.cli.report import next_commands, run_document, show_report

    check_destination(plan, found)
    began = time.monotonic()
    with chdir(plan.folder):
        run, rows = _fit(plan, found, caps, resume)
    name = plan.name if Path.cwd() == Path(plan.folder) else plan.agent
    out = plan.destination(run.id)
    document = {
        **run_document(run),
        "seconds": time.monotonic() - began,
        "out": str(out),
        "warnings": _warnings(run),
        "next": next_commands(name, out, rows),
    }
    _save(run, out, document)
    if as_json:
        emit(document)
    else:
        show_report(document)
    if run.status in ("budget", "interrupted"):
        why = "a cap was reached" if run.status == "budget" else "interrupted"
        say(f"{why}; what was reached is saved. To go on: agentsym optimize --resume {run.id}", "bold")
    raise typer.Exit(EXIT_CODES.get(run.status, 0))


def _fit(plan: Plan, found: Found, caps: Caps, resume: str | None) -> tuple[Run[Any], Any]:
    """Run the trainer; return the run, also one that was interrupted, and rows to try the agent on."""
    from agentsym.cli.progress import Progress
    from agentsym.learning.run import Run
    from agentsym.store.store import Store

    with Store.open() as store, Progress(plan.settings.get("steps", 20)) as progress:
        trainer = plan.trainer(found, caps, store, progress)
        rows = trainer.sets.test or trainer.sets.val or trainer.sets.train
        try:
            return trainer.fit(resume), rows
        except KeyboardInterrupt:
            if progress.run_id is None:
                raise
            return Run.load(store, progress.run_id, found.agent), rows
        except Exception:
            if progress.run_id is not None:
                say(f"run {progress.run_id} is kept; to go on: agentsym optimize --resume {progress.run_id}")
            raise


def _save(run: Run[Any], out: Path, document: dict[str, Any]) -> None:
    import json

    try:
        run.save(out)
        (out / "report.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(
            f"{out}: the best agent cannot be saved there ({error.strerror or error}); "
            f"when that is mended: agentsym optimize --resume {run.id}"
        ) from error


def _warnings(run: Run[Any]) -> list[str]:
    found = []
    if run.tested is not None and run.accepted and run.tested.gain.holds_zero:
        found.append("the 95 % interval of the gain holds 0: it may be luck; more test rows would tell")
    if run.tested is not None and run.tested.rows == "val":
        found.append("there were no test rows: the scores are those on validation, which the run chose by (--test)")
    return found
