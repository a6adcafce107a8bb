"""Leases: which of several processes does a thing that one is enough for.

They save work and keep nothing safe: clocks may differ, a holder may sleep. What must not happen twice is done by
compare-and-swap in `releases`.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Engine, or_, select

from agentsym.store.database import explained
from agentsym.store.live.schema import leases
from agentsym.store.locks import queue


class Leases:
    """The leases of a store. All methods raise StoreError where it cannot be read or written."""

    def __init__(self, path: Any, writer: Engine, reader: Engine) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader

    def take(self, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease; False where another holder has it."""
        now = time.time()
        with explained(self.path), self._writer.begin() as connection:
            queue(connection, f"lease {name}")
            free = or_(leases.c.holder == holder, leases.c.until < now)
            if connection.execute(select(leases.c.name).where(leases.c.name == name)).first() is None:
                connection.execute(leases.insert().values(name=name, holder=holder, until=now + seconds))
                return True
            taken = leases.update().where(leases.c.name == name, free).values(holder=holder, until=now + seconds)
            return connection.execute(taken).rowcount == 1

    def drop(self, name: str, holder: str) -> None:
        """Give a lease back, if it is the holder's."""
        with explained(self.path), self._writer.begin() as connection:
            connection.execute(leases.delete().where(leases.c.name == name, leases.c.holder == holder))

    def holder(self, name: str) -> str | None:
        """Return who has a lease; None where nobody does."""
        query = select(leases.c.holder).where(leases.c.name == name, leases.c.until >= time.time())
        with explained(self.path), self._reader.begin() as connection:
            return connection.execute(query).scalar()
