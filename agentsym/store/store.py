"""`Store`: append what happened, ask what is known, derive everything anew from the events.

Events and the texts they point to are the truth; whatever else is there can be thrown away and rebuilt, but for
the calls of runs that are under way (`answers`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from agentsym.errors import StoreError, UsageError
from agentsym.store.answers import Answers
from agentsym.store.database import explained, is_there, open_engines
from agentsym.store.events import Event, Texts, encode
from agentsym.store.inserting import insert_new
from agentsym.store.live.audit import Audit
from agentsym.store.live.figures import Figures
from agentsym.store.live.leases import Leases
from agentsym.store.live.releases import Releases
from agentsym.store.live.sessions import Sessions
from agentsym.store.live.tokens import Tokens
from agentsym.store.live.traces import Traces
from agentsym.store.locks import freeze, queue
from agentsym.store.place import Place, default_place, place_of
from agentsym.store.projections import apply, project
from agentsym.store.reading import PAGE, Reader, as_event, rows_of
from agentsym.store.schema import DERIVED, events, texts


def new_run_id() -> str:
    """Return an id for a run that sorts by time: date, time (UTC) and four random hex digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Store(Reader):
    """The memory of all runs. Open it with `Store.open`, use it as a context manager.

    Several processes may write at once. From these kinds of event tables are derived, any other is only kept:

    - `run` with `agent` and `config`; `checkpoint`; `resume`; `stop` with `status`. All may hold a `summary`:
      the columns of the run that change (steps, best_version, val_before, val_after, test_before, test_after,
      calls, tokens, usd, seconds, status).
    - `version`: `hash`, `parent`, `content` (the network).
    - `trajectory`: `trajectory`, and `phase`, `step`, `score` where they are known.

    Attributes:
        path: where it is; its text shows no password.
        answers: the calls of runs that are under way.
        traces: what deployed agents were asked and answered, and the feedback on it.
        releases: which versions of deployed agents there are, and which one is live.
        audit: who changed what of deployed agents.
        tokens: who may ask deployed agents.
        sessions: who is signed in to the dashboard.
        figures: requests and scores of deployed agents, counted.
        leases: which process does a thing that one is enough for.
    """

    def __init__(self, path: Place, writer: Engine, reader: Engine) -> None:
        super().__init__(path, reader)
        self._writer = writer
        self.answers = Answers(path, writer, reader)
        self.traces = Traces(path, writer, reader)
        self.releases = Releases(path, writer, reader)
        self.audit = Audit(path, writer, reader)
        self.tokens = Tokens(path, writer, reader)
        self.sessions = Sessions(path, writer, reader)
        self.leases = Leases(path, writer, reader)
        self.figures = Figures(path, reader)

    @classmethod
    def open(cls, place: Path | str | None = None, *, create: bool = True) -> Self:
        """Open the store, and make it if there is none.

        Args:
            place: a SQLite file, or a URL: `sqlite:///PATH`, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE` (extra
                `postgres`); `default_place()` if left out.
            create: whether it is made; where only what is there is of use, a mistyped place had better be an error.

        Raises:
            StoreError: it cannot be used; the message says why and what to do.
            UsageError: the URL is none of a store, or its driver is not installed; or there is no store to open.
        """
        found = place_of(place) if place is not None else default_place()
        if not create and not is_there(found):
            raise UsageError(f"there is no store at {found}; name another with --store or AGENTSYM_STORE")
        return cls(found, *open_engines(found))

    def close(self) -> None:
        """Close all connections; a closed store opens new ones when it is used again."""
        self._writer.dispose()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, run_id: str, kind: str, data: Mapping[str, Any], *, expect_seq: int | None = None) -> int:
        """Store one event and what follows from it, in one transaction.

        Args:
            run_id: the run.
            kind: what happened.
            data: what there is to say; models of ours may stand in it as they are.
            expect_seq: the number of the last event that the caller knows of (0: none); if another writer has
                appended since, nothing is stored.

        Returns:
            The event's number in its run.

        Raises:
            StoreError: `expect_seq` does not hold, the data does not fit the kind, or writing failed.
        """
        return self.append_many(run_id, [(kind, data)], expect_seq=expect_seq)

    def append_many(
        self, run_id: str, items: Iterable[tuple[str, Mapping[str, Any]]], *, expect_seq: int | None = None
    ) -> int:
        """Store several events (kind, data), all or none; return the number of the last one."""
        held = Texts()
        encoded = [(kind, encode(kind, data, held)) for kind, data in items]
        with explained(self.path), self._writer.begin() as connection:
            queue(connection, f"run {run_id}")
            last = _last_seq(connection, run_id)
            if expect_seq is not None and expect_seq != last:
                raise StoreError(
                    f"run {run_id}: another process has written to it (its last event is {last}, not "
                    f"{expect_seq}); only one may go on with a run"
                )
            at = datetime.now(UTC).isoformat(timespec="microseconds")
            rows = [
                {"run_id": run_id, "seq": last + place, "kind": kind, "at": at, "data": data}
                for place, (kind, data) in enumerate(encoded, start=1)
            ]
            if rows:
                _write(connection, rows, held)
            return last + len(rows)

    def rebuild(self) -> None:
        """Throw away everything derived and derive it again from the events, in one transaction."""
        with explained(self.path), self._writer.begin() as connection:
            freeze(connection, events)
            for table in reversed(DERIVED):
                connection.execute(table.delete())
            page = select(events).order_by(events.c.id).limit(PAGE)
            after = 0
            while rows := rows_of(connection, page.where(events.c.id > after)):
                _derive(connection, [as_event(row) for row in rows])
                after = rows[-1]["id"]


def _last_seq(connection: Connection, run_id: str) -> int:
    query = select(func.coalesce(func.max(events.c.seq), 0)).where(events.c.run_id == run_id)
    return int(connection.execute(query).scalar_one())


def _write(connection: Connection, rows: list[dict[str, Any]], held: Texts) -> None:
    if stored := held.rows():
        connection.execute(insert_new(connection, texts), stored)
    connection.execute(insert(events), rows)
    _derive(connection, [as_event(row) for row in rows])


def _derive(connection: Connection, happened: list[Event]) -> None:
    try:
        apply(connection, project(happened))
    except IntegrityError as error:
        first = happened[0]
        kinds = ", ".join(dict.fromkeys(event.kind for event in happened))
        raise StoreError(
            f"run {first.run_id}: the events ({kinds}) do not fit what is stored: {error.orig}. "
            "A run begins with one event `run`; versions and trajectories come after it."
        ) from error
