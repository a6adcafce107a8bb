"""Tokens at the door: every path but the open ones needs one, and a route says which scope it asks for.

A token that was good is taken for good for a few seconds, so a revoked one ends within that time; wrong ones are never
remembered.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from hashlib import sha256

from starlette.requests import Request
from starlette.types import Scope as Asked

from agentsym.deploy.server.replies import Refused
from agentsym.store.live.tokens import Scope, Token, Tokens

REMEMBERED_S = 5.0
MOST = 1024  # tokens remembered
OPEN = ("/health", "/ready")
EVERYBODY = Token(id="", name="anonymous", scopes=("admin",), created="")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Doorkeeper:
    """Finds out who asks.

    Args:
        tokens: the store's tokens; None lets everybody in who asks this machine by its own name.
    """

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens
        self._left: list[str] = []
        self._good: OrderedDict[bytes, tuple[Token, float]] = OrderedDict()

    def leave(self, prefix: str) -> None:
        """Leave the paths below a prefix to those who have made them; they see to it themselves who may use them."""
        self._left.append(prefix)

    async def admit(self, asked: Asked) -> Token | None:
        """Return the token of a request; None where its path is open.

        Raises:
            Refused: there is no token, or it is not good (any more).
        """
        path: str = asked["path"]
        headers = dict(asked["headers"])
        if self._tokens is None:
            _check_host(headers.get(b"host", b"").decode("latin-1"))
            return EVERYBODY
        if path in OPEN or any(path == prefix or path.startswith(f"{prefix}/") for prefix in self._left):
            return None
        kind, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not secret:
            raise _unauthorized("this needs a token: Authorization: Bearer … (`agentsym tokens create` makes one)")
        token = await self.token(secret.strip())
        if token is None:
            raise _unauthorized("this token is wrong, expired or revoked")
        return token

    async def token(self, secret: str) -> Token | None:
        """Return the token of a secret text; None where it is not good."""
        if self._tokens is None:
            return EVERYBODY
        key = sha256(secret.encode("utf-8", "surrogatepass")).digest()
        known = self._good.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        self._good.pop(key, None)
        token = await asyncio.to_thread(self._tokens.check, secret)
        if token is not None:
            self._good[key] = token, time.monotonic() + REMEMBERED_S
            if len(self._good) > MOST:
                self._good.popitem(last=False)
        return token


def token_of(request: Request) -> Token:
    """Return the token that a request came with."""
    token: Token = request.scope["token"]
    return token


def require(request: Request, scope: Scope) -> Token:
    """Return the request's token if it has a scope; raise Refused where it has not."""
    token = token_of(request)
    if not token.may(scope):
        raise Refused(403, "forbidden", f"this token may not do that; it needs the scope {scope!r}")
    return token


def _check_host(host: str) -> None:
    """Raise Refused for a name that is not this machine's own: a web page that has its name lead here sends its own."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name.lower() not in LOOPBACK:
        raise Refused(403, "forbidden", "a server without tokens answers only at localhost, 127.0.0.1 or [::1]")


def _unauthorized(message: str) -> Refused:
    return Refused(401, "unauthorized", message, {"www-authenticate": "Bearer"})
