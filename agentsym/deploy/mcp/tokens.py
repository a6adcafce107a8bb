"""Who may call a server over HTTP: whoever brings a token that a verifier knows.

A verifier is any async function from a token to the scopes that it gives, None for an unknown one; that which knows a
single secret is the simplest.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING

from agentsym.errors import UsageError

if TYPE_CHECKING:
    from mcp.server.auth.provider import AccessToken

Verify = Callable[[str], Awaitable[Collection[str] | None]]


def single_token(secret: str) -> Verify:
    """Return the verifier that knows one token.

    Raises:
        UsageError: it is empty, or holds what no header can carry.
    """
    if not secret or not secret.isascii() or any(sign.isspace() for sign in secret):
        raise UsageError("a token is one word of ASCII characters without spaces; the one that was given is not")
    wanted = _digest(secret)

    async def verify(token: str) -> Collection[str] | None:
        return ("*",) if hmac.compare_digest(_digest(token), wanted) else None

    return verify


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Verifier:
    """A verifier as the SDK asks it; each token is a client of its own, so no other can take over its session."""

    def __init__(self, verify: Verify) -> None:
        self._verify = verify

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return what a token stands for, None for nothing."""
        from mcp.server.auth.provider import AccessToken

        scopes = await self._verify(token)
        if scopes is None:
            return None
        return AccessToken(token=token, client_id=_digest(token).hex()[:32], scopes=list(scopes))
