"""The arguments and flags that several commands share, so that each reads and behaves the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentsym.errors import UsageError

AGENT_HELP = "A folder, a YAML file, file.py:name, module:name, or a shipped pipeline's name."

AgentName = Annotated[str, typer.Argument(metavar="AGENT", help=AGENT_HELP, show_default=False)]
Student = Annotated[
    str | None, typer.Option(metavar="MODEL", help="The model that runs the prompt nodes (default: embedded).")
]
Metric = Annotated[str | None, typer.Option(metavar="NAME", help="exact, f1 or file.py:function (default: exact).")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=FIELD", help="Take a field from a column of another name; repeatable."),
]
Label = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that holds the agent's one label.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]

Deployed = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="The deployment (default: the agent's name, or the only one)."),
]
StorePlace = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help="The store: a file or a URL (default: AGENTSYM_STORE, else agentsym.db in your data folder).",
    ),
]


def columns_of(maps: list[str] | None) -> dict[str, str]:
    """Return column → field from the values of `--map`.

    Raises:
        UsageError: a value is not of the form COLUMN=FIELD.
    """
    columns: dict[str, str] = {}
    for item in maps or ():
        column, equals, field = item.partition("=")
        if not (column and equals and field):
            raise UsageError(f"--map {item}: it must read COLUMN=FIELD, for example --map text=message")
        columns[column] = field
    return columns


def absolute(path: Path | str | None) -> str | None:
    """Return a path that is good from any working directory."""
    return None if path is None else str(Path(path).expanduser().absolute())


def absolute_metric(metric: str | None) -> str | None:
    """Return a metric whose file, if it has one, is good from any working directory."""
    file, colon, name = (metric or "").rpartition(":")
    return f"{absolute(file)}:{name}" if colon and file.endswith(".py") else metric
