"""Documents have labels, may be copies of others, and come from places that are looked at again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("documents", sa.Column("copy_of", key, nullable=True))
    op.add_column("documents", sa.Column("labels", sa.Text(), server_default="{}", nullable=False))
    op.create_index(op.f("ix_documents_copy_of"), "documents", ["copy_of"])
    op.create_index(
        op.f("ix_documents_tenant_id_collection_content_hash"),
        "documents",
        ["tenant_id", "collection", "content_hash"],
    )
    op.add_column("collections", sa.Column("chinese", sa.Text(), server_default="pairs", nullable=False))
    op.create_table(
        "document_roots",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "collection", "root", name=op.f("pk_document_roots")),
    )


def downgrade() -> None:
    raise NotImplementedError("Schemas move forward only: restore a backup to go back.")
