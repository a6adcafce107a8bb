"""What happens around every request: its head is checked, its token found, its errors told, its end counted.

It is plain ASGI, since a wrapper that makes request and response objects would cost each request as much again.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentsym.deploy.server.auth import Doorkeeper
from agentsym.deploy.server.intake import limited
from agentsym.deploy.server.metrics import Metrics
from agentsym.deploy.server.replies import Refused, described, refusal
from agentsym.deploy.server.settings import Settings
from agentsym.deploy.service import Service
from agentsym.errors import AgentsymError

MOST_HEADERS = 100
MOST_HEADER_BYTES = 16 * 1024
_ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_NO_STORE = (b"cache-control", b"no-store")
_CLOSE = (b"connection", b"close")

log = logging.getLogger("agentsym.serve")


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
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_ours(message.get("headers", []), last=self._service.stopping)
            await send(message)

        try:
            _check_head(scope)
            scope["token"] = await self._doorkeeper.admit(scope)
            body = limited(receive, scope, self._settings.max_body, self._settings.body_seconds)
            await self._handle(scope, body, noted)
        except Exception as error:
            _tell(error)
            if status:
                raise
            await refusal(error)(scope, receive, noted)
        finally:
            self._count(scope, status, time.perf_counter() - started)

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

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
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


def _check_head(scope: Scope) -> None:
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES:
        raise Refused(431, "headers_too_large", "the request has too many headers, or too long ones")


def _with_ours(headers: Any, *, last: bool) -> list[tuple[bytes, bytes]]:
    there = {name for name, _ in headers}
    ours = (*_ALWAYS, _NO_STORE, *((_CLOSE,) if last else ()))
    return [*headers, *(header for header in ours if header[0] not in there)]


def _tell(error: Exception) -> None:
    """Log what is the server's own fault, without its text, which may hold what a person wrote."""
    status, _, _ = described(error)
    if status < 500 or isinstance(error, AgentsymError):
        return
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("a request failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
