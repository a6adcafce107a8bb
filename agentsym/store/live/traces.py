"""Traces of deployed agents: what was asked and answered, by which version, and what people said of it.

A trace is written once and dropped when it is too old; its row says what the monitor needs, its trajectory what
learning needs, and a request that was not sampled has a row without one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Engine, Row, Select, and_, case, cast, exists, func, or_, select

from agentsym.network.canonical import Frozen, content_hash
from agentsym.network.records import Score, Trajectory
from agentsym.store.database import explained
from agentsym.store.events import as_json
from agentsym.store.live.schema import feedback, traces
from agentsym.store.locks import queue
from agentsym.store.schema import LARGE

Kind = Literal["label", "edit", "thumb", "metric", "judge"]
"""What feedback is: the right output; the output as a person has mended it; up or down; a number of the user's own
program; a model's opinion."""
Origin = Literal["live", "imported"]
CHUNK = 400


class Trace(Frozen):
    """One request that a deployed agent has answered, or failed at.

    Attributes:
        seq: its place in the store; 0 until it is written.
        id: what the client was told.
        thread: the conversation or user that it belongs to; a canary is chosen by it.
        example_id: equal for equal inputs.
        origin: `live`, or `imported` from another program.
        trajectory: what happened; None where it was not sampled.
    """

    seq: int = 0
    id: str
    deployment: str
    version: str
    thread: str
    at: str
    example_id: str
    status: str = "ok"
    error: str | None = None
    calls: int = 0
    tokens: int = 0
    usd: float | None = 0.0
    seconds: float = 0.0
    origin: Origin = "live"
    trajectory: Trajectory | None = None


class Feedback(Frozen):
    """What somebody, or something, said of a trace.

    Attributes:
        seq: its place in the store; 0 until it is written.
        kind: what it is.
        score: in [0, 1]; None where only a label or a text was given.
        text: what was said.
        label: output field → the value that was wanted; one without a field is none.
        author: the name of the token that it came with.
    """

    seq: int = 0
    id: str
    trace_id: str
    deployment: str
    kind: Kind
    score: Score | None = None
    text: str = ""
    label: dict[str, Any] | None = None
    author: str
    at: str


class Wanted(Frozen):
    """Which traces are looked for; what is None does not matter."""

    version: str | None = None
    status: str | None = None
    thread: str | None = None
    judged: bool | None = None


def example_id_of(inputs: Mapping[str, Any]) -> str:
    """Return the id of a question: equal for equal inputs, as they are kept."""
    return content_hash(dict(inputs))[:16]


