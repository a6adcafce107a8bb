"""`agentsym runs export`: the tables of a run, for a spreadsheet, pandas or a database."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agentsym.cli import options
from agentsym.cli.run_names import RunName, run_named
from agentsym.cli.screen import emit
from agentsym.learning.report.wording import count


class Form(StrEnum):
    """The kinds of files."""

    parquet = "parquet"
    jsonl = "jsonl"
    csv = "csv"


Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="The folder that the tables go to.", show_default=False)
]
FormOption = Annotated[Form, typer.Option("--format", help="Parquet needs the extra `data`.")]


def export(run: RunName = "last", *, out: Out, form: FormOption = Form.jsonl, as_json: options.Json = False) -> None:
    """Write steps, edits, runs of rows, calls, curve and versions of a run, one file each."""
    from agentsym.learning.report.export import export as write
    from agentsym.learning.report.export import tables
    from agentsym.learning.run import Run
    from agentsym.store.store import Store

    with Store.open() as store:
        info = run_named(store, run)
        found = tables(store, Run.read(store, info.id))
    files = write(found, out.expanduser(), form.value)
    if as_json:
        rows = {name: len(table) for name, table in found.items()}
        emit({"run": info.id, "files": [str(file.absolute()) for file in files], "rows": rows})
        return
    for file, table in zip(files, found.values(), strict=True):
        typer.echo(f"{file}  {count(len(table), 'row')}")
