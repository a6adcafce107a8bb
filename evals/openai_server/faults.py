"""The ways in which the server can misbehave, each a named value.

Clients are tested against what providers and the gateways before them really do, so every case has one name here and
the server needs to know only the four kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Completion = dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """An error in OpenAI's form instead of an answer; nothing is billed.

    Attributes:
        name: what the fault is called.
        status: HTTP status.
        message: the error's text; `{model}` stands for the model asked for.
        type: the error's type.
        code: the error's code.
        param: the part of the request that it is about.
        headers: sent with it.
    """

    name: str
    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, model: str) -> dict[str, Any]:
        """Return the JSON body for a request to `model`."""
        message = self.message.replace("{model}", model)
        return {"error": {"message": message, "type": self.type, "param": self.param, "code": self.code}}


@dataclass(frozen=True)
class Garbage:
    """Status 200 with a body that is no answer.

    Attributes:
        name: what the fault is called.
        text: the body.
        content_type: what it says it is.
        billed: whether the model has answered and only the body is spoilt.
    """

    name: str
    text: str
    content_type: str
    billed: bool


@dataclass(frozen=True)
class Altered:
    """An answer that was made, and billed, and then changed before it was sent."""

    name: str
    change: Callable[[Completion], Completion]


@dataclass(frozen=True)
class Broken:
    """An answer that was made, and billed, and does not arrive as it should.

    Attributes:
        name: what the fault is called.
        sends: the share of the body that is sent, from 0 to 1.
        then: `close` closes the connection, `end` ends the body as if it were whole, `hang` keeps silent.
        pause: seconds before every 16 bytes of the body.
    """

    name: str
    sends: float
    then: str
    pause: float = 0.0


Fault = Refusal | Garbage | Altered | Broken


def rate_limited(retry_after: float) -> Refusal:
    """Return a 429 that asks to wait `retry_after` seconds."""
    wait = {"Retry-After": f"{retry_after:g}"}
    return Refusal(
        "rate limited", 429, "Rate limit reached for {model}.", "requests", "rate_limit_exceeded", None, wait
    )


def drip(pause: float) -> Broken:
    """Return an answer that comes in pieces of 16 bytes, `pause` seconds before each."""
    return Broken("drip", 1.0, "end", pause)


def _choice(completion: Completion, finish_reason: str | None = None, **message: Any) -> Completion:
    first = completion["choices"][0]
    changed = {**first, "message": {**first["message"], **message}}
    changed["finish_reason"] = finish_reason or first["finish_reason"]
    return {**completion, "choices": [changed]}


def _malformed_arguments(completion: Completion) -> Completion:
    """Cut the arguments of every tool call short; an answer without one gets a call of a tool named `lookup`."""
    calls = completion["choices"][0]["message"].get("tool_calls") or [
        {"id": "call_0", "type": "function", "function": {"name": "lookup", "arguments": '{"query": "x"}'}}
    ]
    cut = [
        {**call, "function": {**call["function"], "arguments": call["function"]["arguments"][:-2]}} for call in calls
    ]
    return _choice(completion, "tool_calls", content=None, tool_calls=cut)


SERVER_ERROR = Refusal("server error", 500, "The server had an error.", "server_error")
OVERLOADED = Refusal("overloaded", 503, "The engine is overloaded.", "server_error")
RATE_LIMITED = rate_limited(1)
OUT_OF_CREDIT = Refusal(
    "out of credit", 429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota"
)
BAD_KEY = Refusal("bad key", 401, "Incorrect API key provided.", code="invalid_api_key")
FORBIDDEN = Refusal("forbidden", 403, "Your project has no access to {model}.", code="model_not_allowed")
NO_MODEL = Refusal("no such model", 404, "The model `{model}` does not exist.", code="model_not_found", param="model")
TOO_LONG = Refusal(
    "too long",
    400,
    "This model's maximum context length is 8192 tokens. However, your messages resulted in more.",
    code="context_length_exceeded",
    param="messages",
)
NO_SCHEMA = Refusal(
    "no schema",
    400,
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    param="response_format",
)

DROP_BEFORE = Broken("drop before", 0.0, "close")
DROP_MIDDLE = Broken("drop in the middle", 0.5, "close")
CUT_OFF = Broken("cut off", 0.5, "end")
HANG = Broken("hang", 0.0, "hang")
DRIP = drip(0.01)

HTML = Garbage("html", "<!doctype html><title>Gateway</title><p>Please sign in.</p>", "text/html", False)
BAD_JSON = Garbage("bad json", '{"id": "chatcmpl-0", "choices": [{"index": 0, "mess', "application/json", True)

NO_CHOICES = Altered("no choices", lambda made: {**made, "choices": []})
NO_USAGE = Altered("no usage", lambda made: {key: value for key, value in made.items() if key != "usage"})
DECLINED = Altered("declined", lambda made: _choice(made, content=None, refusal="I cannot help with that."))
FILTERED = Altered("filtered", lambda made: _choice(made, "content_filter", content=""))
BAD_ARGUMENTS = Altered("bad arguments", _malformed_arguments)

ALL: tuple[Fault, ...] = (
    *(SERVER_ERROR, OVERLOADED, RATE_LIMITED, OUT_OF_CREDIT, BAD_KEY, FORBIDDEN, NO_MODEL, TOO_LONG, NO_SCHEMA),
    *(DROP_BEFORE, DROP_MIDDLE, CUT_OFF, HANG, DRIP, HTML, BAD_JSON),
    *(NO_CHOICES, NO_USAGE, DECLINED, FILTERED, BAD_ARGUMENTS),
)
