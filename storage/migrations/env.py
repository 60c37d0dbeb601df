"""Alembic's entry: it migrates over the connection that ``storage.engine.upgrade_schema`` hands in."""

from __future__ import annotations

from alembic import context

from storage.tables import metadata

connection = context.config.attributes["connection"]
# Batches: SQLite alters a table by copying it. The caller's transaction is the migration's.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
