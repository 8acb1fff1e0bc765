"""The states of threads."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from motet.storage.tables.base import BIG_KEY, metadata

checkpoint_scopes = Table(
    "checkpoint_scopes",
    metadata,
    Column("scope_key", BIG_KEY, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("checkpoint_ns", Text, nullable=False),
    Column("last_seq", Integer, nullable=False),  # number of the newest checkpoint; never given twice
    Column("last_log", Integer, nullable=False),  # number of the newest log of list items; never given twice
    UniqueConstraint("tenant_id", "thread_id", "checkpoint_ns"),
    sqlite_autoincrement=True,  # a deleted thread's key is never given to another: caches go by it
)
"""A thread's namespace: a short key for the rows below, and the counter that orders its checkpoints."""

checkpoint_runs = Table(
    "checkpoint_runs",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("scope_key", BIG_KEY, primary_key=True, autoincrement=False),
    Column("first_seq", Integer, nullable=False),
    ForeignKeyConstraint(["scope_key"], ["checkpoint_scopes.scope_key"], ondelete="CASCADE"),
    Index(None, "scope_key"),
    sqlite_with_rowid=False,
)
"""Where a run's checkpoints begin in each scope that it wrote to."""

checkpoint_dictionaries = Table(
    "checkpoint_dictionaries",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("dictionary_id", BigInteger, primary_key=True, autoincrement=False),
    Column("value", LargeBinary, nullable=False),  # authenticated
)
"""What a thread's checkpoint bodies have in common; they are compressed against it."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("scope_key", BIG_KEY, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),  # the order; no clock is trusted for it
    Column("checkpoint_id", LargeBinary, nullable=False),  # 16 bytes of a UUID, or the id's own text
    Column("parent_seq", Integer),
    Column("dictionary_id", BigInteger),
    Column("body", LargeBinary, nullable=False),  # authenticated; small values inside, big ones referred to
    UniqueConstraint("scope_key", "checkpoint_id"),
    ForeignKeyConstraint(["scope_key"], ["checkpoint_scopes.scope_key"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)
"""A checkpoint: versions, metadata, and where its values are."""

channel_values = Table(
    "channel_values",
    metadata,
    Column("scope_key", BIG_KEY, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, primary_key=True),
    Column("value", LargeBinary, nullable=False),  # authenticated
    ForeignKeyConstraint(["scope_key"], ["checkpoint_scopes.scope_key"], ondelete="CASCADE"),
)
"""A channel's big value, by its content: written once however many checkpoints hold it."""

list_items = Table(
    "list_items",
    metadata,
    Column("scope_key", BIG_KEY, primary_key=True, autoincrement=False),
    Column("log_no", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("value", LargeBinary, nullable=False),  # authenticated
    ForeignKeyConstraint(["scope_key"], ["checkpoint_scopes.scope_key"], ondelete="CASCADE"),
)
"""Items of append-only logs. A list's value is a few windows `(log_no, lo, hi)` in its checkpoint's body."""

checkpoint_writes = Table(
    "checkpoint_writes",
    metadata,
    Column("scope_key", BIG_KEY, primary_key=True, autoincrement=False),
    Column("checkpoint_id", LargeBinary, primary_key=True),
    Column("task_id", LargeBinary, primary_key=True),
    Column(
        "value", LargeBinary, nullable=False
    ),  # authenticated; a big one is the digest of a channel_values row
    ForeignKeyConstraint(["scope_key"], ["checkpoint_scopes.scope_key"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)
"""All writes of one task that finished before its superstep did."""
