"""The ledger of tool calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "tool_calls",
        sa.Column("position", _BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("call_key", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("arguments_digest", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("asks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("reused_key", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["threads.tenant_id", "threads.thread_id"],
            name=op.f("fk_tool_calls_tenant_id_thread_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_tool_calls")),
        sa.UniqueConstraint("tenant_id", "call_key", name=op.f("uq_tool_calls_tenant_id_call_key")),
    )
    op.create_index(op.f("ix_tool_calls_tenant_id_thread_id"), "tool_calls", ["tenant_id", "thread_id"])
    op.create_index(
        op.f("ix_tool_calls_tenant_id_run_id_tool_arguments_digest"),
        "tool_calls",
        ["tenant_id", "run_id", "tool", "arguments_digest"],
    )


def downgrade() -> None:
    raise NotImplementedError("Schemas move forward only: restore a backup to go back.")
