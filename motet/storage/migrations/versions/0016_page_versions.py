"""What a server calls the version of a page that was taken in, so that the same is not sent again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("etag", sa.Text(), server_default="", nullable=False))
    op.add_column("documents", sa.Column("last_modified", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Schemas move forward only: restore a backup to go back.")
