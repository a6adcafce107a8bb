"""`agentsym optimize`: train an agent on examples, show how it goes, and say what came of it.

The command only reads flags; what a run is made of stands in `plan.py`, how it is carried out in `training.py`.
"""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from agentsym.cli import caps, executors, options
from agentsym.errors import UsageError

ANEW = "caps, --concurrency, --executor with --ray-address and --workers, --record and --json"
GATES = "paper, strict, validated, tolerant or always (default: tolerant; validated with a language model)."


def _file(purpose: str, default: str = "") -> Any:
    beside = f" (default: data/{default}.jsonl beside the agent)" if default else ""
    return typer.Option(metavar="FILE", help=f"Rows to {purpose}: JSONL, CSV or Parquet{beside}.")


def _option(metavar: str, about: str) -> Any:
    return typer.Option(metavar=metavar, help=about)


Agent = Annotated[str | None, typer.Argument(metavar="AGENT", help=options.AGENT_HELP, show_default=False)]
Train = Annotated[Path | None, _file("learn from", "train")]
Val = Annotated[Path | None, _file("decide by", "val")]
Test = Annotated[Path | None, _file("report on", "test")]
MustPass = Annotated[Path | None, _file("never break")]
Judge = Annotated[str | None, _option("RUBRIC", "Let the teacher score by this text or file, not a metric.")]
Teacher = Annotated[str | None, _option("MODEL", "The model that criticises and rewrites (default: embedded).")]
Optimizer = Annotated[str | None, _option("NAME", "symbolic, paper, textgrad or gepa (default: symbolic).")]
Gate = Annotated[str | None, _option("NAME", GATES)]
Steps = Annotated[int | None, _option("N", "Most steps (default: 20).")]
Batch = Annotated[int | None, _option("N", "Rows a step (default: 20; paper: 4; embedded teacher: all).")]
Lr = Annotated[float | None, _option("X", "Share of a parameter that one step may change.")]
Patience = Annotated[int | None, _option("N", "Stop after N steps without gain (default: 5).")]
Target = Annotated[float | None, _option("S", "Stop at this validation score.")]
Seed = Annotated[int | None, _option("N", "Seeds batches and splits (default: 0).")]
Repeats = Annotated[
    int | None, _option("N", "Runs of a row to judge an edit by; 5 for students that vary (default: 1).")
]
Models = Annotated[str | None, _option("A,B", "Models to choose from for each node, beside the student.")]
Prefer = Annotated[
    Literal["score", "cheapest", "fastest"] | None,
    typer.Option(help="Which version to take, of those within a margin of the best score (default: score)."),
]
Within = Annotated[float | None, _option("X", "The margin for --prefer (default: 0.01).")]
Memory = Annotated[
    bool | None,
    typer.Option("--memory/--no-memory", help="Show the teacher what helped in earlier runs (default: memory)."),
]
Record = Annotated[Path | None, _option("DIR", "Write all model traffic here; the model recorded:DIR replays it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would run, without any model call.")]
Out = Annotated[Path | None, _option("DIR", "Folder for the best agent (default: runs/ID).")]
Resume = Annotated[str | None, _option("RUN", "Go on with a run: its id, or last.")]


