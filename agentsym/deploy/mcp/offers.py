"""What is served: an agent or a tool, each as one tool with schemas, hints on what it may do, and a way to call it.

Nothing of the protocol's package is needed here; `server.py` turns offers into its types.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from agentsym.errors import NodeError, UsageError
from agentsym.learning.dataset import choice_labels
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, ToolNode
from agentsym.network.tool import Tool
from agentsym.runtime.calling import ToolRunner
from agentsym.runtime.compile import compiled
from agentsym.runtime.forward import run
from agentsym.runtime.session import Session, output_of

Effect = Literal["pure", "read", "write"]
Told = Callable[[str], None]
"""Is told each step of a call, by the name of the node that did it."""


class Offer(NamedTuple):
    """One tool that is served.

    Attributes:
        name: by which it is called.
        description: what a model reads of it.
        takes: the JSON schema of its arguments, an object.
        gives: the JSON schema of its result, an object.
        effect: the most that it may do.
        call: makes a call and returns the result; its errors are for whoever called.
    """

    name: str
    description: str
    takes: dict[str, Any]
    gives: dict[str, Any]
    effect: Effect
    call: Callable[[Mapping[str, Any], Told], Awaitable[dict[str, Any]]]


def offer_agent(agent: Network, session: Session, turns: asyncio.Semaphore) -> Offer:
    """Return an agent as an offer, ready to run.

    Args:
        agent: the agent.
        session: what runs it.
        turns: how many runs there may be at once.

    Raises:
        SandboxError: it holds learned code, and there is no sandbox on this machine.
    """
    compiled(agent)
    labels = choice_labels(agent)

    async def call(arguments: Mapping[str, Any], told: Told) -> dict[str, Any]:
        async with turns:
            context = replace(session.context(), on_output=lambda node, _: told(node))
            return output_of(await run(agent, arguments, context))

    outputs = agent.output_fields()
    about = agent.description or f"The agent {agent.name}."
    about += f"\n\nTakes {_listed(agent.inputs)}; gives {_listed(outputs)}."
    return Offer(agent.name, about, _object(agent.inputs), _object(outputs, labels), effect_of(agent), call)


def offer_tool(tool: Tool) -> Offer:
    """Return a tool as an offer."""
    runner = ToolRunner(tool)
    described = runner.description()

    async def call(arguments: Mapping[str, Any], told: Told) -> dict[str, Any]:
        made = await runner.recorded("", arguments)
        if made.error is not None:
            raise NodeError(made.error)
        return {"result": made.result}

    result = tool.returns.model_copy(update={"name": "result"})
    return Offer(tool.name, described["description"], described["parameters"], _object([result]), tool.effect, call)


def effect_of(agent: Network) -> Effect:
    """Return the most that a run of an agent may do to the world; of a user's function nobody knows, so it is `write`.

    An agent of prompts alone only reads: it asks models, which change nothing.
    """
    held: list[Effect] = [tool.effect for tool in agent.tools]
    for node in agent.nodes:
        match node:
            case ToolNode():
                held.append(node.tool.effect)
            case FunctionNode():
                held.append("write")
            case AgentNode():
                held.append(effect_of(node.agent))
            case _:
                held.append("read")
    return max(held, key=("pure", "read", "write").index, default="pure")


def distinct(offers: Iterable[Offer]) -> dict[str, Offer]:
    """Return the offers by name.

    Raises:
        UsageError: two have the same name.
    """
    found: dict[str, Offer] = {}
    for offer in offers:
        if offer.name in found:
            raise UsageError(f"two of what is to be served are called {offer.name!r}; rename one, or serve it alone")
        found[offer.name] = offer
    return found


def _listed(fields: Iterable[Field]) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in fields) or "nothing"


def _object(fields: Iterable[Field], labels: Mapping[str, tuple[str, ...]] | None = None) -> dict[str, Any]:
    """Return the schema of an object with exactly these fields."""
    properties = {}
    for field in fields:
        known = (labels or {}).get(field.name, ())
        if field.type == "choice" and not known:
            field = field.model_copy(update={"type": "string"})
        properties[field.name] = field.json_schema(known)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
