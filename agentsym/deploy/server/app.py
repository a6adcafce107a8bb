"""`create_app`: the FastAPI app of a deployed agent, put together from its parts.

Further routers (the dashboard) and background tasks (retention, evolution) are handed in here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from agentsym.deploy.chat import check_chat_input
from agentsym.deploy.retention import retain
from agentsym.deploy.server.admission import Admission
from agentsym.deploy.server.auth import Doorkeeper
from agentsym.deploy.server.feedback import feedback_router
from agentsym.deploy.server.guard import Guard
from agentsym.deploy.server.invoke import invoke_router
from agentsym.deploy.server.metrics import Metrics
from agentsym.deploy.server.openai import openai_router
from agentsym.deploy.server.replies import Refused, refusal
from agentsym.deploy.server.served import Served
from agentsym.deploy.server.settings import Settings
from agentsym.deploy.server.status import status_router
from agentsym.deploy.server.stream import stream_router
from agentsym.deploy.service import Service
from agentsym.errors import AgentsymError

Background = Callable[[Service], Coroutine[Any, Any, None]]
"""Work beside the requests: begun with the server, cancelled when it stops."""

BUSY = ("/invoke", "/feedback")
"""Routes that nearly all requests go to."""

log = logging.getLogger("agentsym.serve")


class Part(NamedTuple):
    """A further router of the server.

    Attributes:
        router: the routes; its prefix is where they begin.
        own_auth: it sees itself to who may use it; otherwise its paths need a token like all others.
    """

    router: APIRouter
    own_auth: bool = False


def create_app(
    service: Service,
    settings: Settings | None = None,
    *,
    parts: Sequence[Callable[[Served], Part]] = (),
    background: Sequence[Background] = (),
) -> FastAPI:
    """Return the app of a deployed agent; the service is started and closed with it.

    Args:
        service: the deployed agent.
        settings: limits and doors.
        parts: make further routers.
        background: further work beside the requests.
    """
    settings = settings or Settings()
    check_chat_input(service.agent, settings.chat_input)
    doorkeeper = Doorkeeper(service.store.tokens if settings.auth else None)
    served = Served(service, settings, Admission(settings), doorkeeper, Metrics(service))
    app = FastAPI(
        title=service.name,
        description=service.agent.description,
        docs_url=None,  # its pages load scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the Host header that a client sent
        lifespan=_lifespan(service, (retain, *background)),
    )
    for make in (status_router, invoke_router, stream_router, feedback_router, openai_router):
        app.include_router(make(served))
    for part in (make_part(served) for make_part in parts):
        app.include_router(part.router)
        if part.own_auth:
            doorkeeper.leave(part.router.prefix)
    app.add_exception_handler(AgentsymError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(
        Guard,
        service=service,
        doorkeeper=doorkeeper,
        metrics=served.metrics,
        settings=settings,
        busy={
            ("POST", route.path): route for route in app.routes if isinstance(route, APIRoute) and route.path in BUSY
        },
    )
    app.state.served = served
    return app


def _routes(app: FastAPI) -> list[APIRoute]:
    return [route for route in app.routes if isinstance(route, APIRoute)]


def _lifespan(service: Service, background: Sequence[Background]) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        tasks = [asyncio.create_task(_watched(work, service)) for work in background]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(service.close)

    return lifespan


async def _watched(work: Background, service: Service) -> None:
    """Do work beside the requests; an error of its own ends it and is logged, and serving goes on."""
    try:
        await work(service)
    except Exception:
        log.exception("%s ended", getattr(work, "__name__", "a background task"))


async def _refused(_request: Request, error: Exception) -> Response:
    return refusal(error)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kinds = {404: ("not_found", "there is nothing at this path"), 405: ("method_not_allowed", "not with this method")}
    kind, message = kinds.get(error.status_code, ("refused", "the request cannot be served"))
    return refusal(Refused(error.status_code, kind, message, dict(error.headers or {})))


async def _invalid(_request: Request, error: Exception) -> Response:
    return refusal(Refused(422, "invalid_request", "a field of the request is missing or of the wrong type"))
