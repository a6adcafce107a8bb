"""The single migrations, found by alembic through this folder; once released, one is never changed."""
