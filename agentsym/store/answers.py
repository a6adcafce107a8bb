"""The calls that a run has made since its last checkpoint, with what they used and what was answered.

Events are written when a phase is over; these rows are what a process that dies in the middle of one leaves behind.
They go as soon as a checkpoint has counted them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import NamedTuple

from sqlalchemy import Engine, select, text

from agentsym.network.records import Usage
from agentsym.store.database import explained
from agentsym.store.place import Place
from agentsym.store.schema import answers

_SENT = "INSERT INTO answers (run_id, key, phase, node, usage) VALUES (:run_id, :key, :phase, :node, :usage)"
_SETTLED = "UPDATE answers SET seq = :seq, usage = :usage, reply = :reply WHERE id = :id"


class Call(NamedTuple):
    """One request that was sent.

    Attributes:
        seq: the number of the run's last event when it was settled; None while it is under way.
        key: equal for equal requests.
        phase: what it is counted as.
        node: whom it is counted for.
        usage: what it has used; the most that it can use while it is under way.
        reply: the answer as JSON; None where there is none.
    """

    seq: int | None
    key: str
    phase: str
    node: str
    usage: Usage
    reply: str | None


class Answers:
    """The table of calls. All methods raise StoreError where it cannot be read or written.

    Args:
        path: where it is, for messages.
        writer: the engine of writers.
        reader: the engine that cannot write.
    """

    def __init__(self, path: Place, writer: Engine, reader: Engine) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader

    def sent(self, run_id: str, key: str, phase: str, node: str, most: Usage) -> int:
        """Write down that a request is about to be sent, and the most that it can use; return the row's number."""
        values = {"run_id": run_id, "key": key, "phase": phase, "node": node, "usage": _json(most)}
        return self._write(_SENT, values)

    def settled(self, number: int, seq: int, usage: Usage, reply: str | None) -> None:
        """Write down what a call has used and what was answered, and the last event of the run by now."""
        self._write(_SETTLED, {"id": number, "seq": seq, "usage": _json(usage), "reply": reply})

    def calls(self, run_id: str) -> tuple[Call, ...]:
        """Return the calls of a run, in the order in which they were sent."""
        query = select(answers).where(answers.c.run_id == run_id).order_by(answers.c.id)
        with explained(self.path), self._reader.begin() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            Call(**{**{name: row[name] for name in Call._fields}, "usage": Usage.model_validate_json(row["usage"])})
            for row in rows
        )

    def settle_all(self, run_id: str, seq: int) -> None:
        """Let the calls that nobody will settle any more stand as they are: all that they could use is used."""
        under_way = (answers.c.run_id == run_id) & answers.c.seq.is_(None)
        with explained(self.path), self._writer.begin() as connection:
            connection.execute(answers.update().where(under_way).values(seq=seq))

    def drop(self, run_id: str, before: int) -> None:
        """Drop the calls that were settled before an event; it has counted them, and nobody asks for them again."""
        done = (answers.c.run_id == run_id) & (answers.c.seq < before)
        with explained(self.path), self._writer.begin() as connection:
            connection.execute(answers.delete().where(done))

    def _write(self, statement: str, values: Mapping[str, object]) -> int:
        """Write a row and return its number; every row is written twice, so it is done by the shortest way."""
        with explained(self.path):
            if self._writer.dialect.name != "sqlite":
                with self._writer.begin() as connection:
                    return int(connection.execute(text(f"{statement} RETURNING id"), values).scalar() or 0)
            with closing(self._writer.raw_connection()) as raw:  # past SQLAlchemy, at a quarter of the time
                driver = raw.driver_connection
                assert driver is not None
                return int(driver.execute(statement, values).lastrowid or 0)


def _json(usage: Usage) -> str:
    return usage.model_dump_json(exclude_defaults=True)
