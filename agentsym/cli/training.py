"""Carrying out a plan: train, save the best agent however the run ended, and say what came of it.

A cap, Ctrl-C, a server that dies or a full disk end a run early; what it had reached until then is saved all the same.
"""

from __future__ import annotations

import json
import time
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agentsym.cli.screen import emit, say, told, warn
from agentsym.errors import AgentsymError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentsym.cli.agents import Found
    from agentsym.cli.caps import Caps
    from agentsym.cli.executors import Where
    from agentsym.cli.plan import Plan
    from agentsym.cli.signals import Signals
    from agentsym.learning.protocols import Row
    from agentsym.learning.run import Run
    from agentsym.runtime.executors.protocol import Executor

EXIT_CODES = {"budget": 3, "interrupted": 130, "failed": 1}


class Ended(NamedTuple):
    """How training ended: the run, rows to try the agent on, and the error that ended it (None: none)."""

    run: Run[Any]
    rows: Sequence[Row]
    error: Exception | None = None


def train(
    plan: Plan,
    found: Found,
    caps: Caps,
    where: Where,
    *,
    resume: str | None = None,
    record: Path | None = None,
    as_json: bool,
) -> int:
    """Train by a plan, or go on with a run of it, and return the exit code of how it ended.

    Args:
        plan: what was asked for.
        found: the agent.
        caps: what this process may use.
        where: where rows are run.
        resume: id of the run to go on with.
        record: the folder that all model traffic is written to.
        as_json: whether the result is written as JSON.

    Raises:
        AgentsymError: nothing was begun.
    """
    from agentsym.cli.plan import check_destination
    from agentsym.cli.report import show_report
    from agentsym.cli.signals import Signals

    check_destination(plan, found)
    began = time.monotonic()
    with Signals() as signals:
        with chdir(plan.folder):
            ended = _fit(plan, found, caps, where.executor(), resume, record, signals)
        document = _document(plan, ended, time.monotonic() - began)
        code = EXIT_CODES.get(ended.run.status, 0)
        if ended.error is not None:
            document["error"], code = told(ended.error)
        try:
            if ended.run.reached:
                _save(ended.run, plan.destination(ended.run.id), document)
        except AgentsymError as error:
            document |= {"out": None, "report": None, "next": []}
            if document["error"] is None:
                document["error"], code = told(error)
            else:
                warn(str(error))
    if as_json:
        emit(document)
    elif ended.run.reached:
        show_report(document)
    _tell(document, ended.error)
    return code


def _fit(
    plan: Plan,
    found: Found,
    caps: Caps,
    executor: Executor,
    resume: str | None,
    record: Path | None,
    signals: Signals,
) -> Ended:
    """Run the trainer, and return also a run that was interrupted or met an error."""
    from agentsym.cli.progress import Progress
    from agentsym.learning.run import Run
    from agentsym.store.store import Store

    with Store.open() as store, Progress(plan.settings.get("steps", 20)) as progress:
        trainer = plan.trainer(found, caps, store, progress, record, executor)
        rows = trainer.sets.test or trainer.sets.val or trainer.sets.train
        try:
            return Ended(signals.run(trainer.afit(resume)), rows)
        except (KeyboardInterrupt, Exception) as error:
            if progress.run_id is None:
                raise
            try:
                run = Run.load(store, progress.run_id, trainer.agent)
            except AgentsymError:
                raise error from None
            return Ended(run, rows, error if isinstance(error, Exception) else None)


def _document(plan: Plan, ended: Ended, seconds: float) -> dict[str, Any]:
    from agentsym.cli.report import next_commands, run_document
    from agentsym.cli.runs_report import NAME

    run, out = ended.run, plan.destination(ended.run.id)
    name = plan.name if Path.cwd() == Path(plan.folder) else plan.agent
    return {
        **run_document(run),
        "seconds": seconds,
        "out": str(out) if run.reached else None,
        "report": str(out / NAME) if run.reached else None,
        "error": run.reason if run.status == "failed" else None,
        "warnings": _warnings(run),
        "next": next_commands(name, out, ended.rows) if run.reached else [],
    }


def _save(run: Run[Any], out: Path, document: dict[str, Any]) -> None:
    """Write the best agent, the report as a page and as JSON."""
    from agentsym.cli.runs_report import NAME
    from agentsym.learning.report.page import page
    from agentsym.learning.report.reading import read_report
    from agentsym.store.store import Store

    try:
        run.save(out)
        with Store.open() as store:
            (out / NAME).write_text(page(read_report(store, run.id, run.first)), "utf-8")
        text = json.dumps(document, indent=2, ensure_ascii=False)
        (out / "report.json").write_text(f"{text}\n", "utf-8", errors="backslashreplace")  # half a character is escaped
    except OSError as error:
        raise AgentsymError(
            f"{out}: the best agent cannot be saved there ({error.strerror or error}); "
            f"when that is mended: agentsym optimize --resume {run.id}"
        ) from error


def _tell(document: dict[str, Any], error: Exception | None) -> None:
    """Say why a run ended early, what is saved, and how to go on."""
    again = f"agentsym optimize --resume {document['run']}"
    saved = f"what was reached is saved. To go on: {again}" if document["out"] else f"to go on: {again}"
    if isinstance(error, UsageError):  # a metric of the user's; mended, it is another one, and scores would not compare
        say(f"run {document['run']} is kept; agentsym runs show {document['run']} tells it")
    elif error is not None:
        say(saved)
    elif document["status"] == "budget":
        say(f"a cap was reached; {saved}", "bold")
    elif document["status"] == "interrupted":
        say(f"interrupted; {saved}", "bold")
    if document["error"] is not None:
        say(f"error: {document['error']}", "red")


def _warnings(run: Run[Any]) -> list[str]:
    found = []
    if run.tested is not None and run.accepted and run.tested.gain.holds_zero:
        found.append("the 95 % interval of the gain holds 0: it may be luck; more test rows would tell")
    if run.tested is not None and run.tested.rows == "val":
        found.append("there were no test rows: the scores are those on validation, which the run chose by (--test)")
    return found
