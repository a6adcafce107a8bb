"""`POST /invoke` and `POST /batch`: inputs in, outputs and the id of the trace out."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from agentsym.deploy.server.auth import require
from agentsym.deploy.server.bodies import as_object, invalid, json_of, text_of
from agentsym.deploy.server.faults import log_fault
from agentsym.deploy.server.replies import described, reply
from agentsym.deploy.server.schemas import BATCH, INVOKE, agent_body
from agentsym.deploy.server.served import Served
from agentsym.deploy.service import Answer

FIELDS = frozenset({"inputs", "thread_id"})
THREAD_ID = 200  # characters


class Asked(NamedTuple):
    """What a client asks: the inputs, and the thread that they belong to."""

    inputs: dict[str, Any]
    thread: str | None


def invoke_router(served: Served) -> APIRouter:
    """Return the two routes."""
    service, settings, admission, metrics = served.service, served.settings, served.admission, served.metrics
    router = APIRouter()

    async def answered(asked: Asked) -> Answer:
        async with admission.place(service.timeout):
            answer = await service.answer(asked.inputs, asked.thread)
        metrics.used(answer.usage)
        return answer

    @router.post("/invoke", openapi_extra=agent_body(service.agent, INVOKE), response_class=Response)
    async def invoke(request: Request) -> Response:
        """Run the agent on one input."""
        admission.count(require(request, "invoke"))
        answer = await answered(asked_of(await json_of(request), "the body"))
        return reply(_told(answer), headers={"x-trace-id": answer.trace_id})

    @router.post("/batch", openapi_extra=agent_body(service.agent, BATCH), response_class=Response)
    async def batch(request: Request) -> Response:
        """Run the agent on several inputs; each has its own result or error, in their order."""
        token = require(request, "invoke")
        items = await json_of(request)
        if not isinstance(items, list) or not 1 <= len(items) <= settings.max_batch:
            raise invalid(f"the body must be a list of 1 to {settings.max_batch} objects like those of /invoke")
        admission.check_queue()
        admission.count(token, len(items))
        places = asyncio.Semaphore(settings.concurrency)

        async def one(number: int, item: Any) -> dict[str, Any]:
            try:
                asked = asked_of(item, f"item {number}")
                async with places:  # a batch waits for its own, so that it takes no more places than run at once
                    return _told(await answered(asked))
            except Exception as error:
                log_fault(error)
                status, body, _ = described(error)
                return {"status": status, **body}

        results = await asyncio.gather(*(one(number, item) for number, item in enumerate(items)))
        return reply({"results": results})

    return router


def asked_of(value: Any, where: str) -> Asked:
    """Return what a client asks; raise Refused where it cannot be understood."""
    body = as_object(value, FIELDS, where)
    inputs = body.get("inputs")
    if not isinstance(inputs, dict):
        raise invalid(f"{where}: inputs must be an object: field → value")
    return Asked(inputs, text_of(body, "thread_id", THREAD_ID))


def _told(answer: Answer) -> dict[str, Any]:
    return {"trace_id": answer.trace_id, "version": answer.version, "output": answer.output}
