"""The store in a SQLite file: where it may lie, how it is locked, and what SQLite's errors mean.

Writers begin with BEGIN IMMEDIATE, so two processes never act on the same last event; readers never wait.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from agentsym.errors import StoreError

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
SHARED = "For several machines there is PostgreSQL: set AGENTSYM_STORE to postgresql://USER:PASSWORD@HOST/DATABASE."


class SQLite:
    """A SQLite file."""

    other = "Name another file, or move it away."

    def __init__(self, path: Path) -> None:
        self._path = path

    def engines(self) -> tuple[Engine, Engine]:
        path = self._path
        if kind := network_file_system(path):
            raise StoreError(
                f"{path}: the store cannot lie on a network mount ({kind}), locks do not hold there. {ELSEWHERE} "
                f"{SHARED}"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{path.parent}: the folder of the store cannot be made ({error.strerror}). {ELSEWHERE}"
            ) from error
        return _engine(path, "BEGIN IMMEDIATE"), _engine(path, "BEGIN", "PRAGMA query_only=ON")

    def viewer(self) -> Engine:
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        return create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000))

    def explain(self, error: Exception) -> str:
        text = str(getattr(error, "orig", None) or error)
        remedies = {
            "not a database": f"this is not a SQLite database. {self.other}",
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
