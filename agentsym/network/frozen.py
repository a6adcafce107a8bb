"""What learning may not touch: frozen parameters, and code that no person has put into the agent.

`apply` asks these guards after every single edit, so no combination of operations can get around them.
"""

from __future__ import annotations

from agentsym.errors import NetworkError
from agentsym.network.code import CodeRef
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, AnyNode, FunctionNode, Tool, ToolNode
from agentsym.network.parameters import Parameter
from agentsym.network.remote import RemoteRef


def frozen_parameters(network: Network) -> dict[str, Parameter]:
    """Return the parameters that are not learnable and say something (an empty one may go)."""
    return {
        path: parameter
        for path, parameter in network.parameters().items()
        if not parameter.learnable and parameter.content not in ("", [], None)
    }


def require_frozen_kept(before: Network, after: Network) -> None:
    """Raise where a frozen parameter is gone or is not the same in value, limits and `learnable`."""
    now = after.parameters()
    for path, parameter in frozen_parameters(before).items():
        if path not in now:
            raise NetworkError(f"it would remove {path}, which is frozen; leave it in place, or unfreeze it first")
        if now[path] != parameter:
            raise NetworkError(f"it would change {path}, which is frozen; leave it alone, or unfreeze it first")


def require_not_last_user(network: Network, node_id: str, tool: str) -> None:
    """Raise where detaching a tool with frozen parameters would leave it to nobody."""
    users = [node.id for node in network.nodes if tool in getattr(node, "tools", ())]
    frozen = [path for path in frozen_parameters(network) if path.startswith(f"{tool}/")]
    if users == [node_id] and frozen:
        raise NetworkError(f"no node would have {frozen[0]} any more, which is frozen; leave the tool attached")


def require_no_foreign_code(network: Network, holder: AnyNode | Tool) -> None:
    """Raise where a written edit would bring code into our process that nobody has put into this agent.

    A reference is fine if the agent has it already, if it is to the shipped library, or if the living object
    is attached to it, which only a person's program can do.
    """
    known = {code.ref for item in (*network.nodes, *network.tools) for code, _ in code_of(item)}
    for code, is_live in code_of(holder):
        if not (is_live or code.ref in known or code.ref.startswith("shipped:")):
            raise NetworkError(
                f"it refers to code that is not in this agent ({code.ref}); give the source as a code "
                "parameter, or let a person apply it with force=True"
            )


def code_of(holder: AnyNode | Tool) -> list[tuple[CodeRef | RemoteRef, bool]]:
    """Return the code references of a node or tool, each with whether the living object is attached to it."""
    match holder:
        case ToolNode():
            return code_of(holder.tool)
        case Tool():
            return [(holder.code_ref, holder._function is not None)] if holder.code_ref else []
        case FunctionNode():
            return [(holder.code_ref, holder._target is not None)]
        case AgentNode():
            return [ref for inner in (*holder.agent.nodes, *holder.agent.tools) for ref in code_of(inner)]
        case _:
            return []
