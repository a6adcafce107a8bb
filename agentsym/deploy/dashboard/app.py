"""`dashboard`: the pages as an ASGI application that a server mounts; it keeps the door and says what browsers may do.

Everything but the form for signing in and the styles takes a session; every form that changes something also takes
the session's key and must come from this site.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from agentsym.deploy.dashboard.entrance import Attempts, same_key, same_site
from agentsym.deploy.dashboard.pages import audit, candidates, login, overview, runs, tokens, traces
from agentsym.deploy.dashboard.rendering import files, render
from agentsym.deploy.dashboard.visits import Desk, Document, GiveFeedback, Handler, Page, Redirect, Reply, Visit, link
from agentsym.deploy.failures import RequestFailed, UnknownTrace
from agentsym.errors import ConflictError, StoreError, UsageError
from agentsym.store.live.sessions import HOURS, Session
from agentsym.store.store import Store

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

COOKIE = "agentsym_session"
LOGIN_S = 0.3  # every answer to a token takes this long, so its time says nothing
LARGEST = 1_000_000  # bytes of a form
FIELDS = 200
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SHOWN: Mapping[str, Handler] = {
    "/": overview.show,
    "/candidates": candidates.show_all,
    "/candidates/{version}": candidates.show,
    "/traces": traces.show_all,
    "/traces/{trace:path}": traces.show,
    "/audit": audit.show,
    "/tokens": tokens.show,
    "/runs/{run}": runs.show,
}
SENT: Mapping[str, Handler] = {
    "/freeze": overview.freeze,
    "/roll_back": overview.roll_back,
    "/candidates/{version}/approve": candidates.approve,
    "/candidates/{version}/reject": candidates.reject,
    "/traces/{trace:path}": traces.judge,
    "/tokens/{token}/revoke": tokens.revoke,
}
DONE = {
    "approved": "Approved: this version is live now.",
    "rejected": "Rejected: this version cannot come again.",
    "rolled_back": "Rolled back.",
    "frozen": "Learning is frozen; serving goes on.",
    "unfrozen": "Learning goes on.",
    "judged": "Thank you, this is noted down.",
    "revoked": "The token has ended.",
}

log = logging.getLogger(__name__)


def dashboard(store: Store, deployment: str, *, feedback: GiveFeedback) -> Starlette:
    """Return the dashboard of a deployment, to be mounted at any path.

    Args:
        store: where the deployment, its traces and the tokens are.
        deployment: its name.
        feedback: records what people say of a trace (`Service.feedback`).
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    door = _Door(Desk(store, deployment, feedback))
    routes = [
        Route("/static/{name}", _static),
        Route("/login", door.login_form, methods=["GET"]),
        Route("/login", door.login, methods=["POST"]),
        Route("/logout", door.logout, methods=["POST"]),
        *(Route(path, door.shows(handler), methods=["GET"]) for path, handler in SHOWN.items()),
        *(Route(path, door.takes(handler), methods=["POST"]) for path, handler in SENT.items()),
    ]
    told = {HTTPException: door.nowhere, StoreError: door.storeless, Exception: door.failed}
    return Starlette(routes=routes, exception_handlers=told)


