"""Where a store is: a SQLite file, or a database on a PostgreSQL server, which several machines can share.

A path and a URL are told apart here, once; a URL's password is shown nowhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from agentsym.errors import UsageError

FORMS = "a path, sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_SECRET = ("password", "sslpassword")
PASSWORD_FILE = "AGENTSYM_STORE_PASSWORD_FILE"
"""Names a file that holds the password of a server's URL without one, as containers and services are given secrets."""


@dataclass(frozen=True, repr=False)
class Server:
    """A database on a PostgreSQL server; its text is its URL without the password.

    Attributes:
        url: the URL with the password.
    """

    url: URL

    def __str__(self) -> str:
        shown = self.url.set(drivername="postgresql").difference_update_query(_SECRET)
        return shown.render_as_string(hide_password=True)

    __repr__ = __str__


Place: TypeAlias = Path | Server
"""A SQLite file or a database on a server; `str` of it belongs into messages."""


def default_place() -> Place:
    """Return where the store is: `AGENTSYM_STORE`, else `$AGENTSYM_HOME/agentsym.db`, else in the user's data folder.

    Raises:
        UsageError: `AGENTSYM_STORE` is no path and no URL of a store.
    """
    if store := os.environ.get("AGENTSYM_STORE", "").strip():
        return place_of(store)
    if home := os.environ.get("AGENTSYM_HOME"):
        return Path(home).expanduser() / "agentsym.db"
    from platformdirs import user_data_path

    return user_data_path("agentsym", appauthor=False) / "agentsym.db"


def place_of(store: Path | str) -> Place:
    """Return the place that a path or a URL names.

    Raises:
        UsageError: it names none, or the file with its password cannot be read; the message shows nothing that may be
            part of a password.
    """
    if isinstance(store, Path) or "://" not in store:
        return _file(str(store))
    try:
        url = make_url(store)
    except (ArgumentError, ValueError):
        _refuse("its URL cannot be read")
    if url.drivername == "sqlite":
        if url.query or url.host:
            _refuse("the URL of a SQLite file has three slashes, four before an absolute path, and no `?`")
        return _file(url.database or "")
    if url.drivername not in _POSTGRES:
        _refuse(f"{url.drivername}:// is not supported")
    if "@" in (url.host or "") + (url.database or ""):
        _refuse("its URL has several `@`: write those of the password as %40")
    if url.password is None and "password" not in url.query:
        url = url.set(password=_password())
    return Server(url.set(drivername="postgresql+psycopg"))


def _file(path: str) -> Path:
    if path in ("", ":memory:"):
        _refuse("a store in memory would be gone with its process")
    return Path(path).expanduser()


def _password() -> str | None:
    """Return what `AGENTSYM_STORE_PASSWORD_FILE` holds, without the end of its line; None where it is not set."""
    name = os.environ.get(PASSWORD_FILE, "").strip()
    if not name:
        return None
    try:
        password = Path(name).expanduser().read_text("utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"{PASSWORD_FILE}: {name} cannot be read: {why}") from None
    if not password:
        raise UsageError(f"{PASSWORD_FILE}: {name} is empty; it has to hold the password of the store's user")
    return password


def _refuse(reason: str) -> NoReturn:
    raise UsageError(
        f"the store (as it was named, or AGENTSYM_STORE): {reason}. It is {FORMS}; in a URL, special characters of the "
        "password are written as %40 (@), %2F (/), %3A (:), %23 (#), %25 (%)"
    ) from None
