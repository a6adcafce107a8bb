"""References to tools that live on MCP servers: where the server is, and what its tool looked like when last seen.

They are data, so an agent with such tools is saved, compared and reviewed like any other; `runtime/mcp/` talks to the
servers.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field as Bounded

from agentsym.network.canonical import Frozen, FrozenDict, Json

EnvName = Annotated[str, Bounded(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class RemoteRef(Frozen):
    """Where a tool lives. Secrets are no part of it: they are named by the environment variables that hold them.

    Attributes:
        server: `stdio:COMMAND`, or the URL of a server that speaks streamable HTTP.
        tool: the name that the server gives it.
        sha256: of the schemas of its arguments and result when it was last seen.
        token_env: the variable whose value an HTTP server gets as bearer token.
        env: the variables that the process of a command is given; it gets few others.
        input_schema: the JSON schema of its arguments, which a model is shown.
    """

    server: Annotated[str, Bounded(pattern=r"^(stdio:\s*\S.*|https?://\S+)$")]
    tool: Annotated[str, Bounded(pattern=r"^[A-Za-z0-9_./-]{1,128}$")]
    sha256: str
    token_env: EnvName | None = None
    env: tuple[EnvName, ...] = ()
    input_schema: Json = FrozenDict()

    @property
    def ref(self) -> str:
        """The reference in one line: all that decides what is called, and which secrets it is handed."""
        names = [*self.env, *([self.token_env] if self.token_env else [])]
        return f"{self.server}#{self.tool}" + (f" with {', '.join(names)}" if names else "")

    @property
    def can_be_saved(self) -> bool:
        """Whether another process can find the tool: always, since its address is all that is needed."""
        return True
