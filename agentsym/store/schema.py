"""The tables of the store: `events` and `texts` are the truth, `answers` is for runs under way, the others are derived.

The migrations write the same tables down once more, step by step; a test holds the two together.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from agentsym.store.unstorable import AnyText

HEAD = "0004"
"""The newest migration; four digits, so that a file of a newer agentsym is known without alembic."""

metadata = MetaData()

LARGE = BigInteger().with_variant(Integer(), "sqlite")
"""A whole number of 64 bits; SQLite's have them anyway."""

events = Table(
    "events",
    metadata,
    Column("id", LARGE, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("data", Text, nullable=False),
    UniqueConstraint("run_id", "seq", name="uq_events_run_id_seq"),
    Index("ix_events_run_id_kind_seq", "run_id", "kind", "seq"),
)

texts = Table(
    "texts",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("text", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("best_version", Text),
    Column("val_before", Float),
    Column("val_after", Float),
    Column("test_before", Float),
    Column("test_after", Float),
    Column("calls", Integer, nullable=False),
    Column("tokens", LARGE, nullable=False),
    Column("usd", Float),
    Column("seconds", Float, nullable=False),
    Column("config", Text, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id"), primary_key=True),
    Column("hash", Text, primary_key=True),
    Column("parent", Text),
    Column("content", Text, ForeignKey("texts.hash"), nullable=False),
    Column("created", Text, nullable=False),
    Index("ix_versions_hash", "hash"),
)

trajectories = Table(
    "trajectories",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("example_id", AnyText, nullable=False),
    Column("phase", Text),
    Column("step", Integer),
    Column("score", Float),
    Column("status", Text, nullable=False),
    Column("error", AnyText),
    Column("calls", Integer, nullable=False),
    Column("tokens", LARGE, nullable=False),
    Column("usd", Float),
    Column("seconds", Float, nullable=False),
    Index("ix_trajectories_id", "id"),
)

steps = Table(
    "steps",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("node", Text, nullable=False),
    Column("visit", Integer, nullable=False),
    Column("route", Text),
    Column("error", AnyText),
    Column("calls", Integer, nullable=False),
    Column("tokens", LARGE, nullable=False),
    Column("usd", Float),
    Column("seconds", Float, nullable=False),
    ForeignKeyConstraint(["run_id", "seq"], ["trajectories.run_id", "trajectories.seq"]),
)

answers = Table(
    "answers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("seq", Integer),
    Column("key", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("usage", Text, nullable=False),
    Column("reply", Text),
    Index("ix_answers_run_id", "run_id"),
)

DERIVED = (runs, versions, trajectories, steps)
"""What `rebuild` empties and fills again, parents before children."""
