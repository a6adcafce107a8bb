"""What happens around every request: its head is checked, its token found, its errors told, its end counted.

It is plain ASGI, since a wrapper that makes request and response objects would cost each request as much again.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentsym.deploy.server.auth import Doorkeeper
from agentsym.deploy.server.faults import log_fault
from agentsym.deploy.server.intake import limited
from agentsym.deploy.server.metrics import Metrics
from agentsym.deploy.server.replies import Refused, refusal
from agentsym.deploy.server.settings import Settings
from agentsym.deploy.service import Service

MOST_HEADERS = 100
MOST_HEADER_BYTES = 16 * 1024
_ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_NO_STORE = (b"cache-control", b"no-store")
_CLOSE = (b"connection", b"close")


class BrokenOff(Exception):
    """A reply failed halfway; raised instead of what happened, whose text the web server would print."""


class Guard:
    """The outermost part of the app.

    Args:
        app: what is inside.
        service: whether it is stopping; then clients are told not to use their connection again.
        doorkeeper: finds out who asks.
        metrics: counts.
        settings: limits of bodies, and whether one line a request is written to stderr.
        busy: (method, path) → the route that is reached without the app's own layers; its endpoint takes the request.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        doorkeeper: Doorkeeper,
        metrics: Metrics,
        settings: Settings,
        busy: Mapping[tuple[str, str], APIRoute],
    ) -> None:
        self._app = app
        self._service = service
        self._doorkeeper = doorkeeper
        self._metrics = metrics
        self._settings = settings
        self._busy = busy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status, complete, root = 0, False, scope.get("root_path", "")

        async def noted(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_ours(message.get("headers", []), last=self._service.stopping)
            await send(message)
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            _check_head(scope)
            scope["token"] = await self._doorkeeper.admit(scope)
            body = limited(receive, scope, self._settings.max_body, self._settings.body_seconds)
            await self._handle(scope, body, noted)
        except Exception as error:
            log_fault(error)
            if not status:
                await refusal(error)(scope, receive, noted)
            elif not complete:
                raise BrokenOff from None
        finally:
            self._count(scope, _route(scope, root), status, time.perf_counter() - started)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: at once where it goes to one of the busy routes, else through the app's own layers.

        What these add to a route that only takes a request and gives a response takes longer than the route.
        """
        route = self._busy.get((scope["method"], scope["path"]))
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    def _count(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        status = status or 499  # the client went away
        self._metrics.request(route, status, seconds)
        if self._settings.access_log:
            token = scope.get("token")
            line: dict[str, Any] = {
                "at": time.time(),
                "method": scope["method"] if scope["method"].isalpha() else "?",
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 2),
                "token": None if token is None else token.id,
            }
            sys.stderr.write(json.dumps(line) + "\n")


def _route(scope: Scope, root: str) -> str:
    """Return the route that a request took, never what a client wrote: of an app below ours, where it is mounted."""
    if (mounted := scope.get("root_path", "")) != root:
        return str(mounted.removeprefix(root))
    if "endpoint" in scope and "route" not in scope and not scope.get("path_params"):
        return str(scope["path"])  # that of a plain route
    return str(getattr(scope.get("route"), "path", "other"))


def _check_head(scope: Scope) -> None:
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES:
        raise Refused(431, "headers_too_large", "the request has too many headers, or too long ones")


def _with_ours(headers: Any, *, last: bool) -> list[tuple[bytes, bytes]]:
    there = {name for name, _ in headers}
    ours = (*_ALWAYS, _NO_STORE, *((_CLOSE,) if last else ()))
    return [*headers, *(header for header in ours if header[0] not in there)]
