"""The response cache: equal requests are paid for once, in all processes of this machine.

It saves calls and never decides anything, so a cache file may be deleted at any time.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from agentsym.errors import StoreError
from agentsym.models.protocol import Reply

# "asym": written into the file's header, so that another program's database is never taken for a cache.
_APPLICATION = 0x6173796D


def default_cache_path() -> Path:
    """Return `cache.db` in the user's cache folder of agentsym."""
    from platformdirs import user_cache_path

    return user_cache_path("agentsym", appauthor=False) / "cache.db"


class ResponseCache:
    """Key → reply in one SQLite file, for several threads and processes at once.

    Args:
        path: the file, made where it is missing; by default `default_cache_path()`.

    Raises:
        StoreError: when the file cannot be opened or is no response cache.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = default_cache_path() if path is None else Path(path)
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._broken(error) from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._database.close()
            raise self._broken(error) from error
        except StoreError:
            self._database.close()
            raise

    def get(self, key: str) -> Reply | None:
        """Return the reply that was kept under a request's key."""
        try:
            with self._lock:
                row = self._database.execute("SELECT reply FROM responses WHERE key = ?", (key,)).fetchone()
            return None if row is None else Reply.model_validate_json(row[0])
        except (sqlite3.Error, ValidationError) as error:
            raise self._broken(error) from error

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; the first one that was kept stays, so that all processes see the same."""
        try:
            with self._lock:
                self._database.execute("INSERT OR IGNORE INTO responses VALUES (?, ?)", (key, reply.model_dump_json()))
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self) -> None:
        database = self._database
        database.execute("PRAGMA synchronous = NORMAL")
        # Exclusive before anything is read: of several processes that make the file at once, one makes it.
        database.execute("BEGIN IMMEDIATE")
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != _APPLICATION:
            if tables:
                database.execute("ROLLBACK")
                raise StoreError(f"{self.path} is another program's database, not a response cache; name another file")
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            database.execute("CREATE TABLE responses (key TEXT PRIMARY KEY, reply TEXT NOT NULL)")
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = WAL")

    def _broken(self, error: Exception) -> StoreError:
        return StoreError(
            f"the response cache {self.path} cannot be used ({error}); delete it (answers are then asked for "
            "anew) or name another file"
        )
