"""OpenAI's chat completions in front of the agent, so that every client of theirs can talk to it.

The model's name is the deployment's, the completion's id is the trace's; what only a bare model could honour (tools,
several choices) is refused, and sampling parameters mean nothing here.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from agentsym.deploy.chat import chat_inputs, chat_text
from agentsym.deploy.server.auth import require, token_of
from agentsym.deploy.server.bodies import json_of, text_of
from agentsym.deploy.server.faults import log_fault
from agentsym.deploy.server.invoke import THREAD_ID
from agentsym.deploy.server.replies import Refused, described, reply
from agentsym.deploy.server.schemas import chat_body
from agentsym.deploy.server.served import Served
from agentsym.deploy.server.sse import EventStream, event
from agentsym.deploy.service import Answer, Begun
from agentsym.errors import UsageError
from agentsym.network.records import Usage

_DONE = event("[DONE]")


class Chat(NamedTuple):
    """A completion that is asked for."""

    begun: Begun
    streams: bool
    usage: bool


def openai_router(served: Served) -> APIRouter:
    """Return the routes."""
    service, settings, admission = served.service, served.settings, served.admission
    router = APIRouter(prefix="/v1")

    @router.get("/models", response_class=Response)
    async def models(request: Request) -> Response:
        """List the one model there is: the agent."""
        token_of(request)
        return reply({"object": "list", "data": [_model(service.name)]})

    @router.get("/models/{name}", response_class=Response)
    async def model(request: Request, name: str) -> Response:
        """Return the agent as a model."""
        token_of(request)
        _check_model(name, service.name)
        return reply(_model(service.name))

    @router.post("/chat/completions", openapi_extra=chat_body(), response_class=Response)
    async def complete(request: Request) -> Response:
        """Answer the last message of a chat."""
        admission.count(require(request, "invoke"))
        chat = _asked(served, request, await json_of(request))
        if chat.streams:
            admission.check_queue()
            events = _events(served, chat)
            return EventStream(events, settings.ping, {"x-trace-id": chat.begun.trace_id})
        async with admission.place(service.timeout):
            answer = await service.answer_to(chat.begun)
        served.metrics.used(answer.usage)
        return reply(_completion(service.name, answer), headers={"x-trace-id": answer.trace_id})

    return router


def _asked(served: Served, request: Request, body: Any) -> Chat:
    """Read a request; whatever cannot be understood is refused with status 400, as OpenAI's clients expect."""
    if not isinstance(body, dict):
        raise _bad("the body must be an object with model and messages")
    _check_model(body.get("model"), served.service.name)
    messages, metadata = body.get("messages"), body.get("metadata") or {}
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise _bad("messages must be a list of objects with role and content")
    if not isinstance(metadata, dict):
        raise _bad("metadata must be an object: input → value")
    if body.get("tools") or body.get("functions"):
        raise _bad("the agent has tools of its own; it takes none from a client")
    if body.get("n") not in (None, 1):
        raise _bad("there is one answer; n must be 1")
    options = body.get("stream_options")
    try:
        inputs = chat_inputs(served.service.network, messages, metadata, served.settings.chat_input)
        begun = served.service.begin(inputs, _thread(request, body))
    except UsageError as error:
        raise _bad(str(error)) from None
    return Chat(begun, body.get("stream") is True, isinstance(options, dict) and options.get("include_usage") is True)


def _thread(request: Request, body: Mapping[str, Any]) -> str | None:
    """Return the thread of a chat: a header, or the client's `user`."""
    return text_of({"thread": request.headers.get("x-thread-id") or body.get("user")}, "thread", THREAD_ID)


async def _events(served: Served, chat: Chat) -> AsyncGenerator[bytes, None]:
    """Yield the completion in chunks; the agent's text comes in one, since only its end says what it is."""
    service, begun = served.service, chat.begun
    try:
        yield _chunk(service.name, begun.trace_id, {"role": "assistant", "content": ""})
        async with (
            served.admission.place(service.timeout),
            aclosing(service.stream(begun)) as happenings,
        ):
            async for item in happenings:
                if isinstance(item, Answer):
                    served.metrics.used(item.usage)
                    yield _chunk(service.name, begun.trace_id, {"content": chat_text(item.output)})
                    yield _chunk(service.name, begun.trace_id, {}, "stop")
                    if chat.usage:
                        more = {"choices": [], "usage": _usage(item.usage)}
                        yield event({**_head(service.name, begun.trace_id, "chat.completion.chunk"), **more})
        yield _DONE
    except Exception as error:
        log_fault(error)
        _status, body, _headers = described(error)
        yield event(body)


def _completion(name: str, answer: Answer) -> dict[str, Any]:
    message = {"role": "assistant", "content": chat_text(answer.output)}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    head = _head(name, answer.trace_id, "chat.completion")
    return {**head, "choices": [choice], "usage": _usage(answer.usage), "system_fingerprint": answer.version[:12]}


def _chunk(name: str, trace_id: str, delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return event({**_head(name, trace_id, "chat.completion.chunk"), "choices": [choice]})


def _head(name: str, trace_id: str, kind: str) -> dict[str, Any]:
    return {"id": trace_id, "object": kind, "created": int(time.time()), "model": name}


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.tokens,
    }


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "agentsym"}


def _check_model(model: Any, name: str) -> None:
    if model != name:
        raise Refused(404, "model_not_found", f"there is no such model here; the agent is called {name!r}")


def _bad(message: str) -> Refused:
    return Refused(400, "invalid_request_error", message)
