"""What a candidate may change: the base is narrowed before learning, and what comes of it is checked by code.

Traces, feedback and edits are texts that strangers wrote; whatever they ask for, a candidate that breaks the policy is
refused here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from agentsym.deploy.evolution.addresses import addresses, strings
from agentsym.deploy.policy import Allowed
from agentsym.errors import UsageError
from agentsym.network.canonical import canonical_json
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, ToolNode
from agentsym.network.parameters import Choices, Code, Examples, Option, Parameter, Structure, owner_of
from agentsym.network.tool import Tool

N = TypeVar("N", bound=Network)


def check_frozen(network: Network, allowed: Allowed) -> None:
    """Raise UsageError where the policy freezes what the agent does not have: a name with a slip protects nothing."""
    paths = network.parameters()
    for name in allowed.frozen:
        if not any(_below(path, name) for path in paths):
            raise UsageError(
                f"allowed.frozen: agent {network.name!r} has no parameter {name!r}, and none below it; "
                f"it has {', '.join(paths)}"
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
    frozen = "" if base.structure.learnable else "structure is frozen, and it was changed"
    if why := frozen or _closed("structure", base.structure, allowed):
        yield from (f"{what}; {why}" for what in _structural(base, candidate))
    yield from _running(base, candidate, allowed)
    yield from _weights(base, candidate, allowed)
    yield from _documents(base, candidate, allowed)
    if not allowed.urls and (new := sorted(addresses(_plain(candidate)) - addresses(_plain(base)))):
        yield f"addresses that were not there before: {', '.join(new[:3])} (allowed.urls)"
    was, is_now = _length(base), _length(candidate)
    if is_now > max(was * (1 + allowed.growth), was + allowed.growth_from):
        yield f"the texts grew from {was} to {is_now} characters (allowed.growth)"


def _closed(path: str, item: Parameter, allowed: Allowed) -> str:
    """Say why the policy does not let a parameter change; empty where it does."""
    if isinstance(item, Structure) and not allowed.structure:
        return "the structure may not be learned (allowed.structure)"
    if isinstance(item, Code) and not allowed.code:
        return f"{path}: code may not be learned (allowed.code)"
    if isinstance(item, Option) and not allowed.models:
        return f"{path}: models and options may not be changed (allowed.models)"
    if any(_below(path, name) for name in allowed.frozen):
        return f"{path} is frozen by the policy (allowed.frozen)"
    return ""


def _below(path: str, name: str) -> bool:
    return path == name or path.startswith(f"{name}/")


def _weights(base: Network, candidate: Network, allowed: Allowed) -> Iterator[str]:
    """Yield parameters that were changed and may not be, or whose limits were."""
    before, after = base.parameters(), candidate.parameters()
    owners = {owner_of(path) for path in after}
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if old is not None and not old.learnable:
            yield f"{path} is frozen, and it was changed"
        elif old is not None and new is not None and _limits(old) != _limits(new):
            yield f"{path}: its limits were changed, not only its value"
        elif old is not None and new is None and owner_of(path) not in owners:
            if any(_below(path, name) for name in allowed.frozen):
                yield f"{path} is frozen by the policy (allowed.frozen)"
        elif (item := new or old) is not None and (why := _closed(path, item, allowed)):
            yield why


def _limits(item: Parameter) -> dict[str, Any]:
    """Return all of a parameter that no edit changes."""
    labels = {"labels": item.labels} if isinstance(item, Choices) else {}
    return item.model_dump(exclude={"value", "author"}) | labels


def _structural(base: Network, candidate: Network) -> Iterator[str]:
    """Yield what is different but for the weights."""
    old, new = _skeleton(base), _skeleton(candidate)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            what = "was added" if name not in old else "was taken away" if name not in new else "was changed"
            yield f"{name} {what}"


def _skeleton(network: Network) -> dict[str, str]:
    """Return each part of a network without its weights, as text."""
    parts = {f"node {node.id}": _without_weights(node) for node in network.nodes}
    parts |= {f"tool {tool.name}": _without_weights(tool) for tool in network.tools}
    parts["the edges"] = canonical_json(
        sorted((edge.model_dump(mode="json") for edge in network.edges), key=canonical_json)
    )
    parts["the inputs"] = canonical_json([field.model_dump(mode="json") for field in network.inputs])
    parts["the outputs"] = canonical_json(list(network.outputs))
    parts["the agent"] = canonical_json([network.name, network.description])
    for node in network.nodes:
        if isinstance(node, AgentNode):
            parts |= {f"{node.id}: {name}": text for name, text in _skeleton(node.agent).items()}
    return parts


def _without_weights(part: Any) -> str:
    plain = part.model_dump(mode="json", exclude={"parameters": True, "agent": True, "tool": {"parameters"}})
    for argument in (plain if isinstance(part, Tool) else plain.get("tool", {})).get("arguments", ()):
        del argument["description"]  # an edit of the tool's description may rewrite it: `_documents`
    return canonical_json(plain)


class _Runs(NamedTuple):
    """What a tool or function node runs, and what that may do."""

    effect: str
    code: str | None


def _running(base: Network, candidate: Network, allowed: Allowed) -> Iterator[str]:
    """Yield tools and function nodes that are new and may not be, or run or do something else than before."""
    old = dict(_runs(base, ""))
    known = {each.code: each.effect for each in old.values()}
    for name, new in _runs(candidate, ""):
        was = old.get(name)
        if was is not None:
            if new.effect != was.effect:
                yield f"{name} may {new.effect} now; before it was {was.effect}"
            if new.code != was.code:
                yield f"{name} runs other code than before"
        elif not allowed.code:
            yield f"{name} is new; tools may not be learned (allowed.code)"
        elif new.effect != "pure":
            yield f"{name} is new and may {new.effect}; what is learned must be pure"
        elif new.code is not None and known.get(new.code) != "pure":
            yield f"{name} is new and runs code that was no pure tool of the agent before"


def _runs(network: Network, prefix: str) -> Iterator[tuple[str, _Runs]]:
    for name, tool in _tools(network, prefix):
        code = None if tool.code_ref is None else canonical_json(tool.code_ref.model_dump())
        yield f"tool {name}", _Runs(tool.effect, code)
    for node in network.nodes:
        if isinstance(node, FunctionNode):
            yield f"node {prefix}{node.id}", _Runs(node.effect, canonical_json(node.code_ref.model_dump()))
        elif isinstance(node, AgentNode):
            yield from _runs(node.agent, f"{prefix}{node.id}/")


def _tools(network: Network, prefix: str = "") -> Iterator[tuple[str, Tool]]:
    """Yield the tools of a network itself by the name that its parameters' paths begin with."""
    yield from ((f"{prefix}{tool.name}", tool) for tool in network.tools)
    yield from ((f"{prefix}{node.id}", node.tool) for node in network.nodes if isinstance(node, ToolNode))


