"""`POST /stream`: one run as server-sent events, what each node gives or what models say, then the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request, Response

from agentsym.deploy.server.auth import require
from agentsym.deploy.server.bodies import invalid, json_of
from agentsym.deploy.server.faults import log_fault
from agentsym.deploy.server.invoke import asked_of
from agentsym.deploy.server.replies import described
from agentsym.deploy.server.schemas import STREAM, agent_body
from agentsym.deploy.server.served import Served
from agentsym.deploy.server.sse import EventStream, event
from agentsym.deploy.service import Answer, Begun
from agentsym.runtime.streaming import MODES, StreamMode


def stream_router(served: Served) -> APIRouter:
    """Return the route."""
    service, settings = served.service, served.settings
    router = APIRouter()

    @router.post("/stream", openapi_extra=agent_body(service.agent, STREAM), response_class=Response)
    async def stream(request: Request) -> Response:
        """Run the agent on one input and send what happens as it happens."""
        served.admission.count(require(request, "invoke"))
        mode = request.query_params.get("mode", "updates")
        if mode not in MODES:
            raise invalid(f"mode must be one of {', '.join(MODES)}")
        asked = asked_of(await json_of(request), "the body")
        begun = service.begin(asked.inputs, asked.thread)  # what does not fit is told by the status
        served.admission.check_queue()
        events = _events(served, begun, "text" if mode == "text" else "updates")
        return EventStream(events, settings.ping, {"x-trace-id": begun.trace_id})

    return router


async def _events(served: Served, begun: Begun, mode: StreamMode) -> AsyncGenerator[bytes, None]:
    service = served.service
    try:
        async with (
            served.admission.place(service.timeout),
            aclosing(service.stream(begun, mode=mode)) as happenings,
        ):
            async for item in happenings:
                if isinstance(item, Answer):
                    served.metrics.used(item.usage)
                    done = {"trace_id": item.trace_id, "version": item.version, "output": item.output}
                    yield event(done, "done")
                else:
                    yield event({item.node: item.value}, item.kind)
    except Exception as error:
        log_fault(error)
        _status, body, _headers = described(error)
        yield event(body, "error")