class Traces:
    """The traces of a store and their feedback. All methods raise StoreError where it cannot be read or written."""

    def __init__(self, path: Any, writer: Engine, reader: Engine) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader

    def add(self, found: Sequence[Trace], said: Sequence[Feedback] = ()) -> None:
        """Write traces and feedback down, all or none."""
        with explained(self.path), self._writer.begin() as connection:
            queue(connection, "traces")  # so that none comes to light behind one with a higher number
            if found:
                connection.execute(traces.insert(), [_trace_row(trace) for trace in found])
            if said:
                connection.execute(feedback.insert(), [_feedback_row(item) for item in said])

    def trace(self, trace_id: str) -> Trace | None:
        """Return a trace by its id; None if there is none, or none any more."""
        rows = self._rows(select(traces).where(traces.c.id == trace_id))
        return _trace(rows[0]) if rows else None

    def known(self, trace_ids: Iterable[str]) -> dict[str, str]:
        """Return trace id → deployment, of those traces that are there."""
        found: dict[str, str] = {}
        wanted = list(trace_ids)
        for start in range(0, len(wanted), CHUNK):
            query = select(traces.c.id, traces.c.deployment).where(traces.c.id.in_(wanted[start : start + CHUNK]))
            found.update((row.id, row.deployment) for row in self._rows(query))
        return found

    def recent(
        self,
        deployment: str,
        *,
        version: str | None = None,
        before: int | None = None,
        after: int | None = None,
        most: int = 50,
    ) -> tuple[Trace, ...]:
        """Return traces, the newest first: of a version, before or after a place in the store."""
        query = select(traces).where(traces.c.deployment == deployment).order_by(traces.c.seq.desc()).limit(most)
        if version is not None:
            query = query.where(traces.c.version == version)
        if before is not None:
            query = query.where(traces.c.seq < before)
        if after is not None:
            query = query.where(traces.c.seq > after)
        return tuple(map(_trace, self._rows(query)))

    def page(
        self, deployment: str, wanted: Wanted, *, before: int | None = None, after: int | None = None, most: int = 50
    ) -> tuple[Trace, ...]:
        """Return those traces next to a place in the store that are wanted, the newest first.

        Args:
            deployment: the deployment.
            wanted: which ones.
            before: the newest of those that came before this place.
            after: the oldest of those that came after it.
            most: how many at most.
        """
        query = select(traces).where(traces.c.deployment == deployment).limit(most)
        exact = wanted.model_dump(exclude={"judged"}, exclude_none=True)
        query = query.where(*(traces.c[name] == value for name, value in exact.items()))
        if wanted.judged is not None:
            said = exists().where(feedback.c.trace_id == traces.c.id)
            query = query.where(said if wanted.judged else ~said)
        if before is not None:
            query = query.where(traces.c.seq < before)
        if after is not None:
            rows = self._rows(query.where(traces.c.seq > after).order_by(traces.c.seq))
            return tuple(map(_trace, reversed(rows)))
        return tuple(map(_trace, self._rows(query.order_by(traces.c.seq.desc()))))

    def feedback_of(self, trace_ids: Iterable[str]) -> dict[str, tuple[Feedback, ...]]:
        """Return trace id → its feedback, the oldest first."""
        found: dict[str, list[Feedback]] = {}
        wanted = list(trace_ids)
        for start in range(0, len(wanted), CHUNK):
            of = feedback.c.trace_id.in_(wanted[start : start + CHUNK])
            for row in self._rows(select(feedback).where(of).order_by(feedback.c.seq)):
                found.setdefault(row.trace_id, []).append(_feedback(row))
        return {trace_id: tuple(items) for trace_id, items in found.items()}

    def judged(
        self, deployment: str, *, most: int, version: str | None = None
    ) -> Iterator[tuple[Trace, tuple[Feedback, ...]]]:
        """Yield the newest traces that were judged (see `first_judged`), each with its feedback, the newest first.

        Args:
            deployment: the deployment.
            most: how many at most.
            version: only those that this version answered.
        """
        said = select(feedback.c.trace_id).where(feedback.c.deployment == deployment)
        labelled = and_(traces.c.trajectory.is_not(None), traces.c.id.in_(said.where(feedback.c.label.is_not(None))))
        judges = or_(traces.c.id.in_(said.where(feedback.c.score.is_not(None))), labelled)
        query = select(traces).where(traces.c.deployment == deployment, judges).order_by(traces.c.seq.desc())
        if version is not None:
            query = query.where(traces.c.version == version)
        before: int | None = None
        while most > 0:
            page = query if before is None else query.where(traces.c.seq < before)
            rows = self._rows(page.limit(min(most, CHUNK)))
            if not rows:
                return
            of = self.feedback_of(row.id for row in rows)
            for row in rows:
                if row.id in of:  # it may have been dropped meanwhile
                    yield _trace(row), of[row.id]
            before = rows[-1].seq
            most -= len(rows)

    def asking(self, deployment: str, example_ids: Iterable[str]) -> dict[str, Trace]:
        """Return the id of a question → the newest trace that asks it and is kept, of those questions that have one."""
        found: dict[str, Trace] = {}
        wanted = list(example_ids)
        for start in range(0, len(wanted), CHUNK):
            is_asked = traces.c.example_id.in_(wanted[start : start + CHUNK])
            kept = traces.c.deployment == deployment, is_asked, traces.c.trajectory.is_not(None)
            for row in self._rows(select(traces).where(*kept).order_by(traces.c.seq)):
                found[row.example_id] = _trace(row)
        return found

    def said_since(self, deployment: str, seq: int) -> int:
        """Return how much feedback there is behind a place in the store."""
        query = select(func.count()).where(feedback.c.deployment == deployment, feedback.c.seq > seq)
        return int(self._rows(query)[0][0])

    def first_judged(self, deployment: str, version: str, since: str, *, most: int) -> list[Trace]:
        """Return the live traces of a version since a time that were judged first, in the order of their judgement.

        Judged is what has a score, or a label and the answer to compare it with. What comes later never changes the
        beginning of this list.
        """
        first = func.min(feedback.c.seq)
        labelled = and_(feedback.c.label.is_not(None), traces.c.trajectory.is_not(None))
        judges = or_(feedback.c.score.is_not(None), labelled)
        said = (
            select(feedback.c.trace_id, first.label("first"))
            .join(traces, traces.c.id == feedback.c.trace_id)
            .where(*_live(deployment, version, since), judges)
            .group_by(feedback.c.trace_id)
            .order_by(first)
            .limit(most)
            .subquery()
        )
        query = select(traces).join(said, said.c.trace_id == traces.c.id).order_by(said.c.first)
        return list(map(_trace, self._rows(query)))

    def outcomes(self, deployment: str, version: str, *, since: str = "", most: int, oldest: bool = False) -> list[str]:
        """Return the status of live requests of a version in the order in which they came: the newest, or the oldest.

        Args:
            deployment: the deployment.
            version: the version.
            since: only those from this time on.
            most: how many at most.
            oldest: the first ones instead of the last.
        """
        query = select(traces.c.status).where(*_live(deployment, version, since)).limit(most)
        found = [row.status for row in self._rows(query.order_by(traces.c.seq if oldest else traces.c.seq.desc()))]
        return found if oldest else found[::-1]

    def totals(self, deployment: str) -> dict[str, dict[str, Any]]:
        """Return version → how many requests it has answered, how many failed, calls, tokens, US dollars, seconds.

        The dollars are None where the price of any request is not known.
        """
        failed = func.sum(case((traces.c.status != "ok", 1), else_=0))
        priced = func.count(traces.c.usd) == func.count()
        query = (
            select(
                traces.c.version,
                func.count().label("requests"),
                failed.label("failed"),
                func.sum(traces.c.calls).label("calls"),
                cast(func.sum(traces.c.tokens), LARGE).label("tokens"),  # PostgreSQL's sum of these is a decimal
                case((priced, func.sum(traces.c.usd))).label("usd"),
                func.sum(traces.c.seconds).label("seconds"),
            )
            .where(traces.c.deployment == deployment)
            .group_by(traces.c.version)
        )
        return {row.version: {k: v for k, v in row._mapping.items() if k != "version"} for row in self._rows(query)}

    def drop_before(self, at: str, deployment: str, *, most: int = 1000) -> int:
        """Drop traces from before a time with their feedback, a limited number at once; return how many."""
        with explained(self.path), self._writer.begin() as connection:
            old = traces.c.deployment == deployment, traces.c.at < at
            ids = [row.id for row in connection.execute(select(traces.c.id).where(*old).limit(most))]
            for start in range(0, len(ids), CHUNK):
                chunk = ids[start : start + CHUNK]
                connection.execute(feedback.delete().where(feedback.c.trace_id.in_(chunk)))
                connection.execute(traces.delete().where(traces.c.id.in_(chunk)))
        return len(ids)

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with explained(self.path), self._reader.begin() as connection:
            return list(connection.execute(query))


