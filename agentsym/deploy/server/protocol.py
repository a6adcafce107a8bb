"""HTTP/1.1 with limits that uvicorn does not have: on the time that a request's head takes, and on open connections.

Without them a few clients that send a byte now and then hold all connections of the server.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from agentsym.deploy.server.settings import Settings


def guarded_protocol(settings: Settings) -> type[H11Protocol]:
    """Return uvicorn's protocol with the limits of the settings."""

    class GuardedProtocol(H11Protocol):
        """One connection."""

        _head: asyncio.TimerHandle | None = None

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
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._head_came()
            elif self._head is None and not self.transport.is_closing():
                self._expect_head()

        def handle_websocket_upgrade(self, event: Any) -> None:
            """There are no web sockets here."""
            self.send_400_response("there are no web sockets here")

        def send_400_response(self, msg: str) -> None:
            """Answer what is no HTTP, and close."""
            self._answer(400, "invalid_http", "this is no HTTP/1.1 request, or its head is too long")

        def _expect_head(self) -> None:
            self._head = self.loop.call_later(settings.header_seconds, self._too_slow)

        def _head_came(self) -> None:
            if self._head is not None:
                self._head.cancel()
                self._head = None

        def _too_slow(self) -> None:
            self._head = None
            if not self.transport.is_closing():
                self._answer(408, "too_slow", "the head of the request did not come in time")

        def _answer(self, status: int, kind: str, message: str) -> None:
            """Send an error, if nothing else is being sent, and close."""
            self._head_came()
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                body = json.dumps({"error": {"type": kind, "message": message, "code": kind}}).encode()
                headers = [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(body)).encode()),
                    (b"connection", b"close"),
                ]
                head = h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status])
                for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                    self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

    return GuardedProtocol
