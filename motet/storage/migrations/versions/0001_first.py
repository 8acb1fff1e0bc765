"""Everything that the first version stores."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# What the full-text indexes were at this version; `storage.fulltext` may have moved on.
_INDEXES = ("fts_passages", "fts_messages")
_SQLITE_INDEX = """
CREATE VIRTUAL TABLE IF NOT EXISTS {table}
USING fts5(scope, terms, tokenize = 'porter unicode61 remove_diacritics 2')
"""
_POSTGRES_INDEX = """
CREATE TABLE IF NOT EXISTS {table}
(key BIGINT PRIMARY KEY, scope TEXT NOT NULL, length INTEGER NOT NULL, terms TSVECTOR NOT NULL);
CREATE INDEX IF NOT EXISTS ix_{table}_terms ON {table} USING GIN (terms);
CREATE INDEX IF NOT EXISTS ix_{table}_scope ON {table} (scope)
"""


def upgrade() -> None:
    op.create_table(
        "checkpoint_dictionaries",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("dictionary_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "thread_id", "dictionary_id", name=op.f("pk_checkpoint_dictionaries")
        ),
    )
    op.create_table(
        "checkpoint_scopes",
        sa.Column("scope_key", _BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("checkpoint_ns", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("last_log", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope_key", name=op.f("pk_checkpoint_scopes")),
        sa.UniqueConstraint(
            "tenant_id",
            "thread_id",
            "checkpoint_ns",
            name=op.f("uq_checkpoint_scopes_tenant_id_thread_id_checkpoint_ns"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "collections",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "collection", name=op.f("pk_collections")),
    )
    op.create_table(
        "documents",
        sa.Column("document_key", _BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.Float(), server_default="0", nullable=False),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("document_key", name=op.f("pk_documents")),
        sa.UniqueConstraint(
            "tenant_id", "collection", "source", name=op.f("uq_documents_tenant_id_collection_source")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "store_items",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("embedder", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("ttl_s", sa.Float(), nullable=True),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "namespace", "key", name=op.f("pk_store_items")),
    )
    op.create_index(op.f("ix_store_items_expires_at"), "store_items", ["expires_at"], unique=False)
    op.create_table(
        "threads",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("graph", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("last_message_seq", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "thread_id", name=op.f("pk_threads")),
    )
    op.create_index(
        op.f("ix_threads_tenant_id_updated_at"), "threads", ["tenant_id", "updated_at"], unique=False
    )
    op.create_table(
        "channel_values",
        sa.Column("scope_key", _BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scope_key"],
            ["checkpoint_scopes.scope_key"],
            name=op.f("fk_channel_values_scope_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("scope_key", "digest", name=op.f("pk_channel_values")),
    )
    op.create_table(
        "checkpoint_runs",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("scope_key", _BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scope_key"],
            ["checkpoint_scopes.scope_key"],
            name=op.f("fk_checkpoint_runs_scope_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "scope_key", name=op.f("pk_checkpoint_runs")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_checkpoint_runs_scope_key"), "checkpoint_runs", ["scope_key"], unique=False)
    op.create_table(
        "checkpoint_writes",
        sa.Column("scope_key", _BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("checkpoint_id", sa.LargeBinary(), nullable=False),
        sa.Column("task_id", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scope_key"],
            ["checkpoint_scopes.scope_key"],
            name=op.f("fk_checkpoint_writes_scope_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("scope_key", "checkpoint_id", "task_id", name=op.f("pk_checkpoint_writes")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "checkpoints",
        sa.Column("scope_key", _BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("checkpoint_id", sa.LargeBinary(), nullable=False),
        sa.Column("parent_seq", sa.Integer(), nullable=True),
        sa.Column("dictionary_id", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scope_key"],
            ["checkpoint_scopes.scope_key"],
            name=op.f("fk_checkpoints_scope_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("scope_key", "seq", name=op.f("pk_checkpoints")),
        sa.UniqueConstraint(
            "scope_key", "checkpoint_id", name=op.f("uq_checkpoints_scope_key_checkpoint_id")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "list_items",
        sa.Column("scope_key", _BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("log_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scope_key"],
            ["checkpoint_scopes.scope_key"],
            name=op.f("fk_list_items_scope_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("scope_key", "log_no", "seq", name=op.f("pk_list_items")),
    )
    op.create_table(
        "messages",
        sa.Column("message_key", _BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("citations", sa.Text(), server_default="[]", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["threads.tenant_id", "threads.thread_id"],
            name=op.f("fk_messages_tenant_id_thread_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_key", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "tenant_id", "thread_id", "message_id", name=op.f("uq_messages_tenant_id_thread_id_message_id")
        ),
        sa.UniqueConstraint(
            "tenant_id", "thread_id", "seq", name=op.f("uq_messages_tenant_id_thread_id_seq")
        ),
    )
    op.create_table(
        "passages",
        sa.Column("passage_key", _BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("document_key", _BIG_KEY, nullable=False),
        sa.Column("passage_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("heading", sa.Text(), server_default="", nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_key"],
            ["documents.document_key"],
            name=op.f("fk_passages_document_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("passage_key", name=op.f("pk_passages")),
        sa.UniqueConstraint("tenant_id", "passage_id", name=op.f("uq_passages_tenant_id_passage_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_passages_document_key"), "passages", ["document_key"], unique=False)
    op.create_index(
        op.f("ix_passages_tenant_id_collection_passage_key"),
        "passages",
        ["tenant_id", "collection", "passage_key"],
        unique=False,
    )
    op.create_table(
        "runs",
        sa.Column("position", _BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("graph", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.Float(), server_default="0", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("last_seq", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["threads.tenant_id", "threads.thread_id"],
            name=op.f("fk_runs_tenant_id_thread_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_runs")),
        sa.UniqueConstraint("tenant_id", "idempotency_key", name=op.f("uq_runs_tenant_id_idempotency_key")),
        sa.UniqueConstraint("tenant_id", "run_id", name=op.f("uq_runs_tenant_id_run_id")),
    )
    op.create_index(
        op.f("ix_runs_status_priority_position"), "runs", ["status", "priority", "position"], unique=False
    )
    op.create_index(
        op.f("ix_runs_tenant_id_thread_id_position"),
        "runs",
        ["tenant_id", "thread_id", "position"],
        unique=False,
    )
    op.create_table(
        "events",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["runs.tenant_id", "runs.run_id"],
            name=op.f("fk_events_tenant_id_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "seq", name=op.f("pk_events")),
    )
    index = _POSTGRES_INDEX if op.get_bind().dialect.name == "postgresql" else _SQLITE_INDEX
    for table in _INDEXES:
        for statement in index.split(";"):
            op.execute(statement.format(table=table))


def downgrade() -> None:
    raise NotImplementedError("Schemas move forward only: restore a backup to go back.")