def _live(deployment: str, version: str, since: str) -> tuple[ColumnElement[bool], ...]:
    """Return what picks the live requests of a version since a time."""
    return (
        traces.c.deployment == deployment,
        traces.c.version == version,
        traces.c.origin == "live",
        traces.c.at >= since,
    )


def _trace_row(trace: Trace) -> dict[str, Any]:
    row = trace.model_dump(exclude={"seq", "trajectory"})
    held = trace.trajectory
    row["trajectory"] = None if held is None else _json(held)
    return row


def _json(held: Trajectory) -> str:
    try:
        return held.model_dump_json(exclude_defaults=True)
    except ValueError:  # an output holds half of a surrogate pair, as a model may write one; it is stored escaped
        return as_json(held.model_dump(exclude_defaults=True))


def _trace(row: Row[Any]) -> Trace:
    plain = dict(row._mapping)
    held = plain.pop("trajectory")
    return Trace.model_validate({**plain, "trajectory": None if held is None else json.loads(held)})


def _feedback_row(item: Feedback) -> dict[str, Any]:
    label = as_json(item.label) if item.label else None
    return {**item.model_dump(exclude={"seq"}), "label": label}


def _feedback(row: Row[Any]) -> Feedback:
    plain = dict(row._mapping)
    label = plain["label"]
    return Feedback.model_validate({**plain, "label": None if label is None else json.loads(label)})
