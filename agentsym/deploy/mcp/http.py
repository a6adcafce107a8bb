"""Serving over streamable HTTP at `/mcp`: whom it answers, and how it begins and ends.

Without a token it is there for this machine only. Requests for other names than its own are refused, so that no web
page can reach it through a browser by a name that it has made point here (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from agentsym.deploy.mcp.tokens import Verifier, Verify
from agentsym.errors import UsageError

if TYPE_CHECKING:
    from mcp.server import Server
    from starlette.types import ASGIApp

PATH = "/mcp"
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_GOODBYE_S = 2


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_everywhere(self) -> bool:
        """Whether it stands for all addresses of this machine."""
        return self.host in ("0.0.0.0", "::")

    def __str__(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"


def read_address(text: str) -> Address:
    """Read `HOST:PORT`.

    Raises:
        UsageError: it is none.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isdecimal() and int(port) < 1 << 16):
        raise UsageError(f"--http {text}: it must read HOST:PORT, for example 127.0.0.1:8765")
    return Address(host, int(port))


def check_open(address: Address, verify: Verify | None, names: Sequence[str]) -> None:
    """Refuse to listen where strangers can call, or under names that nobody knows.

    Raises:
        UsageError: no token is wanted on an address that others can reach, or that needs names and has none.
    """
    if verify is None and not address.is_loopback:
        raise UsageError(
            f"--http {address}: others than this machine can reach this address, so a token is needed: put one into "
            "a file and name it by --token-file, or set AGENTSYM_MCP_TOKEN"
        )
    if address.is_everywhere and not names:
        raise UsageError(
            f"--http {address}: this is every address of the machine; say by which names it is called, with "
            "--allow-host NAME, for example --allow-host agents.example.org"
        )


def app_of(server: Server[Any], host: str, verify: Verify | None, names: Sequence[str] = ()) -> ASGIApp:
    """Return the ASGI application of a server.

    Args:
        server: the server.
        host: where it listens.
        verify: knows the tokens; None lets everybody in.
        names: further names by which it may be called, with `:PORT` for one port only.
    """
    from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.middleware.authentication import AuthenticationMiddleware

    called = dict.fromkeys((*_LOCAL, _bracketed(host), *map(_bracketed, names)))
    hosts = [pattern for name in called for pattern in ((name,) if _has_port(name) else (name, f"{name}:*"))]
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        host=host,
        transport_security=TransportSecuritySettings(
            allowed_hosts=hosts,
            allowed_origins=[f"{scheme}://{name}" for name in hosts for scheme in ("http", "https")],
        ),
        token_verifier=None if verify is None else Verifier(verify),
    )
    if verify is None:
        return app
    return AuthenticationMiddleware(app, backend=BearerAuthBackend(Verifier(verify)))


async def serve_http(app: ASGIApp, sock: socket.socket) -> None:
    """Serve until this task is cancelled; what is under way then is cancelled after two seconds."""
    import uvicorn

    class Quiet(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # the command line holds them already

    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GOODBYE_S,
    )
    server = Quiet(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        logging.getLogger("uvicorn.error").disabled = True  # the calls that it cancels now are no errors
        server.should_exit = True
        await serving
        raise


def _bracketed(host: str) -> str:
    """Return a host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def _has_port(name: str) -> bool:
    return ":" in name.rpartition("]")[2]
