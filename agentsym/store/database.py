"""Opening the SQLite file: where it may lie, how it is locked, which schema it has, and what an error means.

Writers begin with BEGIN IMMEDIATE, so two processes never act on the same last event; readers never wait.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from agentsym.errors import StoreError
from agentsym.store.schema import HEAD

BUSY_MS = 15_000
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "fuse.sshfs",
        "fuse.glusterfs",
    }
)
ELSEWHERE = "Set AGENTSYM_HOME to a folder on a local disk that you may write to."


def open_engines(path: Path) -> tuple[Engine, Engine]:
    """Open (or create) the file and bring its schema up to date.

    Returns:
        The engine for writers (each transaction holds the write lock from its first moment) and the one for
        readers.

    Raises:
        StoreError: the file cannot be used, is no store of ours, or was written by a newer agentsym.
    """
    if kind := network_file_system(path):
        raise StoreError(
            f"{path}: the store cannot lie on a network mount ({kind}), locks do not hold there. {ELSEWHERE}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path.parent}: the folder of the store cannot be made ({error.strerror}). {ELSEWHERE}"
        ) from error
    writer, reader = _engine(path, "BEGIN IMMEDIATE"), _engine(path, "BEGIN", "PRAGMA query_only=ON")
    try:
        with explained(path):
            _migrate(path, writer, reader)
    except BaseException:
        writer.dispose()
        reader.dispose()
        raise
    return writer, reader


def _engine(path: Path, begin: str, *pragmas: str) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(path)))

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself: `begin` below does
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        _use_wal(connection, path)
        for pragma in ("PRAGMA synchronous=NORMAL", "PRAGMA foreign_keys=ON", *pragmas):
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _use_wal(connection: Any, path: Path) -> None:
    """Switch to the write-ahead log; the switch does not honour the busy timeout, so it is tried again."""
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    if mode != "wal":
        raise StoreError(f"{path}: the file system refuses SQLite's write-ahead log (it gave {mode!r}). {ELSEWHERE}")


def _migrate(path: Path, writer: Engine, reader: Engine) -> None:
    """Bring the schema up to date; alembic is loaded only if there is something to do."""
    with reader.begin() as connection:
        if _schema_version(path, connection) == HEAD:
            return
    with writer.begin() as connection:  # under the write lock: another process may have done it by now
        if _schema_version(path, connection) != HEAD:
            upgrade(connection)


def _schema_version(path: Path, connection: Connection) -> str | None:
    """Return the schema's version, None for an empty file; raise StoreError for a file that is not ours."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    version: str | None = None
    if "alembic_version" in tables and "events" in tables:
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if version is None or not version.isdecimal():
        raise StoreError(f"{path}: this database belongs to another program. Name another file, or move it away.")
    if version > HEAD:
        raise StoreError(
            f"{path}: written by a newer agentsym (schema {version}, this one knows {HEAD}). "
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
def explained(path: Path) -> Iterator[None]:
    """Turn the errors of SQLAlchemy and SQLite into a StoreError that says what to do."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"{path}: {_explain(error)}") from error


def _explain(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or error)
    remedies = {
        "not a database": "this is not a SQLite database. Name another file, or move it away.",
        "malformed": "the database is damaged. Restore a copy; `sqlite3 FILE .recover` may save its rows.",
        "unable to open": f"the file cannot be opened or created; is the folder writable? {ELSEWHERE}",
        "readonly": f"the file may not be written to. {ELSEWHERE}",
        "full": "the disk is full. Make room and try again; what was stored before is safe.",
        "disk I/O error": f"the disk failed. {ELSEWHERE}",
        "locked": f"another process has held the store for {BUSY_MS // 1000} seconds. Stop it, or try again.",
    }
    for sign, remedy in remedies.items():
        if sign in text:
            return f"{remedy} (SQLite: {text})"
    return text


def network_file_system(path: Path, mounts: str | None = None) -> str | None:
    """Return the network file system that a path lies on; None if it is local, or not known.

    Args:
        path: the file; it need not exist.
        mounts: the text of `/proc/mounts`; read from there by default (other systems than Linux have none).
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
    resolved, best, kind = path.resolve(), "", None
    for line in mounts.splitlines():
        _device, point, file_system, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if resolved.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, file_system
    return kind if kind in NETWORK_FILE_SYSTEMS else None
