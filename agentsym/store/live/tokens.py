"""Tokens: who may ask a served agent what; only their hashes are stored.

A token is 256 random bits, so a plain SHA-256 of it is as safe as a slow hash, and can be checked at every request.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import Engine, select

from agentsym.errors import ConflictError, UsageError
from agentsym.network.canonical import Frozen
from agentsym.store.database import explained
from agentsym.store.live.audit import append
from agentsym.store.live.schema import tokens

Scope = Literal["invoke", "feedback", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "agentsym"
MOST_DAYS = 36_500


class Token(Frozen):
    """One token, without what is secret of it.

    Attributes:
        id: its public part.
        name: whose it is; feedback and audit entries name it.
        scopes: `invoke` asks, `feedback` judges, `admin` does everything.
        expires: when it ends; None never.
        revoked: when it was revoked; None it is not.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created: str
    expires: str | None = None
    revoked: str | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the token has a scope; `admin` has all."""
        return scope in self.scopes or "admin" in self.scopes


class Made(NamedTuple):
    """A new token, and its secret text, which is shown once and never stored."""

    token: Token
    secret: str

    def __repr__(self) -> str:
        return f"Made(token={self.token!r}, secret=…)"


class Tokens:
    """The tokens of a store. All methods raise StoreError where it cannot be read or written."""

    def __init__(self, path: Any, writer: Engine, reader: Engine) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader

    def create(self, name: str, scopes: tuple[Scope, ...], *, actor: str, days: float | None = None) -> Made:
        """Make a token.

        Raises:
            UsageError: a scope is unknown, or there is none, or the name is empty.
        """
        if not scopes or (unknown := sorted(set(scopes) - set(SCOPES))):
            given = f"there is no scope {', '.join(unknown)}" if scopes else "a token without a scope may do nothing"
            raise UsageError(f"{given}; scopes are {', '.join(SCOPES)}")
        if not name.strip() or not name.isprintable():
            raise UsageError("a token needs a name of one line, so that feedback and the audit log can say whose it is")
        if days is not None and not 0 < days <= MOST_DAYS:
            raise UsageError(f"a token may be good for up to {MOST_DAYS} days, not for {days:g}")
        now = datetime.now(UTC)
        made = Token(
            id=secrets.token_hex(6),
            name=name.strip(),
            scopes=tuple(dict.fromkeys(scopes)),
            created=_text(now),
            expires=None if days is None else _text(now + timedelta(days=days)),
        )
        secret = f"{PREFIX}_{made.id}_{secrets.token_urlsafe(32)}"
        row = {**made.model_dump(), "scopes": " ".join(made.scopes), "hash": _hash(secret)}
        with explained(self.path), self._writer.begin() as connection:
            connection.execute(tokens.insert().values(**row))
            append(connection, actor, "token created", made.id, {"name": made.name, "scopes": list(scopes)})
        return Made(made, secret)

    def check(self, secret: str) -> Token | None:
        """Return the token of a secret text; None where it is wrong, expired or revoked."""
        parts = secret.split("_", 2)
        if len(parts) != 3 or parts[0] != PREFIX or not secret.isascii():
            return None
        with explained(self.path), self._reader.begin() as connection:
            row = connection.execute(select(tokens).where(tokens.c.id == parts[1])).mappings().first()
        if row is None or not hmac.compare_digest(row["hash"], _hash(secret)):
            return None
        return _unless_ended(_token(row))

    def good(self, token_id: str) -> Token | None:
        """Return a token by its id; None where there is none, or it has expired or was revoked."""
        with explained(self.path), self._reader.begin() as connection:
            row = connection.execute(select(tokens).where(tokens.c.id == token_id)).mappings().first()
        return None if row is None else _unless_ended(_token(row))

    def any_good(self) -> bool:
        """Whether anybody is let in."""
        return any(_unless_ended(token) for token in self.all())

    def all(self) -> tuple[Token, ...]:
        """Return all tokens, the newest first."""
        with explained(self.path), self._reader.begin() as connection:
            rows = connection.execute(select(tokens).order_by(tokens.c.created.desc())).mappings().all()
        return tuple(map(_token, rows))

    def revoke(self, token_id: str, *, actor: str) -> None:
        """End a token, by its id or its name if only one token has it.

        Raises:
            UsageError: there is no such token that is still good.
        """
        found = [token for token in self.all() if token_id in (token.id, token.name) and token.revoked is None]
        if len(found) != 1:
            reason = "several tokens are called" if found else "there is no good token"
            raise UsageError(f"{reason} {token_id!r}; `agentsym tokens list` shows their ids")
        with explained(self.path), self._writer.begin() as connection:
            this = tokens.update().where(tokens.c.id == found[0].id, tokens.c.revoked.is_(None))
            if connection.execute(this.values(revoked=_text(datetime.now(UTC)))).rowcount != 1:
                raise ConflictError(f"token {found[0].id} has been revoked meanwhile")
            append(connection, actor, "token revoked", found[0].id, {"name": found[0].name})


def _token(row: Any) -> Token:
    plain = {key: value for key, value in row.items() if key != "hash"}
    return Token.model_validate({**plain, "scopes": plain["scopes"].split()})


def _unless_ended(token: Token) -> Token | None:
    expired = token.expires is not None and token.expires <= _text(datetime.now(UTC))
    return None if expired or token.revoked is not None else token


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
