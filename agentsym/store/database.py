"""Opening a store's database: which schema it has, how it gets this one, and what an error means.

What SQLite and PostgreSQL do each in its own way is behind `Database`; everything else in the store knows neither.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from agentsym.errors import StoreError
from agentsym.store.locks import queue
from agentsym.store.place import Place
from agentsym.store.schema import HEAD


class Database(Protocol):
    """One place, and how the software behind it wants to be treated.

    Attributes:
        other: what to do if it holds the tables of another program.
    """

    other: str

    def engines(self) -> tuple[Engine, Engine]:
        """Return the engine for writers, no two of which act on the same last event, and the one that cannot write.

        What must be there before anyone connects is made; StoreError if that fails.
        """

    def viewer(self) -> Engine:
        """Return an engine for a look at what is there: it makes nothing, and it cannot write."""

    def explain(self, error: Exception) -> str:
        """Say what an error means and what to do."""


def database_at(place: Place) -> Database:
    """Return the database at a place; only the software that it needs is loaded."""
    if isinstance(place, Path):
        from agentsym.store.sqlite import SQLite

        return SQLite(place)
    from agentsym.store.postgres import Postgres

    return Postgres(place)


def open_engines(place: Place) -> tuple[Engine, Engine]:
    """Open (or create) the store and bring its schema up to date.

    Returns:
        The engine for writers (`locks.queue` lets those on PostgreSQL go one by one) and the one for readers.

    Raises:
        StoreError: it cannot be used, is no store of ours, or was written by a newer agentsym.
        UsageError: the driver of the database is not installed.
    """
    writer, reader = database_at(place).engines()
    try:
        with explained(place):
            _migrate(place, writer, reader)
    except BaseException:
        writer.dispose()
        reader.dispose()
        raise
    return writer, reader


def look(place: Place) -> str | None:
    """Return the schema of the store at a place that answers, None if there are no tables yet; nothing is made.

    Raises:
        StoreError: it does not answer, is no store of ours, or was written by a newer agentsym.
        UsageError: the driver of the database is not installed.
    """
    engine = database_at(place).viewer()
    try:
        with explained(place), engine.begin() as connection:
            return _schema_version(place, connection)
    finally:
        engine.dispose()


def is_there(place: Place) -> bool:
    """Whether there is a file at a place, or tables in a server's database; nothing is made."""
    return place.exists() if isinstance(place, Path) else look(place) is not None


def _migrate(place: Place, writer: Engine, reader: Engine) -> None:
    """Bring the schema up to date; alembic is loaded only if there is something to do."""
    with reader.begin() as connection:
        if _schema_version(place, connection) == HEAD:
            return
    with writer.begin() as connection:
        queue(connection, "migration")  # another process may have done it by now
        if _schema_version(place, connection) != HEAD:
            upgrade(connection)


def _schema_version(place: Place, connection: Connection) -> str | None:
    """Return the schema's version, None for an empty database; raise StoreError for one that is not ours."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    version: str | None = None
    if "alembic_version" in tables and "events" in tables:
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if version is None or not version.isdecimal():
        raise StoreError(f"{place}: this database belongs to another program. {database_at(place).other}")
    if version > HEAD:
        raise StoreError(
            f"{place}: written by a newer agentsym (schema {version}, this one knows {HEAD}). "
            "Upgrade with: pip install --upgrade agentsym"
        )
    return version


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, revision)


@contextmanager
def explained(place: Place) -> Iterator[None]:
    """Turn the errors of SQLAlchemy and the drivers into a StoreError that says what to do."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:  # PostgreSQL is never asked past SQLAlchemy, which wraps its own
        raise StoreError(f"{place}: {database_at(place).explain(error)}") from error
