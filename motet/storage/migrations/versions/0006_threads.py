"""Conversations are tagged, rewound, and kept for a time of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("threads", sa.Column("rewinds", sa.Integer(), server_default="0", nullable=False))
    op.add_column("threads", sa.Column("rewound_messages", sa.Integer(), server_default="0", nullable=False))
    op.add_column("threads", sa.Column("ttl_s", sa.Float(), nullable=True))
    op.add_column("messages", sa.Column("rewound", sa.Integer(), nullable=True))
    op.create_table(
        "thread_tags",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "thread_id", "tag", name=op.f("pk_thread_tags")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["threads.tenant_id", "threads.thread_id"],
            name=op.f("fk_thread_tags_tenant_id_thread_id"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(op.f("ix_thread_tags_tenant_id_tag"), "thread_tags", ["tenant_id", "tag"])


def downgrade() -> None:
    raise NotImplementedError("Schemas move forward only: restore a backup to go back.")
