"""From a stored version back to a living agent: plain JSON holds no functions, so a relative lends them.

Versions of one run differ in weights and structure, never in the user's code; what a reference pointed to in one of
them it points to in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, AnyNode, FunctionNode, PromptNode, Tool, ToolNode

N = TypeVar("N", bound=Network)


def revive(relative: N, plain: Mapping[str, Any]) -> N:
    """Return the network of `plain` (a `model_dump`), with the live code that `relative` holds for its references.

    Raises:
        NetworkError: the content is no legal network.
    """
    network = type(relative).model_validate(plain)
    for holder, attribute in _holders(network):
        for known, known_attribute in _holders(relative):
            if known.code_ref is not None and known.code_ref == holder.code_ref:
                setattr(holder, attribute, getattr(known, known_attribute))
                holder._folder = known._folder
    return network


def _holders(network: Network) -> Iterator[tuple[Tool | FunctionNode, str]]:
    """Yield everything that refers to code, with the attribute that holds the live object."""
    for tool in network.tools:
        yield tool, "_function"
    for node in network.nodes:
        yield from _in_node(node)


def _in_node(node: AnyNode) -> Iterator[tuple[Tool | FunctionNode, str]]:
    match node:
        case ToolNode():
            yield node.tool, "_function"
        case FunctionNode():
            yield node, "_target"
        case AgentNode():
            yield from _holders(node.agent)
        case PromptNode():
            yield from ()
