"""Budgets are metered, and runs are recorded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _of_thread(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "thread_id"],
        ["threads.tenant_id", "threads.thread_id"],
        name=op.f(f"fk_{table}_tenant_id_thread_id"),
        ondelete="CASCADE",
    )


def upgrade() -> None:
    op.create_table(
        "budget_meters",
        sa.Column("meter_key", BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=True),
        sa.Column("tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost_microusd", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("time_s", sa.Float(), server_default="0", nullable=False),
        sa.Column("model_calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tool_calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("held_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held_microusd", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("granted", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("meter_key", name=op.f("pk_budget_meters")),
        sa.UniqueConstraint(
            "tenant_id",
            "scope",
            "scope_id",
            "day",
            name=op.f("uq_budget_meters_tenant_id_scope_scope_id_day"),
        ),
        _of_thread("budget_meters"),
    )
    op.create_index(op.f("ix_budget_meters_tenant_id_thread_id"), "budget_meters", ["tenant_id", "thread_id"])
    op.create_table(
        "budget_holds",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_microusd", sa.BigInteger(), nullable=False),
        sa.Column("meters", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "hold_id", name=op.f("pk_budget_holds")),
        _of_thread("budget_holds"),
    )
    op.create_index(op.f("ix_budget_holds_tenant_id_thread_id"), "budget_holds", ["tenant_id", "thread_id"])
    op.create_table(
        "recorded_calls",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "number", name=op.f("pk_recorded_calls")),
        _of_thread("recorded_calls"),
    )
    op.create_index(
        op.f("ix_recorded_calls_tenant_id_thread_id"), "recorded_calls", ["tenant_id", "thread_id"]
    )
    op.create_table(
        "recorded_values",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "thread_id", "digest", name=op.f("pk_recorded_values")),
        _of_thread("recorded_values"),
    )


def downgrade() -> None:
    raise NotImplementedError("Schemas move forward only: restore a backup to go back.")
