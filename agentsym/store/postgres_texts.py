"""How psycopg writes and reads texts, so that every table on PostgreSQL holds what TEXT alone cannot."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.adapt import Buffer, Dumper, Loader

from agentsym.store.unstorable import restored, storable


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
