"""Characters that PostgreSQL's TEXT cannot hold, NUL and lone surrogates, written as something that it can.

A model may answer anything, and a run that was paid for must never fail because of what is stored. This is done where
texts leave for the server and come back, so every table has it, and a reader gets what a writer gave.
"""

from __future__ import annotations

import re
from typing import Any

from psycopg import Connection
from psycopg.adapt import Buffer, Dumper, Loader

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


class _TextDumper(Dumper):
    def dump(self, obj: Any) -> bytes:
        return storable(obj)


class _TextLoader(Loader):
    def load(self, data: Buffer) -> str:
        return restored(str(data, "utf-8"))


def register(connection: Connection[Any]) -> None:
    """Let a connection write and read texts this way."""
    connection.adapters.register_dumper(str, _TextDumper)
    for kind in ("text", "varchar"):
        connection.adapters.register_loader(kind, _TextLoader)
