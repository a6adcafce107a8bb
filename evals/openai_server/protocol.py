"""OpenAI's chat protocol as the server speaks it: what a request costs, and an answer as a body or as a stream.

Tokens are reckoned as four characters each, rounded up, so that both ends of a test can do the sum.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

CHARS_PER_TOKEN = 4
_PIECE = 24  # characters of an answer in one chunk of a stream

Body = Mapping[str, Any]


def prompt_tokens(body: Body) -> int:
    """Return what a request's messages, tools and answer format count as."""
    chars = sum(_content_chars(message) for message in body["messages"])
    chars += sum(len(json.dumps(body[name])) for name in ("tools", "response_format") if body.get(name))
    return ceil(chars / CHARS_PER_TOKEN)


def longest_answer(body: Body) -> int | None:
    """Return the most tokens that the request allows for the answer."""
    return body.get("max_completion_tokens", body.get("max_tokens"))


def completion(body: Body, answer: str | Mapping[str, Any], number: int, created: int) -> dict[str, Any]:
    """Return the whole answer to a request, cut where it is longer than the request allows.

    Args:
        body: the request.
        answer: what the brain said: a text, or a message with `content` and `tool_calls`.
        number: the request's number, for the id.
        created: seconds since 1970.
    """
    message = {"role": "assistant", "content": answer} if isinstance(answer, str) else {"role": "assistant", **answer}
    longest = longest_answer(body)
    whole = _answer_chars(message)
    if longest is not None:
        message = _cut(message, longest * CHARS_PER_TOKEN)
    chars = _answer_chars(message)
    used, written = prompt_tokens(body), ceil(chars / CHARS_PER_TOKEN)
    finish = "length" if chars < whole else "tool_calls" if message.get("tool_calls") else "stop"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": created,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {"prompt_tokens": used, "completion_tokens": written, "total_tokens": used + written},
    }


def events(made: Body, *, include_usage: bool) -> Iterator[bytes]:
    """Yield a whole answer as server-sent events, the last of them `[DONE]`."""
    for data in _chunks(made, include_usage):
        yield b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def _chunks(made: Body, include_usage: bool) -> Iterator[dict[str, Any]]:
    head = {key: made[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    if include_usage:
        head["usage"] = None
    for choice in made["choices"]:
        for delta in _deltas(choice["message"]):
            yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    if include_usage and "usage" in made:
        yield {**head, "choices": [], "usage": made["usage"]}


def _deltas(message: Body) -> Iterator[dict[str, Any]]:
    yield {"role": message["role"], "content": "" if message.get("content") is not None else None}
    yield from ({"content": piece} for piece in _pieces(message.get("content") or ""))
    yield from ({"refusal": piece} for piece in _pieces(message.get("refusal") or ""))
    for index, call in enumerate(message.get("tool_calls") or ()):
        head = {"name": call["function"]["name"], "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": head}]}
        for piece in _pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))


def _content_chars(message: Body) -> int:
    content = message.get("content") or ""
    texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return sum(map(len, texts)) + _calls_chars(message)


def _calls_chars(message: Body) -> int:
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    return sum(len(call["name"]) + len(call["arguments"]) for call in calls)


def _answer_chars(message: Body) -> int:
    return len(message.get("content") or "") + _calls_chars(message)


def _cut(message: dict[str, Any], chars: int) -> dict[str, Any]:
    """Keep the first `chars` characters of what is written: the text, then the tool calls one after the other."""
    content, calls = message.get("content"), []
    kept = {**message, "content": content[:chars] if content else content}
    chars -= len(kept["content"] or "")
    for call in message.get("tool_calls") or ():
        function = call["function"]
        if chars <= len(function["name"]):
            break
        arguments = function["arguments"][: chars - len(function["name"])]
        chars -= len(function["name"]) + len(arguments)
        calls.append({**call, "function": {**function, "arguments": arguments}})
    return {**kept, "tool_calls": calls} if "tool_calls" in message else kept
