"""The store's vectors move to rows of their own, several an item."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "store_texts",
        sa.Column("text_key", _BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("text_key", name=op.f("pk_store_texts")),
        sa.UniqueConstraint(
            "tenant_id",
            "namespace",
            "key",
            "path",
            "place",
            name=op.f("uq_store_texts_tenant_id_namespace_key_path_place"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "namespace", "key"],
            ["store_items.tenant_id", "store_items.namespace", "store_items.key"],
            name=op.f("fk_store_texts_tenant_id_namespace_key"),
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_store_texts_tenant_id_embedder"), "store_texts", ["tenant_id", "embedder"])
    op.create_table(
        "store_revisions",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_store_revisions")),
    )
    # What was found by its vector is found again once it is embedded anew; memories, by their words until now.
    op.get_bind().execute(
        sa.text(
            "INSERT INTO store_texts (tenant_id, namespace, key, path, place, digest, embedder) "
            "SELECT tenant_id, namespace, key, CASE WHEN namespace = :memories THEN 'text' ELSE '$' END, 0, "
            ":none, '' FROM store_items WHERE namespace = :memories OR vector IS NOT NULL"
        ),
        {"memories": "memories\x1f", "none": b""},
    )
    op.drop_column("store_items", "vector")
    op.drop_column("store_items", "embedder")