def optimize(
    agent: Agent = None,
    train: Train = None,
    val: Val = None,
    test: Test = None,
    must_pass: MustPass = None,
    maps: options.Map = None,
    label: options.Label = None,
    metric: options.Metric = None,
    judge: Judge = None,
    student: options.Student = None,
    teacher: Teacher = None,
    optimizer: Optimizer = None,
    gate: Gate = None,
    steps: Steps = None,
    batch: Batch = None,
    lr: Lr = None,
    patience: Patience = None,
    target: Target = None,
    seed: Seed = None,
    repeats: Repeats = None,
    models: Models = None,
    prefer: Prefer = None,
    within: Within = None,
    memory: Memory = None,
    concurrency: caps.Concurrency = None,
    max_calls: caps.MaxCalls = None,
    max_tokens: caps.MaxTokens = None,
    max_usd: caps.MaxUsd = None,
    max_seconds: caps.MaxSeconds = None,
    executor: executors.Name = None,
    ray_address: executors.Address = None,
    workers: executors.Workers = None,
    record: Record = None,
    dry_run: DryRun = False,
    out: Out = None,
    resume: Resume = None,
    as_json: options.Json = False,
) -> None:
    """Train AGENT on examples.

    Each step runs a batch, finds what went wrong and where, proposes edits, and keeps them if they score better.
    """
    files = {"train": train, "val": val, "test": test, "must_pass": must_pass, "out": out}
    names = {"label": label, "judge": judge, "student": student, "teacher": teacher}
    names |= {"metric": options.absolute_metric(metric), "optimizer": optimizer, "gate": gate}
    settings: dict[str, Any] = {
        "steps": steps,
        "batch": batch,
        "lr": lr,
        "patience": patience,
        "target": target,
        "seed": seed,
    }
    settings |= {"repeats": repeats, "prefer": prefer, "within": within, "memory": memory}
    columns = options.columns_of(maps)
    limits = caps.Caps.given(max_calls, max_tokens, max_usd, max_seconds, concurrency)
    where = executors.Where.given(executor, ray_address, workers)
    record = record and record.expanduser().absolute()
    if resume is not None:
        decided = {"agent": agent, **files, "columns": columns or None, "models": models, **names, **settings}
        _refuse_with_resume({**decided, "dry_run": dry_run or None})
        return _resume(resume, limits, where, record, as_json)
    places = {name: options.absolute(path) for name, path in files.items()}
    if within is not None and prefer in (None, "score"):
        raise UsageError("--within is the margin of --prefer cheapest or --prefer fastest; give one of them with it")
    choice = {"models": _listed(models), "settings": _without_none(settings)}
    plan = _without_none({**places, **names, "columns": columns, **choice})
    _begin(agent, plan, limits, where, record, dry_run, as_json)


def _begin(
    agent: str | None,
    given: dict[str, Any],
    caps: caps.Caps,
    where: executors.Where,
    record: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    from agentsym.cli.agents import check_models, find_agent
    from agentsym.cli.plan import Plan
    from agentsym.cli.training import train

    if agent is None:
        raise UsageError("name the AGENT to train (a folder, file.py:name, a shipped pipeline), or a run with --resume")
    found = find_agent(agent)
    plan = Plan.made(found, {**given, "student": check_models(found, given.get("student"))})
    if dry_run:
        from agentsym.cli.dry_run import show_plan

        return show_plan(plan, found, caps, record, as_json)
    raise typer.Exit(train(plan, found, caps, where, record=record, as_json=as_json))


def _refuse_with_resume(given: dict[str, Any]) -> None:
    """Raise UsageError when a flag is given that the run has long decided."""
    flags = {"columns": "--map", "agent": "AGENT", "memory": "--memory/--no-memory"}
    wrong = [flags.get(name, f"--{name.replace('_', '-')}") for name in _without_none(given)]
    if wrong:
        raise UsageError(
            f"--resume takes agent, data and settings from the run, so leave out {', '.join(wrong)}; "
            f"only {ANEW} may be given anew"
        )


def _resume(name: str, caps: caps.Caps, where: executors.Where, record: Path | None, as_json: bool) -> None:
    from agentsym.cli.agents import find_agent
    from agentsym.cli.plan import Plan
    from agentsym.cli.run_names import run_named
    from agentsym.cli.training import train
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
    raise typer.Exit(train(plan, found, caps, where, resume=info.id, record=record, as_json=as_json))


def _listed(models: str | None) -> list[str]:
    """Read model strings with commas between them."""
    names = [] if models is None else [name.strip() for name in models.split(",")]
    if "" in names:
        raise UsageError(f"--models {models}: a name is missing; write them with one comma between two, as in A,B")
    return names


def _without_none(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