class _Door:
    """Lets visits in and gives their replies the form of HTTP."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._attempts = Attempts()

    def shows(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a page."""

        async def endpoint(request: Request) -> Response:
            session = await self._session(request)
            if session is None:
                after = _within(request) + (f"?{request.url.query}" if request.url.query else "")
                return _redirect(request, link("login", after=login.within(after)))
            return await self._answer(request, session, handler, {})

        return endpoint

    def takes(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a form."""

        async def endpoint(request: Request) -> Response:
            session, form, refused = await self._trusted(request)
            if refused is not None or session is None:
                return refused or self._refused(request, None, "")
            return await self._answer(request, session, handler, form)

        return endpoint

    async def login_form(self, request: Request) -> Response:
        """Show the form, or go on where somebody is signed in."""
        after = request.query_params.get("after", "")
        if await self._session(request) is not None:
            return _redirect(request, login.within(after))
        return self._page(request, login.form(self._desk.deployment, after))

    async def login(self, request: Request) -> Response:
        """Take a token."""
        if not same_site(request.headers):
            return self._refused(request, None, "This form was not sent by a page of this server.")
        form = await _form(request)
        address, after = request.client.host if request.client else "", (form or {}).get("after", "")
        if wait := self._attempts.wait(address):
            page = login.form(self._desk.deployment, after, "Too many wrong tokens; try again later.", 429)
            return self._page(request, page, retry_after=int(wait) + 1)
        self._attempts.begin(address)
        ends = time.monotonic() + LOGIN_S
        begun = await asyncio.to_thread(login.sign_in, self._desk.store, (form or {}).get("token", ""))
        await asyncio.sleep(ends - time.monotonic())
        if begun is None:
            return self._page(request, login.form(self._desk.deployment, after, login.WRONG, 401))
        self._attempts.right(address)
        response = _redirect(request, login.within(after))
        response.set_cookie(
            COOKIE,
            begun.secret,
            max_age=HOURS * 3600,
            path=_root(request) or "/",
            secure="https" in (request.url.scheme, request.headers.get("x-forwarded-proto")),
            httponly=True,
            samesite="strict",
        )
        return response

    async def logout(self, request: Request) -> Response:
        """End the session."""
        _, _, refused = await self._trusted(request)
        if refused is not None:
            return refused
        await asyncio.to_thread(self._desk.store.sessions.end, request.cookies.get(COOKIE, ""))
        response = _redirect(request, "login")
        response.delete_cookie(COOKIE, path=_root(request) or "/")
        return response

    async def nowhere(self, request: Request, error: Exception) -> Response:
        """Answer where there is no such page."""
        status = getattr(error, "status_code", 404)
        session = await self._session(request)
        return self._problem(request, session, "There is no such page.", status)

    async def storeless(self, request: Request, error: Exception) -> Response:
        """Answer where the store does not."""
        return self._problem(request, None, str(error), 503)

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answer where something is wrong with the dashboard itself; the log has it."""
        return self._problem(request, None, "The dashboard failed at this; the server's log says why.", 500)

    async def _trusted(self, request: Request) -> tuple[Session | None, dict[str, str], Response | None]:
        """Return who sent a form and its fields, or else the answer that refuses it."""
        if not same_site(request.headers):
            return None, {}, self._refused(request, None, "This form was not sent by a page of this server.")
        session = await self._session(request)
        if session is None:
            page = login.form(self._desk.deployment, problem="Your session has ended; sign in again.", status=401)
            return None, {}, self._page(request, page)
        form = await _form(request)
        if form is None:
            return None, {}, self._problem(request, session, "The form is too large.", 413)
        if not same_key(form.get("key", ""), session.form_key):
            return (
                None,
                {},
                self._refused(request, session, "This form belongs to another session; open its page anew."),
            )
        return session, form, None

    async def _session(self, request: Request) -> Session | None:
        secret = request.cookies.get(COOKIE)
        return None if not secret else await asyncio.to_thread(self._desk.store.sessions.find, secret)

    async def _answer(self, request: Request, session: Session, handler: Handler, form: Mapping[str, str]) -> Response:
        visit = Visit(self._desk, session, request.path_params, request.query_params, form)
        try:
            return self._response(request, session, await _reply(handler, visit))
        except ConflictError as error:
            return await asyncio.to_thread(self._conflict, request, session, error)
        except (UsageError, UnknownTrace) as error:
            return self._problem(request, session, str(error), 422 if request.method == "POST" else 404)
        except RequestFailed as error:
            return self._problem(request, session, str(error), 503)

    def _response(self, request: Request, session: Session, reply: Reply) -> Response:
        match reply:
            case Redirect(to):
                return _redirect(request, to)
            case Document(html, policy):
                return _html(html, policy=policy)
            case Page():
                return self._page(request, reply, session)

    def _page(
        self, request: Request, page: Page, session: Session | None = None, *, retry_after: int | None = None
    ) -> Response:
        common = {
            "deployment_name": self._desk.deployment,
            "session": session,
            "notice": DONE.get(request.query_params.get("done", "")),
            "here": _within(request).partition("/")[0],
        }
        html = render(page.template, _root(request), {**common, **page.values})
        response = _html(html, page.status)
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def _problem(self, request: Request, session: Session | None, message: str, status: int, **values: Any) -> Response:
        common = {"message": message, "status": status, "now": None, "changed": ()}
        return self._page(request, Page("problem.html", {**common, **values}, status), session)

    def _refused(self, request: Request, session: Session | None, message: str) -> Response:
        return self._problem(request, session, message, 403)

    def _conflict(self, request: Request, session: Session, error: ConflictError) -> Response:
        """Say what has changed since the page was opened."""
        desk = self._desk
        now = desk.store.releases.deployment(desk.deployment)
        changed = desk.store.audit.entries(deployment=desk.deployment, most=5)
        return self._problem(request, session, str(error), 409, now=now, changed=changed)


async def _reply(handler: Handler, visit: Visit) -> Reply:
    if inspect.iscoroutinefunction(handler):
        return cast("Reply", await handler(visit))
    return cast("Reply", await asyncio.to_thread(handler, visit))


async def _form(request: Request) -> dict[str, str] | None:
    """Return the fields of a form, with lines that end as in Unix; None where it is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return None
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        return None
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


async def _static(request: Request) -> Response:
    from starlette.exceptions import HTTPException
    from starlette.responses import Response

    found = files().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(found.content, media_type=found.type, headers=headers)


def _html(html: str, status: int = 200, *, policy: str = POLICY) -> Response:
    from starlette.responses import HTMLResponse

    return HTMLResponse(html.encode("utf-8", "replace"), status, headers=_guarded(policy))


def _redirect(request: Request, to: str) -> Response:
    from starlette.responses import RedirectResponse

    return RedirectResponse(f"{_root(request)}/{to}", 303, headers=_guarded(POLICY))


def _guarded(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",  # with `no-referrer` browsers would not say where a form comes from
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")


def _within(request: Request) -> str:
    """Return the path of a request below the dashboard, as it was sent."""
    return request.url.path.removeprefix(_root(request)).lstrip("/")
