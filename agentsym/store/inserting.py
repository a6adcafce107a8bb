"""Inserting what may be there already, which SQLite and PostgreSQL mean alike and SQLAlchemy says twice."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table


def insert_new(connection: Connection, table: Table) -> Any:
    """Return an INSERT that leaves a row alone whose key is there already; `rowcount` tells how many were not.

    Give several rows in the same order in every process: on PostgreSQL, two writers that insert the same keys in
    opposite orders wait for each other, and one of them fails.
    """
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as insert_sqlite

        return insert_sqlite(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.postgresql import insert as insert_postgres

    return insert_postgres(table).on_conflict_do_nothing()
