"""`agentsym diff`: what is different between two agents, edit by edit, for a person to review."""

from __future__ import annotations

from typing import Annotated

import typer

from agentsym.cli.screen import screen

STYLES = {"+": "green", "-": "red", "~": "cyan"}


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="An agent, as for the other commands.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one.", show_default=False)],
) -> None:
    """Show what must change in A to become B."""
    from agentsym.cli.agents import find_agent
    from agentsym.network.diff import diff as compare

    console = screen()
    for line in compare(find_agent(first).agent, find_agent(second).agent).text().splitlines():
        console.print(line, style=STYLES.get(line.lstrip()[:1]), soft_wrap=True)
