"""Server-sent events: what an async generator yields goes out as it comes, with signs of life in between.

A client that goes away, or that stops reading, ends the generator, and with it whatever run is behind it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PING = b": ping\n\n"
STALLED_S = 30.0  # a client that has not read what was sent after so long has gone

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def event(data: Any, name: str | None = None) -> bytes:
    """Return one event; its data is one line, as JSON without indentation is."""
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {text}\n\n".encode()


class EventStream(Response):
    """A response of server-sent events.

    Args:
        events: yields events as bytes; it tells of its errors itself.
        ping: seconds of silence after which a comment is sent.
        headers: further headers.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None], ping: float, headers: dict[str, str] | None = None) -> None:
        super().__init__(b"", 200, {**_HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._events = events
        self._ping = ping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until there are no more, or nobody to read them."""
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._events) as events:
            following = asyncio.ensure_future(anext(events, None))
            try:
                while True:
                    done, _ = await asyncio.wait((following,), timeout=self._ping)
                    chunk = following.result() if done else PING
                    if chunk is None:
                        break
                    if not await _sent(send, chunk):
                        return
                    if done:
                        following = asyncio.ensure_future(anext(events, None))
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _sent(send: Send, chunk: bytes) -> bool:
    """Send a piece and say whether the client takes it."""
    try:
        async with asyncio.timeout(STALLED_S):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except TimeoutError:
        return False
    return True


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
