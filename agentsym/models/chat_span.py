"""The span of a model call: who was asked what, what came back, and what it has cost.

There is one for each call that somebody makes at the door, retries included; an answer from the cache is a short one
that says so and counts no tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from agentsym.models.protocol import LanguageModel, Phase, Reply, Request
from agentsym.models.secrets import scrubbed_json
from agentsym.network.records import Message
from agentsym.telemetry import names
from agentsym.telemetry.telemetry import Attributes, Telemetry, error_type

_PROVIDERS = {  # our prefix → the name that the conventions have for it
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}


@contextmanager
def chat_span(
    telemetry: Telemetry, model: LanguageModel, request: Request, phase: Phase, node: str
) -> Iterator[Callable[[Reply], None]]:
    """Make the span of a call; what it yields is told the reply."""
    who = asked_model(model.name)
    known = {names.OPERATION: names.CHAT, **who}
    replies: list[Reply] = []
    failed: dict[str, str] = {}
    began = time.perf_counter()
    name = f"{names.CHAT} {who[names.REQUEST_MODEL]}"
    try:
        with telemetry.span(name, {**known, **_asked(request, phase, node)}, client=model.remote) as span:
            if telemetry.capture_content and span.is_recording():
                span.set_attributes(_messages(request))
            yield replies.append
            if span.is_recording():
                span.set_attributes(_answered(replies[0]))
                if telemetry.capture_content:
                    span.set_attribute(names.OUTPUT_MESSAGES, scrubbed_json([_answer(replies[0])]))
    except Exception as error:
        failed = {names.ERROR_TYPE: error_type(error)}
        raise
    finally:
        reply = replies[0] if replies else Reply()
        if not reply.usage.cached:
            telemetry.measure(
                {**known, **failed},
                seconds=time.perf_counter() - began,
                prompt_tokens=reply.usage.prompt_tokens,
                completion_tokens=reply.usage.completion_tokens,
            )


def asked_model(name: str) -> dict[str, Any]:
    """Return provider, model and address by a model's name."""
    string, _, address = name.partition(" at ")
    string = string.removeprefix("litellm:")
    provider, slash, model = string.partition("/")
    if ":" in provider or not slash:  # embedded, relay:FOLDER, recorded:FOLDER: a folder is nobody's business
        provider = model = provider.partition(":")[0]
    found: dict[str, Any] = {names.PROVIDER: _PROVIDERS.get(provider, provider), names.REQUEST_MODEL: model}
    if "://" in address:
        parts = urlsplit(address)
        found[names.SERVER_ADDRESS] = parts.hostname or ""
        found[names.SERVER_PORT] = parts.port or (443 if parts.scheme == "https" else 80)
    return found


def _asked(request: Request, phase: Phase, node: str) -> Attributes:
    found: dict[str, Any] = {names.PHASE: phase, names.OUTPUT_TYPE: "text" if request.schema_ is None else "json"}
    if node:
        found[names.NODE] = node
    if request.temperature is not None:
        found[names.REQUEST_TEMPERATURE] = request.temperature
    if request.max_tokens is not None:
        found[names.REQUEST_MAX_TOKENS] = request.max_tokens
    return found


def _answered(reply: Reply) -> Attributes:
    used = reply.usage
    found: dict[str, Any] = {names.CACHED: bool(used.cached), names.FINISH_REASONS: [_finish(reply)]}
    if reply.model:
        found[names.RESPONSE_MODEL] = reply.model
    if used.cached:
        return found
    found |= {names.INPUT_TOKENS: used.prompt_tokens, names.OUTPUT_TOKENS: used.completion_tokens}
    found[names.RETRIES] = max(0, used.calls - 1)
    return found if used.usd is None else {**found, names.COST: used.usd}


def _finish(reply: Reply) -> str:
    return "length" if reply.truncated else "tool_call" if reply.tool_calls else "stop"


def _messages(request: Request) -> Attributes:
    """Return the chat in the form of the conventions: what the system says apart from the history."""
    system = [{"type": "text", "content": message.content} for message in request.messages if message.role == "system"]
    history = [_message(message) for message in request.messages if message.role != "system"]
    return {names.SYSTEM_INSTRUCTIONS: scrubbed_json(system), names.INPUT_MESSAGES: scrubbed_json(history)}


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        part = {"type": "tool_call_response", "id": message.tool_call_id, "response": message.content}
        return {"role": "tool", "parts": [part]}
    said = [{"type": "text", "content": message.content}] if message.content else []
    return {"role": message.role, "parts": [*said, *_calls(message.tool_calls)]}


def _answer(reply: Reply) -> dict[str, Any]:
    said = Message(role="assistant", content=reply.text, tool_calls=reply.tool_calls)
    return {**_message(said), "finish_reason": _finish(reply)}


def _calls(calls: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"type": "tool_call", "id": call.id, "name": call.tool, "arguments": call.arguments} for call in calls]
