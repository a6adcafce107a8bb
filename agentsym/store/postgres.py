"""The store on a PostgreSQL server: its connections, texts that its TEXT cannot hold, and what its errors mean.

Writers read committed rows and take a lock by name (`locks.queue`); readers' transactions are read-only.
"""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import Engine, create_engine, event

from agentsym.errors import StoreError, UsageError
from agentsym.store.place import Server

POOL = 5
"""Connections that a process keeps open, and as many more that it may open when all are busy."""
CONNECT_SECONDS = 10

ADDRESS = "Is the server running, and are host and port right?"
LOGIN = "Put the right one into the URL, PGPASSWORD or ~/.pgpass."
RIGHTS = "Ask the owner of the database for: GRANT USAGE, CREATE ON SCHEMA public TO {user}, and rights on its tables."
LATER = "What was stored before is safe; try again."

REMEDIES = {
    "password authentication failed": f"the server does not accept user and password. {LOGIN}",
    "no password supplied": f"the server wants a password. {LOGIN}",
    "no pg_hba.conf entry": "the server lets nobody in from this machine with this user and database (pg_hba.conf).",
    "does not support SSL": "the server has no encryption, and sslmode in the URL asks for it.",
    "Connection refused": f"nobody answers there. {ADDRESS}",
    "No such file or directory": f"nobody answers there. {ADDRESS}",
    "resolve host": f"the host is not known. {ADDRESS}",
    "translate host name": f"the host is not known. {ADDRESS}",
    "timeout expired": f"nobody answered in time. {ADDRESS}",
    "too many clients": "the server has no free connection; end another client, or raise max_connections.",
    "connection slots": "the server has no free connection; end another client, or raise max_connections.",
    "starting up": f"the server is still starting up. {LATER}",
    "shutting down": f"the server is shutting down. {LATER}",
    "terminating connection": f"the server ended the connection. {LATER}",
    "closed the connection": f"the connection to the server was lost. {LATER}",
    "connection is lost": f"the connection to the server was lost. {LATER}",
    "read-only transaction": "the database is read-only (a standby?). Name the server that may be written to.",
    "No space left": f"the server's disk is full. Make room and try again. {LATER}",
    "deadlock detected": f"two writers waited for each other. {LATER}",
}
"""A piece of the error's text → what it means; errors of a connection that failed have nothing but a text."""


class Postgres:
    """A database on a PostgreSQL server."""

    other = "Name another database, or another schema of it: ?options=-csearch_path%3DSCHEMA"

    def __init__(self, server: Server) -> None:
        self._server = server

    def engines(self) -> tuple[Engine, Engine]:
        writer = self._engine()
        return writer, writer.execution_options(postgresql_readonly=True)  # both draw on one pool

    def viewer(self) -> Engine:
        return self._engine().execution_options(postgresql_readonly=True)

    def explain(self, error: Exception) -> str:
        original = getattr(error, "orig", None) or error
        text = " ".join(str(original).split())
        if known := self._by_code(getattr(original, "sqlstate", None)):
            return f"{known} (PostgreSQL: {text})"
        if "database" in text and "does not exist" in text:
            name = self._server.url.database or self._server.url.username
            return f"there is no such database. Make it with: createdb --encoding=UTF8 {name} (PostgreSQL: {text})"
        for sign, remedy in REMEDIES.items():
            if sign in text:
                return f"{remedy} (PostgreSQL: {text})"
        return text

    def _by_code(self, code: str | None) -> str | None:
        user = self._server.url.username or "you"
        return {
            "42501": f"{user} may not do this there. {RIGHTS.format(user=user)}",
            "53100": REMEDIES["No space left"],
            "53300": REMEDIES["too many clients"],
            "25006": REMEDIES["read-only transaction"],
            "40P01": REMEDIES["deadlock detected"],
            "57P01": REMEDIES["terminating connection"],
        }.get(code or "")

    def _engine(self) -> Engine:
        url = self._server.url
        settings: dict[str, Any] = {"client_encoding": "utf8", "fallback_application_name": "agentsym"}
        if "connect_timeout" not in url.query and "PGCONNECT_TIMEOUT" not in os.environ:
            settings["connect_timeout"] = CONNECT_SECONDS
        try:
            engine = create_engine(
                url,
                connect_args=settings,
                isolation_level="READ COMMITTED",  # what is read after waiting for a lock must be what is there now
                pool_pre_ping=True,
                pool_size=POOL,
                max_overflow=POOL,
            )
            from psycopg.pq import TransactionStatus

            from agentsym.store.postgres_texts import register
        except ImportError as error:
            raise UsageError(
                f'{self._server}: PostgreSQL needs psycopg; install it with: pip install "agentsym[postgres]"'
            ) from error

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _record: Any) -> None:
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise StoreError(
                    f"{self._server}: the database is encoded in {encoding}, which does not hold every text. "
                    "Make one with: createdb --encoding=UTF8 --template=template0 NAME"
                )
            register(connection)

        @event.listens_for(engine, "checkin")
        def come_back(connection: Any, _record: Any) -> None:
            if connection is not None and connection.info.transaction_status == TransactionStatus.IDLE:
                connection.read_only = None  # as the server says by default, not READ WRITE as SQLAlchemy leaves it

        return engine
