"""`POST /feedback`: what a person, a program or a judge says of an answer, told by the trace's id."""

from __future__ import annotations

from typing import Any, get_args

from fastapi import APIRouter, Request, Response

from agentsym.deploy.server.auth import require
from agentsym.deploy.server.bodies import as_object, invalid, json_of
from agentsym.deploy.server.replies import reply
from agentsym.deploy.server.schemas import feedback_body
from agentsym.deploy.server.served import Served
from agentsym.store.live.traces import Kind

FIELDS = frozenset({"trace_id", "kind", "score", "text", "label"})
KINDS: tuple[Kind, ...] = get_args(Kind)


def feedback_router(served: Served) -> APIRouter:
    """Return the route."""
    service = served.service
    router = APIRouter()

    @router.post("/feedback", openapi_extra=feedback_body(service.agent, KINDS), response_class=Response)
    async def feedback(request: Request) -> Response:
        """Say how good an answer was; the same author may say more than one thing of it."""
        token = require(request, "feedback")
        served.admission.count(token)
        body = as_object(await json_of(request), FIELDS, "the body")
        given = _given(body)
        said = await service.feedback(**given, author=token.name)
        return reply({"id": said.id, "trace_id": said.trace_id, "kind": said.kind}, 201)

    return router


def _given(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of feedback; raise Refused for one of the wrong type."""
    trace_id, kind, score = body.get("trace_id"), body.get("kind"), body.get("score")
    text, label = body.get("text") or "", body.get("label")
    if not isinstance(trace_id, str) or not trace_id.isalnum():
        raise invalid("trace_id must be the id that came with the answer")
    if kind not in KINDS:
        raise invalid(f"kind must be one of {', '.join(KINDS)}")
    if score is not None and (isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1):
        raise invalid("score must be a number from 0 to 1")
    if not isinstance(text, str):
        raise invalid("text must be a text")
    if label is not None and not isinstance(label, dict):
        raise invalid("label must be an object: output field → the value that was wanted")
    return {"trace_id": trace_id, "kind": kind, "score": score, "text": text, "label": label}
