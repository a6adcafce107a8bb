"""What alembic runs around the migrations: it uses the connection and the transaction that it is handed.

So a migration happens wholly or not at all, also when two processes open an old file at once.
"""

from alembic import context

from agentsym.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
