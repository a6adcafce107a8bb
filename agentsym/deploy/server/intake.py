"""The intake of a request's body: its bytes are counted and its time is measured as they come.

So neither a missing nor a false `Content-Length`, nor a client that sends a byte now and then, gets past; and it holds
for every route, those of further parts too.
"""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope

from agentsym.deploy.server.replies import Refused

_CLOSE = {"connection": "close"}  # what is still to come of the body is not read


def limited(receive: Receive, scope: Scope, most: int, seconds: float) -> Receive:
    """Return what hands on a body of at most so many bytes, if it comes within so many seconds.

    Raises:
        Refused: the length that the client announces is too large already; later, when what comes is too large or late.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > most:
            raise _too_large(most)
    size, whole = 0, False
    end: float | None = None

    async def received() -> Message:
        nonlocal size, whole, end
        if whole:
            return await receive()  # waits for the client to go away
        clock = asyncio.get_running_loop().time
        end = clock() + seconds if end is None else end
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError:
            raise Refused(408, "too_slow", f"the body did not come within {seconds:g} seconds", _CLOSE) from None
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if size > most:
            raise _too_large(most)
        return message

    return received


def _too_large(most: int) -> Refused:
    return Refused(413, "too_large", f"the body is larger than {most} bytes", _CLOSE)
