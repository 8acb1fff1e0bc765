"""Conversations: what was said, in which, and what its owner calls it by."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKeyConstraint, Index, Integer, Table, Text, UniqueConstraint

from motet.storage.tables.base import BIG_KEY, metadata

threads = Table(
    "threads",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("graph", Text, nullable=False),
    Column("metadata", Text, nullable=False, server_default="{}"),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("last_message_seq", Integer, nullable=False, server_default="0"),
    Column("rewinds", Integer, nullable=False, server_default="0"),
    Column("rewound_messages", Integer, nullable=False, server_default="0"),
    Column("ttl_s", Float),  # seconds after its last use; None for what the settings say, 0 for ever
    Index(None, "tenant_id", "updated_at"),
    Index(None, "tenant_id", "created_at", "thread_id"),
)
"""A conversation."""

thread_terms = Table(
    "thread_terms",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("term", Text, primary_key=True),  # see `storage.terms`
    Column("thread_id", Text, primary_key=True),
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
    Index(None, "tenant_id", "thread_id"),
)
"""What a thread's metadata says, a row a name and value, so that threads are found by it without reading all."""

thread_tags = Table(
    "thread_tags",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
    Index(None, "tenant_id", "tag"),
)
"""What its owner calls a conversation by, next to its title."""

thread_trust = Table(
    "thread_trust",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),  # read, outside, grant, offer
    Column("item_key", Text, primary_key=True),  # SHA-256 of the value, shortened
    Column("value", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
)
"""What a conversation has read of strangers', and what a person allows in it."""

messages = Table(
    "messages",
    metadata,
    Column("message_key", BIG_KEY, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("citations", Text, nullable=False, server_default="[]"),
    Column("created_at", Float, nullable=False),
    Column("rewound", Integer),  # number of the rewind that took it out of the conversation
    UniqueConstraint("tenant_id", "thread_id", "seq"),
    UniqueConstraint("tenant_id", "thread_id", "message_id"),
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
)
"""The transcript: every message of every thread, append-only."""
