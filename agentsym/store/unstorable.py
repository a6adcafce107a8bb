"""Characters that a database's TEXT cannot hold, NUL and lone surrogates, written as something that it can.

A model may answer anything, and what was paid for must never be lost because of what is stored. On PostgreSQL this is
done where texts leave for the server and come back, so every table has it; on SQLite by the columns of `AnyText`.
"""

from __future__ import annotations

import re

from sqlalchemy import Dialect, Text, TypeDecorator

MARK = "\ufdd0"
"""Stands before four hexadecimal digits; Unicode keeps it free for use inside a program."""
_MARK = MARK.encode()
_UNSTORABLE = re.compile(f"[\0{MARK}\ud800-\udfff]")
_WRITTEN = re.compile(f"{MARK}([0-9a-f]{{4}})")


def storable(text: str) -> bytes:
    """Return a text as UTF-8 that the server takes."""
    try:
        plain = text.encode()
    except UnicodeEncodeError:
        pass
    else:
        if b"\0" not in plain and _MARK not in plain:
            return plain
    return _UNSTORABLE.sub(lambda found: f"{MARK}{ord(found[0]):04x}", text).encode()


def restored(text: str) -> str:
    """Undo `storable`."""
    return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), text) if MARK in text else text


class AnyText(TypeDecorator[str]):
    """A column that takes every text and gives back what was written, also on SQLite, whose driver refuses some."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what the driver is handed."""
        return value if value is None or dialect.name != "sqlite" else storable(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Undo `process_bind_param`."""
        return value if value is None or dialect.name != "sqlite" else restored(value)
