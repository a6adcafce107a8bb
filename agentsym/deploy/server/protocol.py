"""HTTP/1.1 with limits that uvicorn does not have: on the time and size of a request's head, and on open connections.

Without them a few clients that send a byte now and then hold all connections of the server. The parser is httptools
where it is installed, since it is faster than h11.
"""

from __future__ import annotations

import asyncio
import json
from importlib.util import find_spec
from typing import Any

from agentsym.deploy.server.settings import Settings

HEAD_BYTES = 64 * 1024  # of what has come of a head; what a whole one may have is checked by the guard
_HEAD = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
_PHRASES = {400: b"Bad Request", 408: b"Request Timeout"}


def guarded_protocol(settings: Settings) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with the limits of the settings."""
    parser: Any = _parser()

    class GuardedProtocol(parser):  # type: ignore[misc]
        """One connection."""

        _head: asyncio.TimerHandle | None = None
        _size = 0

        def connection_made(self, transport: Any) -> None:
            """Begin; a connection that is one too many is closed at once."""
            super().connection_made(transport)
            if len(self.connections) > settings.connections:
                transport.abort()
            else:
                self._expect_head()

        def connection_lost(self, exc: Exception | None) -> None:
            """End."""
            self._head_came()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            """Take what has come; the clock for a head runs from its first byte to its last."""
            if self.transport.is_closing():
                return
            super().data_received(data)
            if not self._is_idle():
                self._head_came()
                return
            self._size += len(data)
            if self._size > HEAD_BYTES:
                self._refuse(400, "invalid_http", "the head of the request is too long")
            elif self._head is None and not self.transport.is_closing():
                self._expect_head()

        def send_400_response(self, msg: str) -> None:
            """Answer what is no HTTP, and close."""
            self._refuse(400, "invalid_http", "this is no HTTP/1.1 request, or its head is too long")

        def _is_idle(self) -> bool:
            """Whether no request is being answered, so that what comes belongs to a head (or to a body left over)."""
            return self.cycle is None or self.cycle.response_complete

        def _expect_head(self) -> None:
            self._head = self.loop.call_later(settings.header_seconds, self._too_slow)

        def _head_came(self) -> None:
            self._size = 0
            if self._head is not None:
                self._head.cancel()
                self._head = None

        def _too_slow(self) -> None:
            self._head = None
            if not self.transport.is_closing():
                self._refuse(408, "too_slow", "the head of the request did not come in time")

        def _refuse(self, status: int, kind: str, message: str) -> None:
            """Send an error, if nothing else is being sent, and close."""
            self._head_came()
            if self._is_idle():
                body = json.dumps({"error": {"type": kind, "message": message, "code": kind}}).encode()
                self.transport.write(_HEAD % (status, _PHRASES[status], len(body)) + body)
            self.transport.close()

    return GuardedProtocol


def _parser() -> type[asyncio.Protocol]:
    if find_spec("httptools") is not None:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        return HttpToolsProtocol
    from uvicorn.protocols.http.h11_impl import H11Protocol

    return H11Protocol
