"""Threads are found by their metadata without reading all of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "thread_terms",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "term", "thread_id", name=op.f("pk_thread_terms")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["threads.tenant_id", "threads.thread_id"],
            name=op.f("fk_thread_terms_tenant_id_thread_id"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(op.f("ix_thread_terms_tenant_id_thread_id"), "thread_terms", ["tenant_id", "thread_id"])
    op.create_index(
        op.f("ix_threads_tenant_id_created_at_thread_id"), "threads", ["tenant_id", "created_at", "thread_id"]
    )
    _fill()


def _fill() -> None:
    """Write the terms of threads that are there."""
    threads = sa.table("threads", *map(sa.column, ("tenant_id", "thread_id", "metadata")))
    terms = sa.table("thread_terms", *map(sa.column, ("tenant_id", "term", "thread_id")))
    connection = op.get_bind()
    noted = connection.execute(sa.select(threads).where(threads.c.metadata != "{}")).all()
    for row in noted:
        place = {"tenant_id": row.tenant_id, "thread_id": row.thread_id}
        rows = [place | {"term": term} for term in _stored(json.loads(row.metadata))]
        if rows:
            connection.execute(sa.insert(terms), rows)


def _stored(value: dict[str, Any]) -> list[str]:
    """Return the terms of an object, as they were when this was written; "*" where they are many."""
    terms, stack = set[str](), list[tuple[tuple[str, ...], Any]]([((), value)])
    while stack:
        place, one = stack.pop()
        if place:
            encoded = json.dumps([place, _said(one)]).encode()
            terms.add(hashlib.sha256(encoded).hexdigest()[:32])
        if isinstance(one, dict):
            names: dict[str, Any] = one
            stack += [((*place, "." + name), inner) for name, inner in names.items()]
        elif isinstance(one, list):
            items: list[Any] = one
            stack += [((*place, "[]"), inner) for inner in items]
    return sorted(terms) if len(terms) <= 200 else ["*"]


def _said(value: Any) -> Any:
    match value:
        case dict():
            return "object"
        case list():
            return "array"
        case bool() | None:
            return [value]
        case int() | float():
            return [repr(float(value)) if abs(value) < 1e300 else str(value)]
        case _:
            return [[str(value)]]


def downgrade() -> None:
    raise NotImplementedError("Schemas move forward only: restore a backup to go back.")
