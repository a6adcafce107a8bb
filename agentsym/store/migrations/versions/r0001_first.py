"""The first tables: events and texts, and what is derived from them.

Triggers keep `events` and `texts` append-only. Numbers that may outgrow 32 bits have 64 on PostgreSQL, too.
"""

import sqlalchemy as sa
from alembic import op

from agentsym.store.migrations.append_only import keep_append_only

revision = "0001"
down_revision = None


LARGE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "events",
        sa.Column("id", LARGE, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.UniqueConstraint("run_id", "seq", name="uq_events_run_id_seq"),
    )
    op.create_index("ix_events_run_id_kind_seq", "events", ["run_id", "kind", "seq"])
    op.create_table(
        "texts",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("best_version", sa.Text),
        sa.Column("val_before", sa.Float),
        sa.Column("val_after", sa.Float),
        sa.Column("test_before", sa.Float),
        sa.Column("test_after", sa.Float),
        *_costs(),
        sa.Column("config", sa.Text, nullable=False),
    )
    op.create_table(
        "versions",
        sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("parent", sa.Text),
        sa.Column("content", sa.Text, sa.ForeignKey("texts.hash"), nullable=False),
        sa.Column("created", sa.Text, nullable=False),
    )
    op.create_index("ix_versions_hash", "versions", ["hash"])
    op.create_table(
        "trajectories",
        sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("example_id", sa.Text, nullable=False),
        sa.Column("phase", sa.Text),
        sa.Column("step", sa.Integer),
        sa.Column("score", sa.Float),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        *_costs(),
    )
    op.create_index("ix_trajectories_id", "trajectories", ["id"])
    op.create_table(
        "steps",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("visit", sa.Integer, nullable=False),
        sa.Column("route", sa.Text),
        sa.Column("error", sa.Text),
        *_costs(),
        sa.ForeignKeyConstraint(["run_id", "seq"], ["trajectories.run_id", "trajectories.seq"]),
    )
    for table in ("events", "texts"):
        keep_append_only(table)


def _costs() -> list[sa.Column[object]]:
    return [
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("tokens", LARGE, nullable=False),
        sa.Column("usd", sa.Float),
        sa.Column("seconds", sa.Float, nullable=False),
    ]
