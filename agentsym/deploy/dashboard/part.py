"""The dashboard as a part of the HTTP server: `create_app(service, parts=[dashboard_part])`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentsym.deploy.dashboard.app import dashboard

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from agentsym.deploy.server.app import Part
    from agentsym.deploy.server.served import Served

PREFIX = "/dashboard"


def dashboard_part(served: Served) -> Part:
    """Return the dashboard of what is served; who may see it, it finds out itself."""
    from fastapi import APIRouter

    from agentsym.deploy.server.app import Part

    service = served.service
    router = APIRouter(prefix=PREFIX)
    router.add_route(PREFIX, _into, include_in_schema=False)
    router.mount(PREFIX, dashboard(service.store, service.name, feedback=service.feedback))
    return Part(router, own_auth=True)


async def _into(request: Request) -> Response:
    from starlette.responses import RedirectResponse

    return RedirectResponse(f"{request.scope.get('root_path', '')}{PREFIX}/", 308)
