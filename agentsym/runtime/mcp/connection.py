"""Connections to MCP servers: one a server and event loop, opened at first use and kept for all calls.

Nobody closes them; a loop's own shutdown ends what it has opened. Each lives in a task of its own, since the SDK's
client must be closed by the task that opened it, and callers come and go.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agentsym.errors import AgentsymError, NodeError
from agentsym.models.secrets import excerpt
from agentsym.runtime.mcp.endpoint import Endpoint, require_mcp, transport

if TYPE_CHECKING:
    import mcp_types as types
    from mcp import Client
    from mcp.client import Transport

_OPEN_S = 60.0  # a server that is installed at its first start takes its time
_PAGES = 100
_STATUS = {
    401: "it wants another token, or one at all",
    403: "it forbids this",
    404: "there is nothing at this address",
}


class ServerGone(NodeError):
    """The server ended, or the connection to it did.

    Attributes:
        unsent: whether the call surely has not reached it.
    """

    def __init__(self, message: str, *, unsent: bool = False) -> None:
        super().__init__(message)
        self.unsent = unsent


class Connection:
    """One connection, which begins to open when it is made.

    Attributes:
        tools: name → what the server says of each of its tools; when it is open.
        ended: whether no call can be made any more.
        warned: the tools of which was said that they have changed.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.tools: dict[str, types.Tool] = {}
        self.ended = False
        self.warned: set[str] = set()
        self._endpoint = endpoint
        self._client: Client | None = None
        self._failure: BaseException | None = None
        self._status = 0
        self._settled, self._stop = asyncio.Event(), asyncio.Event()
        # Of no caller's context: what the first of them traces or measures is not what the connection is for.
        self.task = asyncio.get_running_loop().create_task(self._live(), context=contextvars.Context())

    async def client(self) -> Client:
        """Return the client, once the connection is open.

        Raises:
            ServerGone: it could not be opened; says why.
        """
        await self._settled.wait()
        if self._client is None or self.ended:
            raise self.gone()
        return self._client

    def gone(self) -> ServerGone:
        """Return what is to be said of a connection that has ended."""
        import httpx2

        cause = _first(self._failure)
        if isinstance(cause, AgentsymError):
            why = str(cause)
        elif self._status >= 400:
            why = f"it answers HTTP {self._status}" + (f": {_STATUS[self._status]}" if self._status in _STATUS else "")
        elif isinstance(cause, TimeoutError):
            why = f"it was not ready after {_OPEN_S:g} seconds"
        elif isinstance(cause, httpx2.ConnectError):
            why = "nobody answers there"
        elif cause is None:
            why = "it has ended"
        else:
            why = excerpt(f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__)
        unsent = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout)
        return ServerGone(f"MCP server {self._endpoint.server}: {why}", unsent=unsent)

    async def lost(self) -> ServerGone:
        """Give up a connection that is of no use any more, and return what is to be said of it."""
        self.stop()
        await asyncio.wait([self.task])
        return self.gone()

    def stop(self) -> None:
        """Let it end; `task` is done when it has."""
        self.ended = True
        self._stop.set()

    async def _live(self) -> None:
        """Open, wait for the end, close; an error is kept, not raised: nobody waits for this task to say so."""
        from mcp import Client

        try:
            async with (
                asyncio.timeout(_OPEN_S) as patience,
                transport(self._endpoint, self._answered) as wire,
                Client(_watched(wire, self.stop)) as client,
            ):
                self.tools = await _all_tools(client)
                patience.reschedule(None)
                self._client = client
                self._settled.set()
                await self._stop.wait()
        except Exception as error:
            self._failure = error
        finally:
            self.ended = True
            self._settled.set()

    def _answered(self, status: int) -> None:
        self._status = status


class Connections:
    """The connections of this process, for any number of loops and threads."""

    def __init__(self) -> None:
        self._held: dict[asyncio.AbstractEventLoop, tuple[AsyncGenerator[None, None], dict[Endpoint, Connection]]] = {}

    async def get(self, endpoint: Endpoint) -> Connection:
        """Return the running loop's connection to a server, open; one that has ended is opened anew.

        Raises:
            ServerGone: it cannot be opened.
            UsageError: the package for it is not installed.
        """
        require_mcp()
        loop = asyncio.get_running_loop()
        if loop not in self._held:
            for closed in [other for other in list(self._held) if other.is_closed()]:
                self._held.pop(closed, None)
            keeper = self._keep(loop)
            self._held[loop] = keeper, {}
            await anext(keeper)  # does not wait: nobody comes in between
        _, opened = self._held[loop]
        connection = opened.get(endpoint)
        if connection is None or connection.ended:
            connection = opened[endpoint] = Connection(endpoint)
        await connection.client()
        return connection

    async def _keep(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
        """Hold a loop's connections until the loop shuts its asynchronous generators down."""
        try:
            yield
        finally:
            _, opened = self._held.pop(loop)
            for connection in opened.values():
                connection.stop()
            if opened:
                await asyncio.wait([connection.task for connection in opened.values()])


@lru_cache(1)
def connections() -> Connections:
    """Return the connections of this process."""
    return Connections()


async def _all_tools(client: Client) -> dict[str, types.Tool]:
    found: dict[str, types.Tool] = {}
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await client.list_tools(cursor=cursor)
        found |= {tool.name: tool for tool in page.tools}
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


@asynccontextmanager
async def _watched(wire: Transport, ended: Any) -> AsyncIterator[Any]:
    """Give the streams of a transport and call `ended` when the server's has come to its end."""
    async with wire as (read, write):
        yield _Watched(read, ended), write


class _Watched:
    """A stream of messages that tells of its end; the SDK itself tells only those who call after it."""

    def __init__(self, stream: Any, ended: Any) -> None:
        self._stream = stream
        self._ended = ended

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> _Watched:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._ended()
            raise

    async def __aenter__(self) -> _Watched:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._stream.__aexit__(*error)


def _first(error: BaseException | None) -> BaseException | None:
    """Return the first error inside groups of errors, which the SDK's task groups make of every single one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
