"""The single migrations, found by alembic through their folder; a migration is never changed once released."""
