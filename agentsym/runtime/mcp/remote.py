"""Calling a tool of an MCP server as if it were a function.

A connection that breaks is made anew once; a tool that changes the world is not called twice, though, when nobody knows
whether the first call has reached it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from agentsym.errors import NodeError
from agentsym.models.secrets import excerpt
from agentsym.network.canonical import content_hash
from agentsym.network.remote import RemoteRef
from agentsym.runtime.mcp.connection import Connection, ServerGone, connections
from agentsym.runtime.mcp.endpoint import Endpoint, require_mcp
from agentsym.runtime.mcp.results import text_of, value_of

if TYPE_CHECKING:
    import mcp_types as types

_LONGEST = 2_000  # characters of what a server says of an error


class RemoteFunction:
    """A tool of an MCP server; calls of one event loop share the connection to it.

    Args:
        ref: where it is.
        may_repeat: whether a call that may have reached the server may be made again.

    Raises:
        UsageError: the package that speaks the protocol is not installed.
    """

    def __init__(self, ref: RemoteRef, *, may_repeat: bool) -> None:
        require_mcp()
        self._ref = ref
        self._endpoint = Endpoint(ref.server, ref.token_env, ref.env)
        self._may_repeat = may_repeat

    async def __call__(self, **arguments: Any) -> Any:
        """Return the tool's result as plain data.

        Raises:
            NodeError: the tool failed, the server has no such tool, or it cannot be reached.
        """
        connection = await connections().get(self._endpoint)
        try:
            return await self._call(connection, arguments)
        except ServerGone as gone:
            if not (self._may_repeat or gone.unsent):
                raise NodeError(
                    f"{gone}, during a call of {self._ref.tool}; whether that was done nobody knows, and since it may "
                    "change something it is not called again"
                ) from gone
        connection = await connections().get(self._endpoint)
        try:
            return await self._call(connection, arguments)
        except ServerGone as gone:
            raise NodeError(f"{gone}, at both of two calls of {self._ref.tool}") from gone

    async def _call(self, connection: Connection, arguments: dict[str, Any]) -> Any:
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST

        offered = self._offered(connection)
        client = await connection.client()
        try:
            result = await client.call_tool(self._ref.tool, arguments)
        except MCPError as error:
            if connection.ended or error.code == CONNECTION_CLOSED:
                raise await connection.lost() from error
            if error.code == INVALID_REQUEST and error.message == "Session terminated":
                gone = await connection.lost()  # the server was started anew, and refuses what it does not know
                gone.unsent = True
                raise gone from error
            raise self._failed(error.message) from error
        except (RuntimeError, ValueError) as error:  # the result is not what the server has promised
            raise self._failed(str(error)) from error
        if result.is_error:
            raise self._failed(text_of(result) or "it failed without saying why")
        return value_of(result, offered.output_schema)

    def _offered(self, connection: Connection) -> types.Tool:
        """Return what the server says of the tool; warns, once a connection, if that is not what was saved."""
        offered = connection.tools.get(self._ref.tool)
        if offered is None:
            known = ", ".join(sorted(connection.tools)) or "none"
            raise NodeError(f"MCP server {self._ref.server} has no tool {self._ref.tool!r} (any more); it has: {known}")
        found = schema_hash(offered)
        if found != self._ref.sha256 and self._ref.ref not in connection.warned:
            connection.warned.add(self._ref.ref)
            warnings.warn(
                f"{self._ref.ref} has changed since the agent was saved: its schema was {self._ref.sha256[:12]}, "
                f"it is {found[:12]} now",
                stacklevel=2,
            )
        return offered

    def _failed(self, message: str) -> NodeError:
        return NodeError(f"{self._ref.tool} of MCP server {self._ref.server}: {excerpt(message, _LONGEST)}")


def schema_hash(tool: types.Tool) -> str:
    """Return the SHA-256 of what a tool takes and gives; its description is a weight of the agent's own."""
    return content_hash([tool.input_schema, tool.output_schema])
