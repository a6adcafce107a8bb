"""What a candidate may change: the base is narrowed before learning, and what comes of it is checked by code.

Traces, feedback and edits are texts that strangers wrote; whatever they ask for, a candidate that breaks the policy is
refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

from agentsym.deploy.policy import Allowed
from agentsym.network.canonical import canonical_json
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, ToolNode
from agentsym.network.parameters import Code, Option, Parameter
from agentsym.network.tool import Tool

N = TypeVar("N", bound=Network)
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|\bwww\.|\bmailto:|\bdata:)[^\s\"'<>)\]]+", re.IGNORECASE)
_ADDRESS = re.compile(
    r"\b(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|app|ai|co|info|biz|ru|cn|xyz|top|site|link)\b", re.IGNORECASE
)


def narrowed(network: N, allowed: Allowed) -> N:
    """Return the network with everything frozen that the policy does not let change; only to learn with."""
    frozen = [path for path, item in network.parameters().items() if item.learnable and _closed(path, item, allowed)]
    return network.freeze(*frozen)


def widened(candidate: N, base: Network) -> N:
    """Return what was learned with the base's own marks of what is learnable, so that only its content differs."""
    marks = {path: item.learnable for path, item in base.parameters().items()}
    for path, item in candidate.parameters().items():
        if path in marks and marks[path] != item.learnable:
            candidate = candidate.with_parameter(path, item.model_copy(update={"learnable": marks[path]}))
    return candidate


def violations(base: Network, candidate: Network, allowed: Allowed) -> Iterator[str]:
    """Yield everything about a candidate that the policy forbids."""
    before, after = base.parameters(), candidate.parameters()
    if not allowed.structure:
        yield from _structural(base, candidate)
    yield from _effects(base, candidate)
    for path in sorted(before.keys() | after.keys()):
        if path == "structure" or before.get(path) == after.get(path):
            continue
        old, new = before.get(path), after.get(path)
        item = old or new
        assert item is not None
        if old is not None and not old.learnable:
            yield f"{path} is frozen, and it was changed"
        elif isinstance(item, Code) and not allowed.code:
            yield f"{path}: code may not be learned (allowed.code)"
        elif isinstance(item, Option) and not allowed.models:
            yield f"{path}: models and options may not be changed (allowed.models)"
        elif any(path == name or path.startswith(f"{name}/") for name in allowed.frozen):
            yield f"{path} is frozen by the policy (allowed.frozen)"
    if not allowed.urls and (new_urls := sorted(_addresses(candidate) - _addresses(base))):
        yield f"addresses that were not there before: {', '.join(new_urls[:3])} (allowed.urls)"
    was, is_now = len(_texts(base)), len(_texts(candidate))
    if is_now > max(was * (1 + allowed.growth), was + allowed.growth_from):
        yield f"the texts grew from {was} to {is_now} characters (allowed.growth)"


def _closed(path: str, item: Parameter, allowed: Allowed) -> bool:
    if path == "structure":
        return not allowed.structure
    if isinstance(item, Code) and not allowed.code:
        return True
    if isinstance(item, Option) and not allowed.models:
        return True
    return any(path == name or path.startswith(f"{name}/") for name in allowed.frozen)


def _structural(base: Network, candidate: Network) -> Iterator[str]:
    old, new = _skeleton(base), _skeleton(candidate)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            what = "was added" if name not in old else "was taken away" if name not in new else "was changed"
            yield f"{name} {what}; the structure may not be learned (allowed.structure)"


def _skeleton(network: Network) -> dict[str, str]:
    """Return each part of a network without its weights, as text."""
    parts = {f"node {node.id}": _without_weights(node) for node in network.nodes}
    parts |= {f"tool {tool.name}": _without_weights(tool) for tool in network.tools}
    parts["the edges"] = canonical_json(
        sorted((edge.model_dump(mode="json") for edge in network.edges), key=canonical_json)
    )
    parts["the inputs"] = canonical_json([field.model_dump(mode="json") for field in network.inputs])
    parts["the outputs"] = canonical_json(list(network.outputs))
    for node in network.nodes:
        if isinstance(node, AgentNode):
            parts |= {f"{node.id}: {name}": text for name, text in _skeleton(node.agent).items()}
    return parts


def _without_weights(part: object) -> str:
    plain = part.model_dump(mode="json", exclude={"parameters": True, "agent": True, "tool": {"parameters"}})  # type: ignore[attr-defined]
    return canonical_json(plain)


def _effects(base: Network, candidate: Network) -> Iterator[str]:
    """Yield tools and function nodes that may do more than before; never allowed."""
    levels = ("pure", "read", "write")
    old = dict(_named_effects(base, ""))
    for name, effect in _named_effects(candidate, ""):
        if name in old and levels.index(effect) > levels.index(old[name]):
            yield f"{name} may {effect} now; before it could only {old[name]}"
        elif name not in old and effect != "pure":
            yield f"{name} is new and may {effect}; what is learned must be pure"


def _named_effects(network: Network, prefix: str) -> Iterator[tuple[str, str]]:
    held: list[Tool] = list(network.tools)
    for node in network.nodes:
        if isinstance(node, ToolNode):
            held.append(node.tool)
        elif isinstance(node, FunctionNode):
            yield f"{prefix}node {node.id}", node.effect
        elif isinstance(node, AgentNode):
            yield from _named_effects(node.agent, f"{prefix}{node.id}/")
    for tool in held:
        yield f"{prefix}tool {tool.name}", tool.effect


def _texts(network: Network) -> str:
    return "\n".join(
        canonical_json(item.model_dump(mode="json")["value"])
        for item in network.parameters().values()
        if hasattr(item, "value")
    )


def _addresses(network: Network) -> set[str]:
    text = _texts(network)
    return {found.casefold() for pattern in (_URL, _ADDRESS) for found in pattern.findall(text)}
