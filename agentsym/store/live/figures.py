"""Figures of a deployed agent, counted where they lie: requests, failures and scores over time and by version.

The score of a request is the mean of the scores that were given to it; what has none counts as a request only.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, Row, ScalarSelect, Select, case, func, select

from agentsym.network.canonical import Frozen
from agentsym.store.database import explained
from agentsym.store.live.schema import feedback, traces


class Bucket(Frozen):
    """Requests that came one after the other.

    Attributes:
        since: when the first came, UTC, ISO 8601.
        until: when the last came.
        requests: how many there are.
        failed: how many of them failed.
        scored: how many of them have a score.
        score: the mean of these; None where there is none.
    """

    since: str
    until: str
    requests: int
    failed: int
    scored: int
    score: float | None


class Said(Frozen):
    """Feedback of one kind: how much there is, and the mean of its scores (None: it came without)."""

    kind: str
    count: int
    score: float | None


class Worth(Frozen):
    """What people and judges said of a version: how many of its requests have a score, and the mean of these."""

    scored: int
    score: float


class Figures:
    """The figures of a store. All methods raise StoreError where it cannot be read."""

    def __init__(self, path: Any, reader: Engine) -> None:
        self.path = path
        self._reader = reader

    def over_time(self, deployment: str, *, most: int, buckets: int) -> tuple[Bucket, ...]:
        """Return the newest live requests in buckets, the oldest first.

        A bucket is a stretch of places in the store, so they are of one size where nothing else is written between
        the requests; one that holds none is left out.
        """
        own = traces.c.deployment == deployment, traces.c.origin == "live"
        newest = select(traces.c.seq).where(*own).order_by(traces.c.seq.desc()).limit(most).subquery()
        ends = self._rows(select(func.min(newest.c.seq).label("first"), func.max(newest.c.seq).label("last")))[0]
        if ends.first is None:
            return ()
        place = ((traces.c.seq - ends.first) * buckets // (ends.last - ends.first + 1)).label("bucket")
        score = _score_of(traces.c.id).label("score")
        scored = select(traces.c.at, traces.c.status, place, score).where(
            *own, traces.c.seq.between(ends.first, ends.last)
        )
        rows = scored.subquery()
        query = select(
            func.min(rows.c.at).label("since"),
            func.max(rows.c.at).label("until"),
            func.count().label("requests"),
            func.sum(case((rows.c.status != "ok", 1), else_=0)).label("failed"),
            func.count(rows.c.score).label("scored"),
            func.avg(rows.c.score).label("score"),
        ).group_by(rows.c.bucket)
        return tuple(Bucket.model_validate(dict(row._mapping)) for row in self._rows(query.order_by(rows.c.bucket)))

    def worth(self, deployment: str) -> dict[str, Worth]:
        """Return version → what was said of it, of those that anything was said of."""
        score = func.avg(feedback.c.score).label("score")
        query = select(feedback.c.trace_id, score).where(feedback.c.deployment == deployment)
        of = query.where(feedback.c.score.is_not(None)).group_by(feedback.c.trace_id).subquery()
        query = select(traces.c.version, func.count().label("scored"), func.avg(of.c.score).label("score"))
        rows = self._rows(query.join_from(of, traces, traces.c.id == of.c.trace_id).group_by(traces.c.version))
        return {row.version: Worth(scored=row.scored, score=row.score) for row in rows}

    def said(self, deployment: str) -> tuple[Said, ...]:
        """Return how much feedback there is of each kind."""
        query = select(feedback.c.kind, func.count().label("count"), func.avg(feedback.c.score).label("score"))
        query = query.where(feedback.c.deployment == deployment).group_by(feedback.c.kind).order_by(feedback.c.kind)
        return tuple(Said.model_validate(dict(row._mapping)) for row in self._rows(query))

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with explained(self.path), self._reader.begin() as connection:
            return list(connection.execute(query))


def _score_of(trace_id: Any) -> ScalarSelect[Any]:
    query = select(func.avg(feedback.c.score)).where(feedback.c.trace_id == trace_id)
    return query.correlate(trace_id.table).scalar_subquery()
