"""`agentsym runs report`: a run as one HTML file that opens anywhere, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agentsym.cli import options
from agentsym.cli.run_names import RunName, run_named
from agentsym.cli.screen import emit, say
from agentsym.learning.report.wording import count

NAME = "report.html"

Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="The file (default: report.html in the run's folder).", show_default=False
    ),
]


def report(run: RunName = "last", out: Out = None, as_json: options.Json = False) -> None:
    """Write a run as one HTML page: scores, changes, failures, versions, costs and prompts."""
    from agentsym.learning.report.page import write
    from agentsym.learning.report.reading import read_report
    from agentsym.store.store import Store

    with Store.open() as store:
        found = read_report(store, run_named(store, run).id)
    file = write(found, place(found.info.id, found.run.config) if out is None else out.expanduser())
    if as_json:
        emit({"run": found.info.id, "file": str(file.absolute()), "bytes": file.stat().st_size})
    else:
        typer.echo(str(file))
        say(f"{count(len(found.steps), 'step')}; open it with a browser")


def place(run_id: str, config: dict[str, Any]) -> Path:
    """Return the default file: in the folder that the run's best agent went to, else in `runs/ID` here."""
    from agentsym.cli.plan import Plan

    origin = config.get("origin")
    folder = Plan.model_validate(origin).destination(run_id) if origin else Path("runs") / run_id
    return (folder if folder.is_dir() else Path("runs") / run_id) / NAME
