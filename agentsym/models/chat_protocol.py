"""OpenAI's chat protocol as values: a request becomes a body, a body becomes a reply.

Nothing is sent here, so that every client speaks the same protocol and the protocol can be tested without a server.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from agentsym.errors import AnswerRefused, BadReply
from agentsym.models.protocol import Reply, Request
from agentsym.models.secrets import excerpt
from agentsym.network.records import Message, ToolCall, Usage
from agentsym.network.template import render

SchemaMode = Literal["json_schema", "json_object", "prompt"]
LengthName = Literal["max_tokens", "max_completion_tokens"]

TIMEOUT = 600.0
"""Seconds for a whole answer, where nobody says another figure."""

_CHARACTERS_A_TOKEN = 4
_LONGEST_NAME = 200  # of a model, in characters: a server may say anything
_SCHEMA_REFUSED = re.compile(r"response.?format|json.?schema|json.?object|json.?mode|structured.?output", re.IGNORECASE)
_UNKNOWN = re.compile(r"unsupported|unknown|unrecognized|unexpected|extra|not (supported|permitted)", re.IGNORECASE)
_STRICT_WORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs"),
    *("title", "description", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "pattern", "format"),
}
_FORMS = {"type", "anyOf", "$ref", "enum", "const"}


@dataclass(frozen=True)
class Dialect:
    """What a server understands of the protocol.

    Attributes:
        schema: how it is told the form of the answer: as `response_format` of type json_schema; as one of type
            json_object with the schema in the prompt; or in the prompt only.
        length: what it calls the longest length of an answer.
        stream_usage: whether it may be asked to end a stream with the tokens used.
    """

    schema: SchemaMode = "json_schema"
    length: LengthName = "max_tokens"
    stream_usage: bool = True

    def without(self, refusal: str, request: Request, *, stream: bool) -> Dialect:
        """Return the dialect that avoids what a server says it does not understand of a request; else this one."""
        if stream and self.stream_usage and ("stream_options" in refusal or "include_usage" in refusal):
            return replace(self, stream_usage=False)
        if request.schema_ is not None and self.schema != "prompt" and _SCHEMA_REFUSED.search(refusal):
            return replace(self, schema="prompt")
        if request.max_tokens is not None and self.length in refusal and _UNKNOWN.search(refusal):
            return replace(self, length="max_tokens" if self.length != "max_tokens" else "max_completion_tokens")
        return self


class Asked(NamedTuple):
    """Who was asked, for messages.

    Attributes:
        name: the model's name.
        address: the base URL; "" where the client does not know it.
        variable: the environment variable of the key; "" where there is none.
        keyed: whether a key was sent.
    """

    name: str
    address: str = ""
    variable: str = ""
    keyed: bool = True

    @property
    def hint(self) -> str:
        """What is wrong with most addresses that are wrong."""
        return "" if self.address.rstrip("/").endswith("/v1") else "; the base URL may lack /v1"

    @property
    def place(self) -> str:
        """The name with the address."""
        return self.name if " at " in self.name or not self.address else f"{self.name} at {self.address}"


def body_of(model: str, request: Request, dialect: Dialect, *, stream: bool = False) -> dict[str, Any]:
    """Return the JSON body that asks `model`.

    The number of the rollout is not sent: samples differ by the model's own chance.
    """
    body: dict[str, Any] = {"model": model, "messages": messages_of(request, dialect)}
    if request.schema_ is not None and dialect.schema != "prompt":
        body["response_format"] = response_format(request.schema_, dialect.schema)
    if request.tools:
        body["tools"] = tools_of(request)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.max_tokens is not None:
        body[dialect.length] = request.max_tokens
    if stream:
        body["stream"] = True
        if dialect.stream_usage:
            body["stream_options"] = {"include_usage": True}
    return body


def messages_of(request: Request, dialect: Dialect) -> list[dict[str, Any]]:
    """Return the chat, with the schema in its last system message where the server cannot be told it otherwise."""
    messages = [_message(message) for message in request.messages]
    if request.schema_ is not None and dialect.schema != "json_schema":
        told = render(_schema_prompt(), {"schema": json.dumps(request.schema_, ensure_ascii=False)})
        systems = [message for message in messages if message["role"] == "system"]
        if systems:
            systems[-1]["content"] += f"\n\n{told}"
        else:
            messages.insert(0, {"role": "system", "content": told})
    return messages


def response_format(schema: Mapping[str, Any], mode: SchemaMode) -> dict[str, Any]:
    """Return what asks for JSON, by schema or of any form."""
    if mode == "json_object":
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {
            "name": "answer",
            "schema": schema,
            "strict": schema.get("type") == "object" and strict(schema),
        },
    }


def tools_of(request: Request) -> list[dict[str, Any]]:
    """Return the tools as the protocol's functions."""
    return [{"type": "function", "function": tool} for tool in request.tools]


