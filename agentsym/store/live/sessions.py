"""Sessions: people who have shown a token to the dashboard, and whom their browser's cookie stands for since.

The store knows only the hash of a cookie, so every server of a deployment knows the session and nobody can read it
there; a session never outlives its token.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Engine, select

from agentsym.network.canonical import Frozen
from agentsym.store.database import explained
from agentsym.store.live.audit import append
from agentsym.store.live.schema import sessions
from agentsym.store.live.tokens import Token, Tokens

HOURS = 12


class Session(Frozen):
    """Somebody who is signed in.

    Attributes:
        token: the token that was shown.
        form_key: what every form of this session carries, and no page of another site can know.
        expires: when the session ends at the latest, UTC, ISO 8601.
    """

    token: Token
    form_key: str
    expires: str


class Begun(NamedTuple):
    """A new session, and the secret text that its cookie holds."""

    session: Session
    secret: str


class Sessions:
    """The sessions of a store. All methods raise StoreError where it cannot be read or written."""

    def __init__(self, path: Any, writer: Engine, reader: Engine) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._tokens = Tokens(path, writer, reader)

    def begin(self, token: Token) -> Begun:
        """Begin a session for a token that was checked; sessions that have ended are forgotten."""
        secret, now = secrets.token_urlsafe(32), datetime.now(UTC)
        expires = _text(now + timedelta(hours=HOURS))
        with explained(self.path), self._writer.begin() as connection:
            connection.execute(sessions.delete().where(sessions.c.expires <= _text(now)))
            connection.execute(sessions.insert().values(hash=_hash(secret), token=token.id, expires=expires))
            append(connection, token.name, "signed in", token.id)
        return Begun(Session(token=token, form_key=_form_key(secret), expires=expires), secret)

    def find(self, secret: str) -> Session | None:
        """Return the session of a cookie; None where there is none, or it or its token has ended."""
        query = select(sessions.c.token, sessions.c.expires).where(sessions.c.hash == _hash(secret))
        with explained(self.path), self._reader.begin() as connection:
            row = connection.execute(query).first()
        if row is None or row.expires <= _text(datetime.now(UTC)):
            return None
        token = self._tokens.good(row.token)
        return None if token is None else Session(token=token, form_key=_form_key(secret), expires=row.expires)

    def end(self, secret: str) -> None:
        """End a session; nothing happens where there is none."""
        with explained(self.path), self._writer.begin() as connection:
            connection.execute(sessions.delete().where(sessions.c.hash == _hash(secret)))


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def _form_key(secret: str) -> str:
    return _hash(f"form {secret}")


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
