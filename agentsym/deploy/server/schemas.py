"""Requests and answers as `openapi.json` shows them: the agent's own inputs and outputs, field by field."""

from __future__ import annotations

from typing import Any, Literal

from agentsym.network.network import Network
from agentsym.store.live.traces import Kind

Shape = Literal["one", "many", "events"]
INVOKE: Shape = "one"
BATCH: Shape = "many"
STREAM: Shape = "events"


def agent_body(agent: Network, shape: Shape) -> dict[str, Any]:
    """Return the OpenAPI description of a request that asks the agent once or many times, and of its answer."""
    inputs = {field.name: field.json_schema() for field in agent.inputs}
    asked = _object(
        {
            "inputs": _object(inputs, list(inputs)),
            "thread_id": {"type": "string", "description": "the conversation or user that this belongs to"},
        },
        ["inputs"],
    )
    output = {field.name: field.json_schema() for field in agent.output_fields()}
    text = {"type": "string"}
    answer = _object({"trace_id": text, "version": text, "output": _object(output, [])}, ["trace_id", "output"])
    if shape == BATCH:
        return {**_body(_list(asked)), **_answer("application/json", _object({"results": _list(answer)}, ["results"]))}
    if shape == STREAM:
        return {**_body(asked), **_answer("text/event-stream", text)}
    return {**_body(asked), **_answer("application/json", answer)}


def feedback_body(agent: Network, kinds: tuple[Kind, ...]) -> dict[str, Any]:
    """Return the OpenAPI description of feedback."""
    label = {field.name: field.json_schema() for field in agent.output_fields()}
    return _body(
        _object(
            {
                "trace_id": {"type": "string"},
                "kind": {"type": "string", "enum": list(kinds)},
                "score": {"type": "number", "minimum": 0, "maximum": 1},
                "text": {"type": "string"},
                "label": _object(label, []),
            },
            ["trace_id", "kind"],
        )
    )


def chat_body() -> dict[str, Any]:
    """Return the OpenAPI description of a chat completion, as far as it is used."""
    message = _object({"role": {"type": "string"}, "content": {}}, ["role", "content"])
    return _body(
        _object(
            {
                "model": {"type": "string"},
                "messages": {"type": "array", "items": message},
                "stream": {"type": "boolean"},
                "metadata": {"type": "object", "description": "further inputs of the agent"},
                "user": {"type": "string", "description": "the thread"},
            },
            ["model", "messages"],
        )
    )


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _answer(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"responses": {"200": {"content": {kind: {"schema": schema}}}}}
