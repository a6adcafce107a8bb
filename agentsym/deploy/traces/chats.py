"""Chats in whatever form a framework writes them down, as messages.

Known are OpenAI's form, that of OpenTelemetry's conventions (`parts`) and LangChain's, as values and as JSON texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from agentsym.deploy.traces.reading import cell_value
from agentsym.network.records import Message, ToolCall

Role = Literal["system", "user", "assistant", "tool"]
_ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer", "systemmessage"), "system"),
    **dict.fromkeys(("user", "human", "humanmessage"), "user"),
    **dict.fromkeys(("assistant", "ai", "model", "aimessage", "aimessagechunk"), "assistant"),
    **dict.fromkeys(("tool", "function", "toolmessage"), "tool"),
}


def messages_of(value: Any) -> tuple[Message, ...]:
    """Return the chat that a value holds; nothing where it holds none."""
    return tuple(_messages(cell_value(value)))


def last(messages: Sequence[Message], role: Role) -> str | None:
    """Return the text of the last message of a role; None if there is none."""
    said = [message.content for message in messages if message.role == role and message.content]
    return said[-1] if said else None


def text_of(content: Any) -> str:
    """Return the text of a message's content: a text, or parts of which those that are texts count."""
    content = content if not isinstance(content, Mapping) else [content]
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        return ""
    return "".join(part if isinstance(part, str) else _part_text(part) for part in content)


def _part_text(part: Any) -> str:
    if not isinstance(part, Mapping) or part.get("type", "text") not in ("text", "input_text", "output_text"):
        return ""
    found = part.get("text", part.get("content"))
    return found if isinstance(found, str) else ""


def _messages(value: Any) -> Iterator[Message]:
    if isinstance(value, Mapping):
        if (made := _message(value)) is not None:
            yield made
            return
        for name in ("messages", "choices", "generations", "message", "inputs", "input", "outputs", "output"):
            if isinstance(inner := value.get(name), list | tuple | Mapping):
                yield from _messages(inner)
                return
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _messages(item)


def _message(value: Mapping[str, Any]) -> Message | None:
    """Return one message in any of the forms; None where it is none."""
    if isinstance(inner := value.get("kwargs", value.get("data")), Mapping):  # LangChain's own serialisations
        kind = value["id"][-1] if isinstance(value.get("id"), list) and value["id"] else value.get("type")
        value = {"role": kind, **inner}
    role = value.get("role", value.get("type"))
    role = _ROLES.get(role.lower()) if isinstance(role, str) else None
    if role is None or not {"content", "parts", "tool_calls"} & value.keys():
        return None
    parts = value.get("parts", value.get("content"))
    answered = [part for part in _listed(parts) if part.get("type") == "tool_call_response"]
    text = text_of(parts) or "".join(_text(part.get("response", part.get("result"))) for part in answered)
    asked = answered[0].get("id") if answered else value.get("tool_call_id")
    return Message(role=role, content=text, tool_calls=tuple(_calls(value, parts)), tool_call_id=str(asked or ""))


def _calls(value: Mapping[str, Any], parts: Any) -> Iterator[ToolCall]:
    called = [part for part in _listed(parts) if part.get("type") in ("tool_call", "tool_use")]
    for call in (*_listed(value.get("tool_calls")), *called):
        inner = call.get("function")
        function = inner if isinstance(inner, Mapping) else call
        name = function.get("name")
        if isinstance(name, str):
            yield ToolCall(tool=name, arguments=fields_of(_arguments(function)), id=str(call.get("id") or ""))


def _arguments(function: Mapping[str, Any]) -> Any:
    return next((function[name] for name in ("arguments", "args", "input") if name in function), None)


def fields_of(value: Any) -> dict[str, Any]:
    """Return a value, or the JSON in it, as name → value; what is no object stands under `value`."""
    value = cell_value(value)
    if value is None:
        return {}
    return {str(name): item for name, item in value.items()} if isinstance(value, Mapping) else {"value": value}


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
