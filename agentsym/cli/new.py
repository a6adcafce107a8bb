"""`agentsym new`: begin with a shipped pipeline, as a folder of one's own that can be changed and trained."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from agentsym.cli.screen import screen
from agentsym.errors import UsageError


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The folder to make.", show_default=False)],
    source: Annotated[
        str, typer.Option("--from", metavar="PIPELINE", help="The shipped pipeline to copy.", show_default=False)
    ],
) -> None:
    """Copy a shipped pipeline into ./NAME."""
    from agentsym.cli.agents import shipped_pipelines
    from agentsym.network.code import shipped_folder

    known = shipped_pipelines()
    if source not in known:
        raise UsageError(f"there is no shipped pipeline {source!r}; there are: {', '.join(known)}")
    target = Path(name).expanduser()
    if target.exists() or target.is_symlink():
        raise UsageError(f"{name} is there already and stays as it is; choose another name")
    try:
        shutil.copytree(shipped_folder("pipelines") / source, target, ignore=shutil.ignore_patterns("__pycache__"))
    except OSError as error:
        raise UsageError(f"{name} cannot be made: {error.strerror or error}") from error
    console, quoted = screen(), shlex.quote(name)
    console.print(f"{name} is a copy of {source}: agent.py is the agent, data/ its rows", soft_wrap=True)
    console.print("next:", style="bold")
    for command in (f"agentsym show {quoted}", f"agentsym optimize {quoted} --dry-run", f"agentsym optimize {quoted}"):
        console.print(f"  {command}", soft_wrap=True)
