"""The tables of deployed agents.

The audit log is append-only also for those who open the database with another program; traces and feedback are not,
since what people said must be droppable.
"""

import sqlalchemy as sa
from alembic import op

from agentsym.store.migrations.append_only import keep_append_only

LARGE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "deployments",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("live", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("canary", sa.Text),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("frozen", sa.Boolean, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("changed", sa.Text, nullable=False),
    )
    op.create_table(
        "releases",
        sa.Column("deployment", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("parent", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("content", sa.Text, sa.ForeignKey("texts.hash"), nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("changed", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
    )
    op.create_table(
        "traces",
        sa.Column("seq", LARGE, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("deployment", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("thread", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("example_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("tokens", LARGE, nullable=False),
        sa.Column("usd", sa.Float),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("trajectory", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_traces_deployment_seq", "traces", ["deployment", "seq"])
    op.create_index("ix_traces_deployment_version_seq", "traces", ["deployment", "version", "seq"])
    op.create_index("ix_traces_at", "traces", ["at"])
    op.create_table(
        "feedback",
        sa.Column("seq", LARGE, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("trace_id", sa.Text, nullable=False),
        sa.Column("deployment", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feedback_trace_id", "feedback", ["trace_id"])
    op.create_index("ix_feedback_deployment_seq", "feedback", ["deployment", "seq"])
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_index("ix_audit_object_id_event", "audit", ["object_id", "event"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("expires", sa.Text),
        sa.Column("revoked", sa.Text),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
    keep_append_only("audit")
