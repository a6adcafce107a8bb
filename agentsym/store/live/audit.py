"""The audit log: who changed what of a deployed agent, each entry chained to the one before by its hash.

Nobody can alter, drop or insert an entry in the middle without breaking the chain; whoever keeps the head's hash
elsewhere also notices when entries are cut off at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, or_, select

from agentsym.errors import StoreError
from agentsym.network.canonical import Frozen
from agentsym.store.database import explained
from agentsym.store.live.schema import audit
from agentsym.store.locks import queue

GENESIS = "0" * 64
PAGE = 500
_UNREADABLE = (StoreError, TypeError, ValueError)


class Entry(Frozen):
    """One entry of the audit log.

    Attributes:
        seq: 1, 2, 3 … without gaps.
        at: when, UTC, ISO 8601.
        actor: who: a token's name, a person's account, `evolution`.
        event: what: `promoted`, `rolled_back`, `token created` …
        object_id: of what: `deployment@version`, a token's id …
        details: all else, as plain JSON.
        prev_hash: the hash of the entry before; zeros for the first one.
        hash: SHA-256 of everything above.
    """

    seq: int
    at: str
    actor: str
    event: str
    object_id: str
    details: str
    prev_hash: str
    hash: str

    def data(self) -> dict[str, Any]:
        """Return the details as values."""
        found: dict[str, Any] = json.loads(self.details)
        return found


class Broken(Frozen):
    """The first entry that does not fit the chain, and what is wrong with it."""

    seq: int
    problem: str


class Audit:
    """The audit log of a store. All methods raise StoreError where it cannot be read or written."""

    def __init__(self, path: Any, writer: Engine, reader: Engine) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader

    def write(self, actor: str, event: str, object_id: str, details: Mapping[str, Any] | None = None) -> Entry:
        """Append one entry in a transaction of its own."""
        with explained(self.path), self._writer.begin() as connection:
            return append(connection, actor, event, object_id, details)

    def entries(
        self,
        *,
        before: int | None = None,
        most: int = 100,
        object_id: str | None = None,
        deployment: str | None = None,
        events: Sequence[str] = (),
    ) -> tuple[Entry, ...]:
        """Return entries, the newest first: those before a number, about one object or deployment, of some events."""
        query = select(audit).order_by(audit.c.seq.desc()).limit(most)
        if before is not None:
            query = query.where(audit.c.seq < before)
        if object_id is not None:
            query = query.where(audit.c.object_id == object_id)
        if deployment is not None:
            of = audit.c.object_id.startswith(f"{deployment}@", autoescape=True)
            query = query.where(or_(audit.c.object_id == deployment, of))
        if events:
            query = query.where(audit.c.event.in_(events))
        with explained(self.path), self._reader.begin() as connection:
            return tuple(Entry.model_validate(dict(row)) for row in connection.execute(query).mappings())

    def last(self, event: str, object_id: str) -> Entry | None:
        """Return the last entry of an event about an object; None if there is none."""
        query = select(audit).where(audit.c.event == event, audit.c.object_id == object_id)
        with explained(self.path), self._reader.begin() as connection:
            row = connection.execute(query.order_by(audit.c.seq.desc()).limit(1)).mappings().first()
        return None if row is None else Entry.model_validate(dict(row))

    def holds(self, hash: str) -> bool:
        """Whether an entry has a hash."""
        with explained(self.path), self._reader.begin() as connection:
            return connection.execute(select(audit.c.seq).where(audit.c.hash == hash)).first() is not None

    def verify(self) -> Broken | Entry | None:
        """Walk the whole chain; return the first entry that is wrong, else the last one (None: the log is empty)."""
        last: Entry | None = None
        for entry in self._all():
            if isinstance(entry, Broken):
                return entry
            expected = 1 if last is None else last.seq + 1
            if entry.seq > expected:
                return Broken(seq=expected, problem=f"it is missing; {entry.seq} comes next")
            if entry.seq < expected:
                return Broken(seq=entry.seq, problem="there is no such number in a log that begins with 1")
            if entry.prev_hash != (GENESIS if last is None else last.hash):
                return Broken(seq=entry.seq, problem="it does not follow from the entry before")
            if entry.hash != _hash(entry.model_dump(exclude={"hash"})):
                return Broken(seq=entry.seq, problem="its content is not what was hashed when it was written")
            last = entry
        return last

    def _all(self) -> Iterator[Entry | Broken]:
        """Yield all entries in order, up to the first one that cannot be read."""
        after: int | None = None
        while True:
            query = select(audit.c.seq).order_by(audit.c.seq).limit(PAGE)
            with explained(self.path), self._reader.begin() as connection:
                numbers = connection.scalars(query if after is None else query.where(audit.c.seq > after)).all()
            if not numbers:
                return
            try:
                yield from self._between(numbers[0], numbers[-1])
            except _UNREADABLE:  # what another program wrote may be no text; find out where
                yield from self._one_by_one(numbers)
            after = numbers[-1]

    def _between(self, first: int, last: int) -> list[Entry]:
        query = select(audit).where(audit.c.seq.between(first, last)).order_by(audit.c.seq)
        with explained(self.path), self._reader.begin() as connection:
            return [Entry.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def _one_by_one(self, numbers: Sequence[int]) -> Iterator[Entry | Broken]:
        for number in numbers:
            try:
                yield from self._between(number, number)
            except _UNREADABLE:
                yield Broken(seq=number, problem="it cannot be read")
                return


def append(
    connection: Connection, actor: str, event: str, object_id: str, details: Mapping[str, Any] | None = None
) -> Entry:
    """Append one entry inside a writer's transaction, so that a change and its entry are there together or not at all.

    Writers queue here until the transaction ends, so it is to be its last statement.
    """
    queue(connection, "audit")
    last = connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
    content = {
        "seq": 1 if last is None else last.seq + 1,
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "actor": actor,
        "event": event,
        "object_id": object_id,
        "details": json.dumps(details or {}, sort_keys=True, ensure_ascii=True, default=str),
        "prev_hash": GENESIS if last is None else last.hash,
    }
    entry = Entry.model_validate({**content, "hash": _hash(content)})
    connection.execute(audit.insert().values(**entry.model_dump()))
    return entry


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
