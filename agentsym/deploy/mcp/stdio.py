"""Serving over stdin and stdout: they belong to the protocol alone, from before anybody's code is imported.

What else writes to stdout (a `print` in an agent's file, a child process) goes to stderr, and children read nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp.server import Server

_CHUNK = 1 << 16


class Wire:
    """The two streams that were stdin and stdout when it was made."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._in, self._out = os.dup(0), os.dup(1)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        try:
            os.dup2(2, 1)
        except OSError:  # stderr is closed
            os.dup2(nowhere, 1)
        os.close(nowhere)

    async def lines(self) -> AsyncIterator[str]:
        """Yield the lines that come in, until the end.

        They are read in a thread that ends with the process: the SDK's own reader cannot be stopped before there is
        something to read, so Ctrl-C would wait for the client.
        """
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[str | None]()

        def hand_over(line: str | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody wants it
                loop.call_soon_threadsafe(lines.put_nowait, line)

        threading.Thread(target=self._read, args=(hand_over,), name="stdin", daemon=True).start()
        while (line := await lines.get()) is not None:
            yield line

    def _read(self, hand_over: Callable[[str | None], None]) -> None:
        rest = b""
        while chunk := os.read(self._in, _CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                hand_over(line.decode("utf-8", "replace"))
        if rest:
            hand_over(rest.decode("utf-8", "replace"))
        hand_over(None)

    def writer(self) -> TextIOWrapper:
        """Return the stream for what goes out."""
        return TextIOWrapper(os.fdopen(self._out, "wb", closefd=False), encoding="utf-8", newline="\n")


async def serve_stdio(server: Server[Any], wire: Wire) -> None:
    """Serve one client until its end of the wire is closed."""
    import anyio
    from mcp.server.stdio import stdio_server

    lines: Any = wire.lines()
    out = anyio.wrap_file(wire.writer())
    async with stdio_server(stdin=lines, stdout=out) as (read, write):
        await server.run(read, write, server.create_initialization_options())
