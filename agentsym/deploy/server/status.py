"""What the server says of itself: alive, ready, which versions there are, and its figures."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from agentsym.deploy.server.auth import token_of
from agentsym.deploy.server.replies import reply
from agentsym.deploy.server.served import Served
from agentsym.store.live.lifecycle import Release

SCORES = ("n", "base", "candidate", "gain", "verdict")  # of the shadow evaluation
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def status_router(served: Served) -> APIRouter:
    """Return the routes; `/health` and `/ready` are open to everybody, so they tell nothing that is anybody's."""
    service = served.service
    router = APIRouter()

    @router.get("/health", response_class=Response)
    async def health() -> Response:
        """Say that the process is alive."""
        return reply({"alive": True})

    @router.get("/ready", response_class=Response)
    async def ready() -> Response:
        """Say whether requests should be sent here; an older version that goes on answering is named as degraded."""
        answers = service.versions.store_answers
        is_ready = answers and not service.stopping
        body = {
            "ready": is_ready,
            "store": "ok" if answers else "does not answer",
            "version": "ok" if service.versions.problem is None else "degraded: an older one answers",
            "stopping": service.stopping,
        }
        return reply(body, 200 if is_ready else 503)

    @router.get("/versions", response_class=Response)
    async def versions(request: Request) -> Response:
        """List the versions of the deployment, the newest first, with their states and scores."""
        token_of(request)
        found = await asyncio.to_thread(service.store.releases.releases, service.name)
        deployment = await asyncio.to_thread(service.store.releases.deployment, service.name)
        head = {} if deployment is None else deployment.model_dump(include={"live", "canary", "share", "frozen"})
        return reply({"deployment": service.name, **head, "versions": [_told(release) for release in found]})

    @router.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        """Return the figures in Prometheus' text format."""
        token_of(request)
        return Response(served.metrics.text(), media_type=PROMETHEUS)

    return router


def _told(release: Release) -> dict[str, Any]:
    told = release.model_dump(include={"version", "parent", "state", "reason", "created", "changed"})
    shadow = release.details.get("shadow") or {}
    return {**told, "scores": {name: shadow[name] for name in SCORES if name in shadow} or None}
