"""Offers as an MCP server of the SDK's: it lists them, calls them, tells of progress, and turns failures into words.

A call is cancelled with the request that made it. What goes wrong in one is a result that says so, since a model reads
that and can mend its arguments; the protocol's own errors are for requests that no server could answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from agentsym.deploy.mcp.offers import Offer
from agentsym.errors import AgentsymError
from agentsym.models.secrets import scrub

if TYPE_CHECKING:
    import mcp_types as types
    from mcp.server import Server
    from mcp.server.context import ServerRequestContext


def server_of(offers: Mapping[str, Offer]) -> Server[Any]:
    """Return a server for offers by name."""
    import mcp_types as types
    from mcp import MCPError
    from mcp.server import Server

    tools = [_tool(offer) for offer in offers.values()]

    async def list_tools(context: Any, page: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(context: ServerRequestContext[Any], asked: types.CallToolRequestParams) -> types.CallToolResult:
        offer = offers.get(asked.name)
        if offer is None:
            known = ", ".join(offers)
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {asked.name!r} here; there are: {known}")
        try:
            result = await _call(offer, asked.arguments or {}, context)
        except AgentsymError as error:
            return types.CallToolResult(content=[_text(scrub(str(error)))], is_error=True)
        return types.CallToolResult(content=[_text(_written(result))], structured_content=result)

    return Server("agentsym", version=version("agentsym"), on_list_tools=list_tools, on_call_tool=call_tool)


async def _call(offer: Offer, arguments: Mapping[str, Any], context: ServerRequestContext[Any]) -> dict[str, Any]:
    """Make a call and report each step to a client that has asked for that."""
    steps: asyncio.Queue[str | None] = asyncio.Queue()

    async def report() -> None:
        done = 0
        while (node := await steps.get()) is not None:
            done += 1
            await context.session.report_progress(done, message=node)

    reporting = asyncio.create_task(report())
    try:
        result = await offer.call(arguments, steps.put_nowait)
        steps.put_nowait(None)
        await reporting  # no progress may come behind the answer
        return result
    finally:
        reporting.cancel()


def _tool(offer: Offer) -> types.Tool:
    import mcp_types as types

    return types.Tool(
        name=offer.name,
        description=offer.description,
        input_schema=offer.takes,
        output_schema=offer.gives,
        annotations=types.ToolAnnotations(
            read_only_hint=offer.effect != "write",
            destructive_hint=offer.effect == "write",
            idempotent_hint=offer.effect == "pure",
            open_world_hint=offer.effect != "pure",
        ),
    )


def _text(text: str) -> types.TextContent:
    import mcp_types as types

    return types.TextContent(text=text)


def _written(result: Mapping[str, Any]) -> str:
    """Return a result as text, for clients that know no structured content: one text as it is, else JSON."""
    alone = next(iter(result.values())) if len(result) == 1 else result
    return alone if isinstance(alone, str) else json.dumps(result, ensure_ascii=False)
