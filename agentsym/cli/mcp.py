"""`agentsym mcp`: serve agents and tools to other programs as the tools of an MCP server.

Over stdio a client starts it and talks through its stdin and stdout; over HTTP it waits for clients. Whatever it says
to a person goes to stderr.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from agentsym.cli import caps, options
from agentsym.cli.screen import say
from agentsym.errors import RunStopped, UsageError
from agentsym.learning.report.wording import count
from agentsym.network.code import shipped_folder

if TYPE_CHECKING:
    from agentsym.cli.signals import Signals
    from agentsym.deploy.mcp.offers import Offer
    from agentsym.deploy.mcp.tokens import Verify

TOKEN_ENV = "AGENTSYM_MCP_TOKEN"


def mcp(
    agents: Annotated[
        list[str] | None,
        typer.Argument(metavar="[AGENT]...", help=f"{options.AGENT_HELP} All shipped pipelines if none is given."),
    ] = None,
    tools: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="Tools of the shipped library to serve too: names, all or none (default: all, or none with AGENTs).",
        ),
    ] = None,
    student: options.Student = None,
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve over HTTP at /mcp (default: over stdin and stdout).")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Holds the token that HTTP clients must send (default: ${TOKEN_ENV})."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further name by which HTTP clients may call this machine; repeatable."),
    ] = None,
    concurrency: caps.Concurrency = None,
) -> None:
    """Serve AGENTs and tools as the tools of an MCP server."""
    from agentsym.cli.signals import Signals
    from agentsym.runtime.mcp.endpoint import require_mcp

    require_mcp()
    if http is None and (token_file is not None or allow_host):
        raise UsageError("--token-file and --allow-host are for HTTP; add --http HOST:PORT")
    wanted = Wanted(agents or [], tools, student, concurrency or caps.CONCURRENCY)
    with Signals() as signals:
        try:
            if http is not None:
                _over_http(signals, wanted, http, token_of(token_file), allow_host or [])
            else:
                _over_stdio(signals, wanted)
        except KeyboardInterrupt:
            raise typer.Exit(RunStopped.exit_code) from None


class Wanted(NamedTuple):
    """What to serve, who runs the prompt nodes, and how many calls at once."""

    agents: Sequence[str]
    tools: str | None
    student: str | None
    concurrency: int

    def offers(self) -> dict[str, Offer]:
        """Find everything and make it ready to be called.

        Raises:
            UsageError: something is not there, or two have one name.
            SandboxError: an agent holds learned code, and there is no sandbox on this machine.
        """
        from agentsym.cli.agents import check_models, find_agent, shipped_pipelines
        from agentsym.deploy.mcp.offers import distinct, offer_agent, offer_tool
        from agentsym.network.tool import load_tool
        from agentsym.runtime.session import Session

        found = [find_agent(name) for name in self.agents or shipped_pipelines()]
        session: Session | None = None
        turns = asyncio.Semaphore(self.concurrency)
        offers: list[Offer] = []
        for agent in found:
            name = check_models(agent, self.student)
            session = session or Session(name, concurrency=self.concurrency)
            offers.append(offer_agent(agent.agent, session, turns))
        return distinct([*offers, *(offer_tool(load_tool(name)) for name in self._tools())])

    def _tools(self) -> list[str]:
        chosen = self.tools or ("none" if self.agents else "all")
        if chosen == "all":
            return sorted(file.stem for file in shipped_folder("tools").glob("*.py"))
        return [] if chosen == "none" else [name.strip() for name in chosen.split(",") if name.strip()]


def _over_stdio(signals: Signals, wanted: Wanted) -> None:
    from agentsym.deploy.mcp.server import server_of
    from agentsym.deploy.mcp.stdio import Wire, serve_stdio

    wire = Wire()  # before an agent's file is imported, which may print

    signals.run(serve_stdio(server_of(wanted.offers()), wire))


def _over_http(signals: Signals, wanted: Wanted, place: str, verify: Verify | None, names: Sequence[str]) -> None:
    from agentsym.deploy.listener import listen
    from agentsym.deploy.mcp.http import PATH, app_of, check_open, read_address, serve_http
    from agentsym.deploy.mcp.server import server_of

    address = read_address(place)
    check_open(address, verify, names)
    with listen(*address) as sock:
        offers = wanted.offers()
        app = app_of(server_of(offers), address.host, verify, names)
        at = address._replace(port=sock.getsockname()[1])
        asks = "; clients must send the token" if verify else ""
        say(f"serving {count(len(offers), 'tool')} at http://{at}{PATH}{asks} (Ctrl-C ends it): {', '.join(offers)}")
        signals.run(serve_http(app, sock))


def token_of(file: Path | None) -> Verify | None:
    """Return what knows the token of a file, else of the environment; None where neither is given.

    Raises:
        UsageError: the file cannot be read, or what is given is no token.
    """
    from agentsym.deploy.mcp.tokens import single_token

    if file is not None:
        try:
            return single_token(file.expanduser().read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--token-file {file}: it cannot be read ({error})") from error
        except UsageError as error:
            raise UsageError(f"--token-file {file}: {error}") from None
    if (given := os.environ.get(TOKEN_ENV)) is None:
        return None
    try:
        return single_token(given.strip())
    except UsageError as error:
        raise UsageError(f"{TOKEN_ENV}: {error}") from None