def strict(schema: Any) -> bool:
    """Say whether a schema keeps the rules of strict mode: closed objects, all fields required, known keywords."""
    if not isinstance(schema, dict) or not schema.keys() <= _STRICT_WORDS or not schema.keys() & _FORMS:
        return False
    fields = schema.get("properties", {})
    if (fields or schema.get("type") == "object") and (
        schema.get("additionalProperties") is not False or set(schema.get("required", ())) != fields.keys()
    ):
        return False
    inner = [*fields.values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    return all(map(strict, (*inner, schema["items"]) if "items" in schema else inner))


def load(text: str, asked: Asked) -> dict[str, Any]:
    """Read a body.

    Raises:
        BadReply: it is no JSON object.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _bad(asked, f"what came is no JSON object: {excerpt(text, 80)!r}")
    return value


def reply_of(body: Mapping[str, Any], request: Request, asked: Asked) -> Reply:
    """Read a completion.

    Raises:
        AnswerRefused: the model declined, or a filter took the answer away.
        BadReply: there is no choice in it, or it has another form.
    """
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        raise _bad(asked, f"what came holds no choice: {excerpt(json.dumps(body, ensure_ascii=False), 80)!r}")
    text = text_of(message.get("content"))
    return made_reply(
        request,
        asked,
        text=text,
        calls=message.get("tool_calls") or (),
        usage=body.get("usage"),
        finish=first.get("finish_reason"),
        refusal=message.get("refusal"),
        model=body.get("model"),
    )


def made_reply(
    request: Request,
    asked: Asked,
    *,
    text: str,
    calls: Sequence[Any],
    usage: Any,
    finish: Any,
    refusal: Any,
    model: Any,
) -> Reply:
    """Make a reply of what a completion, or a stream put together, says; raises as `reply_of`."""
    if finish == "content_filter":
        raise AnswerRefused(f"{asked.name}: the provider's filter took the answer away (finish_reason content_filter)")
    if refusal and not text and not calls:
        raise AnswerRefused(f"{asked.name} declines to answer: {excerpt(str(refusal))!r}")
    return Reply(
        text=_sound(text),
        tool_calls=tuple(_tool_call(call, number, asked) for number, call in enumerate(calls)),
        usage=_usage(usage, request, text, calls),
        truncated=finish == "length",
        model=_sound(model)[:_LONGEST_NAME] if isinstance(model, str) else "",
    )


def text_of(content: Any) -> str:
    """Return the text of a message's content: a string, nothing, or parts of which those of type text count."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text")
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _message(message: Message) -> dict[str, Any]:
    made: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        made["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.tool, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        made["tool_call_id"] = message.tool_call_id
    return made


def _tool_call(call: Any, number: int, asked: Asked) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        raise _bad(asked, f"what came holds a tool call without a name: {excerpt(json.dumps(call), 80)!r}")
    arguments, error = _arguments(function.get("arguments"))
    made_id = call.get("id") or f"call_{number}"  # some servers give none, and the tool's answer must name one
    return ToolCall(tool=_sound(name), arguments=arguments, id=_sound(str(made_id)), error=error)


def _arguments(given: Any) -> tuple[dict[str, Any], str | None]:
    """Return a tool's arguments, and what is wrong with them; a tool without arguments often gets an empty text."""
    if isinstance(given, str) and given.strip():
        try:
            value = json.loads(given)
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # NaN and half a pair cannot be stored
        except (ValueError, RecursionError):
            value = None
    else:
        value = given or {}
    if isinstance(value, dict):
        return value, None
    return {}, f"the arguments are no JSON object: {excerpt(str(given), 80)!r}"


def _usage(given: Any, request: Request, text: str, calls: Sequence[Any]) -> Usage:
    """Return the tokens that the server counted, else an estimate."""
    if isinstance(given, dict):
        prompt, completion = given.get("prompt_tokens"), given.get("completion_tokens")
        if isinstance(prompt, int) and isinstance(completion, int) and prompt >= 0 and completion >= 0:
            return Usage(calls=1, prompt_tokens=prompt, completion_tokens=completion, usd=None)
    return estimated(request, text, calls)


def estimated(request: Request, text: str, calls: Sequence[Any] = ()) -> Usage:
    """Return what a call has used, by the length of what was asked and answered: a token is four characters."""
    asked = sum(
        len(message.content) + sum(len(str(c.arguments)) for c in message.tool_calls) for message in request.messages
    )
    asked += sum(len(json.dumps(said)) for said in (request.schema_, *request.tools) if said is not None)
    answered = len(text) + sum(len(json.dumps(call)) for call in calls)
    return Usage(
        calls=1,
        prompt_tokens=math.ceil(asked / _CHARACTERS_A_TOKEN),
        completion_tokens=math.ceil(answered / _CHARACTERS_A_TOKEN),
        usd=None,
        estimated=True,
    )


def _sound(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can hold and nothing can store."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _bad(asked: Asked, what: str) -> BadReply:
    return BadReply(f"{asked.place}: {what}{asked.hint}")


@lru_cache(1)
def _schema_prompt() -> str:
    return Path(__file__).with_name("schema.md").read_text(encoding="utf-8").strip()
