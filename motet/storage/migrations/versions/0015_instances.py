"""SQLite: where each word of a full-text index stands can be read, by a table that stores nothing."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in ("fts_passages", "fts_messages"):
        op.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {table}_instances USING fts5vocab({table}, instance)")


def downgrade() -> None:
    raise NotImplementedError("Schemas move forward only: restore a backup to go back.")
