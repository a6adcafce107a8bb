"""Where an MCP server is and how it is reached: as a process of ours, or over HTTP.

Secrets are read from the environment when a connection is made; they are part of no value here.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from yarl import URL

from agentsym.errors import UsageError
from agentsym.models.http_sessions import proxy_of
from agentsym.models.secrets import scrub

if TYPE_CHECKING:
    from mcp.client import Transport

_STDIO = "stdio:"
_CONNECT_S = 10.0


class Endpoint(NamedTuple):
    """What a connection is made from; equal ones share it.

    Attributes:
        server: `stdio:COMMAND`, or a URL.
        token_env: the variable that holds the token for a URL; None for none.
        env: the variables that the process of a command is given.
    """

    server: str
    token_env: str | None = None
    env: tuple[str, ...] = ()


def require_mcp() -> None:
    """Raise UsageError where the package that speaks the protocol is not installed."""
    if importlib.util.find_spec("mcp") is None:
        raise UsageError('MCP needs a package that is not installed: pip install "agentsym[mcp]"')


def endpoint_of(server: str, token_env: str | None = None, env: Iterable[str] = ()) -> Endpoint:
    """Check what a person wrote of a server and return it.

    Raises:
        UsageError: it is neither a command nor a URL, it holds a secret, or a variable has no use there.
    """
    made = Endpoint(server, token_env, tuple(env))
    if scrub(server) != server:
        raise UsageError(
            f"MCP server {scrub(server)}: keep secrets out of the address, since agents are saved with it; put them "
            'into environment variables and name these: token_env="NAME" for a URL, env=["NAME"] for a command'
        )
    if server.startswith(_STDIO):
        if token_env:
            raise UsageError(f"MCP server {server}: token_env is for URLs; a command gets variables by env=[…]")
        _command(server)
    elif server.startswith(("http://", "https://")) and URL(server).host:
        if made.env:
            raise UsageError(f"MCP server {server}: env is for commands; a URL gets its token by token_env=")
    else:
        raise UsageError(
            f"MCP server {server!r}: write stdio:COMMAND, for example stdio:python server.py, or a URL, for example "
            "http://127.0.0.1:8000/mcp"
        )
    return made


def _command(server: str) -> list[str]:
    """Return the words of a command.

    Raises:
        UsageError: a quote is not closed, or there is nothing.
    """
    try:
        words = shlex.split(server.removeprefix(_STDIO))
    except ValueError as error:
        raise UsageError(f"MCP server {server}: its command cannot be read ({error})") from error
    if not words:
        raise UsageError(f"MCP server {server!r}: there is no command behind {_STDIO}")
    return words


def _value_of(name: str, endpoint: Endpoint) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(f"MCP server {endpoint.server}: the environment variable {name} is not set, and it needs it")
    return value


@asynccontextmanager
async def transport(endpoint: Endpoint, answered: Callable[[int], None]) -> AsyncIterator[Transport]:
    """Give the SDK's transport to a server; `answered` is told the status of every HTTP answer.

    Raises:
        UsageError: a variable that it needs is not set.
    """
    from mcp import StdioServerParameters, stdio_client

    if endpoint.server.startswith(_STDIO):
        command, *words = _command(endpoint.server)
        env = {name: _value_of(name, endpoint) for name in endpoint.env}
        with _stderr() as errors:
            yield stdio_client(StdioServerParameters(command=command, args=words, env=env), errlog=errors)
        return
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async def note(response: httpx2.Response) -> None:
        answered(response.status_code)

    proxy = proxy_of(URL(endpoint.server))
    token = _value_of(endpoint.token_env, endpoint) if endpoint.token_env else None
    async with httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=httpx2.Timeout(None, connect=_CONNECT_S),  # how long a call may take is the tool's own matter
        limits=httpx2.Limits(max_connections=None),
        proxy=None if proxy is None else str(proxy),
        trust_env=False,  # or a proxy of the environment would be asked for this machine itself
        event_hooks={"response": [note]},
    ) as client:
        yield streamable_http_client(endpoint.server, http_client=client)


@contextmanager
def _stderr() -> Iterator[TextIO]:
    """Give our stderr for what a server's process says, or nowhere if ours is no file (in a notebook)."""
    try:
        sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        with Path(os.devnull).open("w") as nowhere:
            yield nowhere
    else:
        yield sys.stderr
