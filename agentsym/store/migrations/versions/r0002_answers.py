"""The calls that runs have made since their last checkpoint.

Rows are changed and deleted here, so the table has no triggers; in a file from before there is nothing to fill it with.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "answers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("usage", sa.Text, nullable=False),
        sa.Column("reply", sa.Text),
    )
    op.create_index("ix_answers_run_id", "answers", ["run_id"])
