"""What an MCP server offers, as tools of an agent: `mcp_tools("stdio:python server.py")`.

A tool made here is plain data with an address in it; it is looked up again wherever the agent is run.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from agentsym.errors import NodeError, UsageError
from agentsym.network.fields import FIELD_NAME, Field
from agentsym.network.parameters import Text
from agentsym.network.remote import RemoteRef
from agentsym.network.tool import Tool
from agentsym.runtime.loop import run_sync
from agentsym.runtime.mcp.connection import connections
from agentsym.runtime.mcp.endpoint import Endpoint, endpoint_of
from agentsym.runtime.mcp.remote import RemoteFunction, schema_hash
from agentsym.runtime.mcp.results import field_type, result_field

if TYPE_CHECKING:
    import mcp_types as types


def mcp_tools(
    server: str,
    *,
    token_env: str | None = None,
    env: Iterable[str] = (),
    prefix: str = "",
    timeout_s: float = 30.0,
) -> dict[str, Tool]:
    """Return the tools of an MCP server by the names that it gives them.

    Each is a `Tool` for a `ToolNode` or for the `tools` of a `PromptNode`. Its `effect` is `read` where the server says
    that the tool only reads, else `write`. A tool with a required argument whose name is no identifier is left out,
    with a warning; optional ones of such names cannot be given.

    Args:
        server: `stdio:COMMAND` (started in the working directory, and ended with the session), or a URL of a server
            that speaks streamable HTTP. It is saved with the agent and must hold no secret.
        token_env: the environment variable that holds the token for a URL.
        env: environment variables that a command is given; of itself it gets few (`PATH`, `HOME` and the like).
        prefix: put before the tools' names in the agent, to tell apart equal names of several servers.
        timeout_s: seconds after which a call is given up.

    Raises:
        UsageError: the address is none, the server cannot be reached, or the package for it is not installed.
    """
    return run_sync(amcp_tools(server, token_env=token_env, env=env, prefix=prefix, timeout_s=timeout_s))


async def amcp_tools(
    server: str,
    *,
    token_env: str | None = None,
    env: Iterable[str] = (),
    prefix: str = "",
    timeout_s: float = 30.0,
) -> dict[str, Tool]:
    """Return the tools of an MCP server; see `mcp_tools`. The connection is kept for the calls of the running loop."""
    endpoint = endpoint_of(server, token_env, env)
    try:
        connection = await connections().get(endpoint)
    except NodeError as error:
        raise UsageError(str(error)) from error
    made = {name: _tool(offered, endpoint, prefix, timeout_s) for name, offered in connection.tools.items()}
    return {name: tool for name, tool in made.items() if tool is not None}


def _tool(offered: types.Tool, endpoint: Endpoint, prefix: str, timeout_s: float) -> Tool | None:
    schema = offered.input_schema
    needed = schema.get("required", ())
    properties: Mapping[str, Any] = schema.get("properties", {})
    usable = {name: item for name, item in properties.items() if re.fullmatch(FIELD_NAME, name)}
    if lost := [name for name in needed if name not in usable]:
        warnings.warn(
            f"MCP server {endpoint.server}: {offered.name} is left out, since it needs arguments that cannot be fields "
            f"of an agent: {', '.join(map(repr, lost))}",
            stacklevel=2,
        )
        return None
    effect: Literal["read", "write"] = "write"
    if offered.annotations is not None and offered.annotations.read_only_hint:
        effect = "read"
    ref = RemoteRef(
        server=endpoint.server,
        tool=offered.name,
        sha256=schema_hash(offered),
        token_env=endpoint.token_env,
        env=endpoint.env,
        input_schema={**schema, "properties": usable},
    )
    made = Tool(
        name=_name(f"{prefix}{offered.name}"),
        arguments=tuple(_argument(name, item, name in needed) for name, item in usable.items()),
        returns=result_field(offered.output_schema),
        code_ref=ref,
        effect=effect,
        timeout_s=timeout_s,
        parameters={"description": Text(offered.description or "", role="tells the model when to call the tool")},
    )
    made._function = RemoteFunction(ref, may_repeat=effect != "write")  # a person's program has put it there
    return made


def _argument(name: str, schema: Any, required: bool) -> Field:
    said = schema.get("description") if isinstance(schema, Mapping) else None
    return Field(
        name=name, type=field_type(schema), description=said if isinstance(said, str) else "", required=required
    )


def _name(name: str) -> str:
    """Return a name that an agent's tool can have: letters, digits, - and _, a letter first, at most 64."""
    legal = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return (legal if legal[:1].isalpha() else f"t_{legal}")[:64]
