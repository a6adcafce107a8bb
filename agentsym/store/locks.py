"""Letting writers queue: what SQLite does by itself for the whole database, PostgreSQL does here for one thing.

Whoever reads a last number and writes the next one must take the lock of that thing first.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select


def queue(connection: Connection, name: str) -> None:
    """Wait until no other transaction holds the lock of that name, and hold it until this one ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def freeze(connection: Connection, table: Table) -> None:
    """Wait until no other transaction has changed a table and not ended, and let none change it until this one ends.

    For whoever reads the whole table and writes what follows from it.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")
