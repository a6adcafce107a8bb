"""A chat in front of an agent: which input takes what people say, and which text its output is.

An agent takes fields, a chat has messages; where that cannot be brought together in one way, it is said instead of
guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agentsym.errors import UsageError
from agentsym.network.fields import Field
from agentsym.network.network import Network

MESSAGES = "messages"
_TEXTS = ("string", "any")
_AS_JSON = ("integer", "number", "boolean", "list", "object")


def check_chat_input(network: Network, name: str | None) -> None:
    """Raise UsageError where an agent has no such input that takes a text."""
    fields = {field.name: field for field in network.inputs}
    if name is not None and (name not in fields or fields[name].type not in _TEXTS):
        texts = [field.name for field in network.inputs if field.type in _TEXTS]
        raise UsageError(
            f"--chat-input {name}: agent {network.name!r} has no such input that takes a text; those that do: "
            f"{', '.join(texts) or 'none'}"
        )


def chat_inputs(
    network: Network, messages: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any], chosen: str | None = None
) -> dict[str, Any]:
    """Return the inputs that a chat stands for.

    An agent with an input `messages` of type list gets all of them; else the last message of the user goes into the
    chosen input, or into the only text that `metadata` does not give.

    Args:
        network: the agent.
        messages: `{"role", "content"}` each, the oldest first.
        metadata: further inputs; texts of numbers and of JSON will do, as OpenAI's clients send texts only.
        chosen: the input that takes the last message.

    Raises:
        UsageError: says which input is missing, or what cannot be understood.
    """
    said = [(str(message.get("role")), _text(message)) for message in messages]
    whole = chosen is None and any(field.name == MESSAGES and field.type == "list" for field in network.inputs)
    target = MESSAGES if whole else chosen or _only_text(network, metadata)
    inputs: dict[str, Any] = {}
    for field in network.inputs:
        if field.name == target:
            inputs[field.name] = [{"role": role, "content": text} for role, text in said] if whole else _last(said)
        elif field.name in metadata:
            inputs[field.name] = _value(field, metadata[field.name])
        else:
            raise UsageError(f"the agent also takes {field.name!r}: give it in metadata")
    return inputs


def chat_text(output: Mapping[str, Any]) -> str:
    """Return the text that an output is in a chat: the only one if it is a text, else all of it as JSON."""
    values = list(output.values())
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return json.dumps(output, ensure_ascii=False)


def _only_text(network: Network, metadata: Mapping[str, Any]) -> str:
    free = [field.name for field in network.inputs if field.type in _TEXTS and field.name not in metadata]
    if len(free) == 1:
        return free[0]
    if not free:
        raise UsageError("the agent has no input that could take a message")
    raise UsageError(
        f"the message could go into {', '.join(free)}: give all but one of them in metadata, or let the operator name "
        "one with --chat-input"
    )


def _last(said: Sequence[tuple[str, str]]) -> str:
    for role, text in reversed(said):
        if role == "user":
            return text
    raise UsageError("there is no message of the role 'user'")


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [None]
    texts = [part.get("text") for part in parts if isinstance(part, Mapping) and part.get("type") == "text"]
    if len(texts) != len(parts) or not all(isinstance(text, str) for text in texts):
        raise UsageError("a message's content must be text; the agent takes no images, sounds or files")
    return "\n".join(map(str, texts))


def _value(field: Field, value: Any) -> Any:
    """Return a further input; where another type than a text is wanted, a text is read as JSON."""
    if isinstance(value, str) and field.type in _AS_JSON:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise UsageError(f"metadata: {field.name!r} must be of type {field.type}") from None
    return value
