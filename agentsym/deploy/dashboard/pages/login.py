"""Signing in: a form that takes a token. Every wrong one is answered alike."""

from __future__ import annotations

import re
from typing import Any

from agentsym.deploy.dashboard.visits import Page
from agentsym.store.live.sessions import Begun
from agentsym.store.store import Store

WRONG = "That is no token with the scope “admin”, or it has ended."
_WITHIN = re.compile(r"(?!/)(?!.*\.\.)[\w./?=&%+~-]{0,500}", re.ASCII)


def form(deployment: str, after: str = "", problem: str = "", status: int = 200) -> Page:
    """Return the page with the form.

    Args:
        deployment: whose dashboard it is.
        after: where the browser goes when a token was right, relative to the dashboard.
        problem: what was wrong.
        status: the HTTP status.
    """
    values: dict[str, Any] = {"after": within(after), "problem": problem}
    return Page("login.html", {"deployment_name": deployment, **values}, status)


def within(after: str) -> str:
    """Return an address if it is one below the dashboard, else the first page's."""
    return after if _WITHIN.fullmatch(after) else ""


def sign_in(store: Store, secret: str) -> Begun | None:
    """Begin a session for a token's secret text; None where the token may not see the dashboard."""
    token = store.tokens.check(secret.strip())
    return store.sessions.begin(token) if token is not None and token.may("admin") else None
