"""What Alembic runs: the migrations, on the connection and in the transaction of `storage.schema`."""

from __future__ import annotations

from alembic import context

from motet.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # The caller's transaction holds the lock and covers every migration: all of them, or none.
    transactional_ddl=True,
    transaction_per_migration=False,
    include_name=lambda name, kind, _parents: not (kind == "table" and str(name).startswith("fts_")),
)
with context.begin_transaction():
    context.run_migrations()