def _documents(base: Network, candidate: Network, allowed: Allowed, prefix: str = "") -> Iterator[str]:
    """Yield tools whose arguments are described anew although their own description may not change."""
    old, new = dict(_tools(base)), dict(_tools(candidate))
    for name in old.keys() & new.keys():
        path, described = f"{prefix}{name}/description", old[name].parameters.get("description")
        if _argument_docs(old[name]) != _argument_docs(new[name]) and (
            described is None or not described.learnable or _closed(path, described, allowed)
        ):
            yield f"{path} is frozen, and the descriptions of its arguments were changed"
    inner = {node.id: node.agent for node in candidate.nodes if isinstance(node, AgentNode)}
    for node in base.nodes:
        if isinstance(node, AgentNode) and node.id in inner:
            yield from _documents(node.agent, inner[node.id], allowed, f"{prefix}{node.id}/")


def _argument_docs(tool: Tool) -> Mapping[str, str]:
    return {field.name: field.description for field in tool.arguments}


def _plain(network: Network) -> dict[str, Any]:
    return network.model_dump(mode="json")


def _length(network: Network) -> int:
    """Return how many characters learning has written, or may have; worked examples have a bound of their own."""
    texts = (item for item in network.parameters().values() if not isinstance(item, Structure | Examples))
    values = [item.content for item in texts]
    docs = [dict(_argument_docs(tool)) for _, tool in _tools(network)]
    return sum(map(len, strings([values, docs])))
