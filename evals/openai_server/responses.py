"""OpenAI's newer `/v1/responses` in terms of the chat protocol: text in, text out, for clients that speak only that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evals.openai_server.protocol import Body

PATH = "/v1/responses"


def as_chat(body: Body) -> dict[str, Any]:
    """Return the chat request that asks the same.

    Raises:
        KeyError: `model` or `input` is missing.
    """
    given = body["input"]
    messages = [{"role": "user", "content": given}] if isinstance(given, str) else list(map(_message, given))
    if body.get("instructions"):
        messages.insert(0, {"role": "system", "content": body["instructions"]})
    return {"model": body["model"], "messages": messages}


def from_chat(made: Body) -> dict[str, Any]:
    """Return a whole chat answer in the other form."""
    text, usage = made["choices"][0]["message"]["content"], made["usage"]
    content = {"type": "output_text", "text": text, "annotations": []}
    return {
        "id": made["id"].replace("chatcmpl", "resp"),
        "object": "response",
        "created_at": made["created"],
        "model": made["model"],
        "status": "completed",
        "output": [
            {"type": "message", "id": "msg-0", "role": "assistant", "status": "completed", "content": [content]}
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage["total_tokens"],
        },
    }


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message["content"]
    text = content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
    return {"role": message["role"], "content": text}
