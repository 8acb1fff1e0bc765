"""Retries, rollback, retention, turns of tenants, and schedules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("status IN ('pending', 'running')")


def upgrade() -> None:
    # Column by column: a copy of the table would take the rows that refer to it along when it is dropped.
    for column in (
        sa.Column("undo", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("retries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trimmed", sa.Text(), server_default="", nullable=False),
    ):
        op.add_column("runs", column)
    op.create_index(
        "ix_runs_unfinished",
        "runs",
        ["tenant_id", "thread_id", "position"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index(op.f("ix_runs_trimmed_ended_at"), "runs", ["trimmed", "ended_at"])
    op.create_table(
        "queue_turns",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_queue_turns")),
    )
    op.create_table(
        "schedules",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("missed", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=True),
        sa.Column("last_run_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("pk_schedules")),
    )
    op.create_index(op.f("ix_schedules_next_at"), "schedules", ["next_at"])
