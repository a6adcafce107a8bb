"""What the server answers: JSON, written once, and errors that all have the same form.

An error is `{"error": {"type", "message", "code"}}` with `trace_id` where there is a trace; OpenAI's clients read it
too. Nothing of a request is ever repeated in it, and no traceback.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from agentsym.deploy.failures import (
    ModelBusy,
    NotRecorded,
    Overloaded,
    RequestFailed,
    RunExpired,
    RunFailed,
    Stopping,
    UnknownTrace,
)
from agentsym.errors import AgentsymError, StoreError, UsageError

RETRY_S = 1


class Refused(AgentsymError):
    """A request that is turned away before the agent sees it.

    Attributes:
        status: the HTTP status.
        kind: the error's type, one word for programs.
        headers: further headers of the reply.
    """

    def __init__(self, status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.kind = kind
        self.headers = headers or {}
        super().__init__(message)


_FAILURES: dict[type[Exception], tuple[int, str]] = {
    RunExpired: (504, "timeout"),
    ModelBusy: (503, "model_busy"),
    RunFailed: (500, "agent_failed"),
    NotRecorded: (503, "not_recorded"),
    Stopping: (503, "stopping"),
    Overloaded: (503, "overloaded"),
    UnknownTrace: (404, "unknown_trace"),
    UsageError: (422, "invalid_input"),
    StoreError: (503, "store_unavailable"),
}


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(encoded(value), status, headers, "application/json")


def encoded(value: Any) -> bytes:
    """Return a value as JSON; what a model wrote may hold half a character, which goes out escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def refusal(error: Exception) -> Response:
    """Return the response of an error."""
    status, body, headers = described(error)
    return reply(body, status, headers)


def described(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return status, body and headers of an error; of one that nobody foresaw nothing but that it happened."""
    if isinstance(error, Refused):
        return error.status, _body(error.kind, str(error)), error.headers
    for kind, (status, name) in _FAILURES.items():
        if isinstance(error, kind):
            message = "the store does not answer; try again later" if kind is StoreError else str(error)
            trace_id = error.trace_id if isinstance(error, RequestFailed) else None
            headers = {"retry-after": str(RETRY_S)} if status == 503 else {}
            if trace_id is not None:
                headers["x-trace-id"] = trace_id
            return status, _body(name, message, trace_id), headers
    return 500, _body("internal", "the server failed at this request; its log says more"), {}


def _body(kind: str, message: str, trace_id: str | None = None) -> dict[str, Any]:
    more = {} if trace_id is None else {"trace_id": trace_id}
    return {"error": {"type": kind, "message": message, "code": kind, **more}}
