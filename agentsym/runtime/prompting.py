"""Running a prompt node: render, ask for an answer of the right form, and run the tools that the model calls.

What was sent and answered is kept on the way, so that a node that fails still shows its conversation.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any, cast

from agentsym.errors import NodeError
from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel, Phase, Reply, Request
from agentsym.models.structured import ask, parse_json
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.parameters import Number, Option
from agentsym.network.prompt import Prompt
from agentsym.network.records import Message, ToolCall
from agentsym.runtime.calling import ToolRunner
from agentsym.runtime.recorder import Scope, Visit


class PromptWork:
    """What a prompt node does; all that is the same for every input is prepared once."""

    def __init__(self, node: PromptNode, network: Network) -> None:
        self._node = node
        self._prompt = Prompt(node)
        self._schema = answer_schema(node)
        self._tools = {name: ToolRunner(network.tool(name)) for name in node.tools}
        self._descriptions = tuple(tool.description() for tool in self._tools.values())
        model, temperature = node.parameters.get("model"), node.parameters.get("temperature")
        self._model = model.value if isinstance(model, Option) else None
        self._temperature = temperature.value if isinstance(temperature, Number) else None

    async def __call__(self, values: dict[str, Any], visit: Visit, scope: Scope) -> dict[str, Any]:
        """Return the node's output."""
        visit.messages = self._prompt.messages(values)
        request = Request(
            messages=visit.messages,
            schema_=self._schema,
            tools=self._descriptions,
            temperature=self._temperature,
            rollout=visit.context.rollout,
        )
        conversation = _Conversation(visit, self._tools, self._node.max_tool_rounds)
        answer = await ask(
            cast(Door, conversation),  # asks the door itself, and runs tools in between
            visit.context.model(self._model),
            request,
            self._parse,
            phase=visit.context.phase,
            node=visit.node,
        )
        return answer.value

    def _parse(self, text: str) -> dict[str, Any]:
        value: dict[str, Any] = parse_json(text, self._schema)
        return value


class _Conversation:
    """The door as one visit sees it: a reply is what comes after all tool calls, and everything sent is kept."""

    def __init__(self, visit: Visit, tools: dict[str, ToolRunner], max_rounds: int) -> None:
        self._visit = visit
        self._tools = tools
        self._rounds_left = max_rounds
        self._limit = max_rounds
        self._start = len(visit.messages)
        self._between: tuple[Message, ...] = ()
        tell = visit.context.on_text
        self._on_text = None if tell is None else partial(tell, visit.node)

    async def complete(self, model: LanguageModel, request: Request, *, phase: Phase, node: str = "") -> Reply:
        """Ask, run the tools that the model calls, and ask again until it answers."""
        visit, sent = self._visit, request
        while True:
            if self._between:
                messages = (*request.messages[: self._start], *self._between, *request.messages[self._start :])
                sent = request.model_copy(update={"messages": messages})
            visit.messages = sent.messages
            reply = await visit.context.door.complete(model, sent, phase=phase, node=node, on_text=self._on_text)
            visit.usage = visit.usage + reply.usage if visit.raw or visit.usage.calls else reply.usage
            visit.worth += reply.worth
            visit.raw = reply.text
            if not reply.tool_calls:
                return reply
            if not self._rounds_left:
                raise NodeError(
                    f"the model still calls tools after {self._limit} rounds; raise max_tool_rounds, or say in the "
                    "instructions when to answer"
                )
            self._rounds_left -= 1
            results = [await self._call(wanted) for wanted in reply.tool_calls]
            visit.tool_calls += results
            asked = Message(role="assistant", content=reply.text, tool_calls=reply.tool_calls)
            self._between = (*self._between, asked, *(_told(result) for result in results))

    async def _call(self, wanted: ToolCall) -> ToolCall:
        if wanted.error is not None:
            return wanted  # its arguments cannot be read, and the model is told so
        tool = self._tools.get(wanted.tool)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            return wanted.model_copy(update={"error": f"there is no tool {wanted.tool!r}; there are: {known}"})
        return await tool.recorded(wanted.id, wanted.arguments, self._visit.context)


def answer_schema(node: PromptNode) -> dict[str, Any]:
    """Return the JSON schema of a prompt node's answer: one object with exactly the output fields."""
    properties = {
        field.name: field.json_schema(node.choices(field.name).labels if field.type == "choice" else ())
        for field in node.fields()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _told(result: ToolCall) -> Message:
    """Return what the model is told of a call: the result as JSON, or the error."""
    content = json.dumps(result.result, ensure_ascii=False) if result.error is None else f"Error: {result.error}"
    return Message(role="tool", content=content, tool_call_id=result.id)
