"""The tables of deployed agents; they lie beside those of runs, in the same database.

Events cannot be dropped, so what people said to a deployed agent is kept in tables of its own, where it can.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text

from agentsym.store.schema import metadata

deployments = Table(
    "deployments",
    metadata,
    Column("name", Text, primary_key=True),
    Column("live", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("canary", Text),
    Column("share", Float, nullable=False),
    Column("frozen", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("changed", Text, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("deployment", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("parent", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("content", Text, ForeignKey("texts.hash"), nullable=False),
    Column("created", Text, nullable=False),
    Column("changed", Text, nullable=False),
    Column("details", Text, nullable=False),
)

traces = Table(
    "traces",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("deployment", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("example_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("calls", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("usd", Float),
    Column("seconds", Float, nullable=False),
    Column("origin", Text, nullable=False),
    Column("trajectory", Text),
    Index("ix_traces_deployment_seq", "deployment", "seq"),
    Index("ix_traces_deployment_version_seq", "deployment", "version", "seq"),
    Index("ix_traces_at", "at"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("trace_id", Text, nullable=False),
    Column("deployment", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("score", Float),
    Column("text", Text, nullable=False),
    Column("label", Text),
    Column("author", Text, nullable=False),
    Column("at", Text, nullable=False),
    Index("ix_feedback_trace_id", "trace_id"),
    Index("ix_feedback_deployment_seq", "deployment", "seq"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("ix_audit_object_id_event", "object_id", "event"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("expires", Text),
    Column("revoked", Text),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Float, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("expires", Text, nullable=False),
)
