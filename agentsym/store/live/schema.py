"""The tables of deployed agents; they lie beside those of runs, in the same database.

Events cannot be dropped, so what people said to a deployed agent is kept in tables of its own, where it can.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Table

from agentsym.store.schema import LARGE, metadata
from agentsym.store.unstorable import AnyText

deployments = Table(
    "deployments",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("live", AnyText, nullable=False),
    Column("source", AnyText, nullable=False),
    Column("canary", AnyText),
    Column("share", Float, nullable=False),
    Column("frozen", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("changed", AnyText, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("deployment", AnyText, primary_key=True),
    Column("version", AnyText, primary_key=True),
    Column("parent", AnyText),
    Column("state", AnyText, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("content", AnyText, ForeignKey("texts.hash"), nullable=False),
    Column("created", AnyText, nullable=False),
    Column("changed", AnyText, nullable=False),
    Column("details", AnyText, nullable=False),
)

traces = Table(
    "traces",
    metadata,
    Column("seq", LARGE, primary_key=True),
    Column("id", AnyText, nullable=False, unique=True),
    Column("deployment", AnyText, nullable=False),
    Column("version", AnyText, nullable=False),
    Column("thread", AnyText, nullable=False),
    Column("at", AnyText, nullable=False),
    Column("example_id", AnyText, nullable=False),
    Column("status", AnyText, nullable=False),
    Column("error", AnyText),
    Column("calls", Integer, nullable=False),
    Column("tokens", LARGE, nullable=False),
    Column("usd", Float),
    Column("seconds", Float, nullable=False),
    Column("origin", AnyText, nullable=False),
    Column("trajectory", AnyText),
    Index("ix_traces_deployment_seq", "deployment", "seq"),
    Index("ix_traces_deployment_version_seq", "deployment", "version", "seq"),
    Index("ix_traces_at", "at"),
    sqlite_autoincrement=True,  # a number is never given twice, also where the last rows were dropped
)

feedback = Table(
    "feedback",
    metadata,
    Column("seq", LARGE, primary_key=True),
    Column("id", AnyText, nullable=False, unique=True),
    Column("trace_id", AnyText, nullable=False),
    Column("deployment", AnyText, nullable=False),
    Column("kind", AnyText, nullable=False),
    Column("score", Float),
    Column("text", AnyText, nullable=False),
    Column("label", AnyText),
    Column("author", AnyText, nullable=False),
    Column("at", AnyText, nullable=False),
    Index("ix_feedback_trace_id", "trace_id"),
    Index("ix_feedback_deployment_seq", "deployment", "seq"),
    sqlite_autoincrement=True,  # a number is never given twice, also where the last rows were dropped
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", AnyText, nullable=False),
    Column("actor", AnyText, nullable=False),
    Column("event", AnyText, nullable=False),
    Column("object_id", AnyText, nullable=False),
    Column("details", AnyText, nullable=False),
    Column("prev_hash", AnyText, nullable=False),
    Column("hash", AnyText, nullable=False),
    Index("ix_audit_object_id_event", "object_id", "event"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", AnyText, primary_key=True),
    Column("hash", AnyText, nullable=False),
    Column("name", AnyText, nullable=False),
    Column("scopes", AnyText, nullable=False),
    Column("created", AnyText, nullable=False),
    Column("expires", AnyText),
    Column("revoked", AnyText),
)

leases = Table(
    "leases",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("holder", AnyText, nullable=False),
    Column("until", Float, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", AnyText, primary_key=True),
    Column("token", AnyText, nullable=False),
    Column("expires", AnyText, nullable=False),
)
