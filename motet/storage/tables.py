"""Every table, in one MetaData. The migrations build them; a test compares the two.

Rules: `tenant_id` is in every table and every key that a caller can name; times are unix seconds, UTC, by the
database's clock (`storage.clock.db_now`); big values are JSON text or authenticated bytes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows only through INTEGER PRIMARY KEY; elsewhere 64 bits are wanted.
_BigKey = BigInteger().with_variant(Integer(), "sqlite")

_UNFINISHED = text("status IN ('pending', 'running')")

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
)
"""A conversation."""

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

runs = Table(
    "runs",
    metadata,
    Column("position", _BigKey, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("graph", Text, nullable=False),
    Column("job", Text, nullable=False),  # the frozen RunJob, JSON
    Column("status", Text, nullable=False),  # pending running interrupted success error cancelled
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("not_before", Float, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("fence", Integer, nullable=False, server_default="0"),  # fencing token: grows at every claim
    Column("worker_id", Text),
    Column("lease_until", Float),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("undo", Boolean, nullable=False, server_default=text("false")),  # when it stops
    Column("retries", Integer, nullable=False, server_default="0"),  # tries after a passing fault
    Column("last_seq", Integer, nullable=False, server_default="0"),
    Column("trimmed", Text, nullable=False, server_default=""),  # what retention did: "" folded expired
    Column("error", Text),
    Column("idempotency_key", Text),
    Column("request_hash", Text),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    UniqueConstraint("tenant_id", "run_id"),
    UniqueConstraint("tenant_id", "idempotency_key"),
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
    Index(None, "status", "priority", "position"),
    Index(None, "tenant_id", "thread_id", "position"),
    Index(
        "ix_runs_unfinished",
        "tenant_id",
        "thread_id",
        "position",
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    ),
    Index(None, "trimmed", "ended_at"),
)
"""A run, its whole input, and who works on it. `position` is the order of acceptance."""

queue_turns = Table(
    "queue_turns",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("turn", BigInteger, nullable=False),
)
"""When a tenant was served last, counted in claims: the one that waited longest is next."""

schedules = Table(
    "schedules",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("cron", Text, nullable=False),  # five fields
    Column("time_zone", Text, nullable=False),  # IANA name
    Column("missed", Text, nullable=False),  # what becomes of ticks that nobody was there for: skip one all
    Column("request", Text, nullable=False),  # the RunRequest, JSON
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("next_at", Float, nullable=False),
    Column("last_at", Float),  # the last tick that started a run
    Column("last_run_id", Text),
    Column("error", Text),  # why the last tick started none
    Column("created_at", Float, nullable=False),
    Index(None, "next_at"),
)
"""Runs that begin by the clock."""

events = Table(
    "events",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("event", Text, nullable=False),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["runs.tenant_id", "runs.run_id"], ondelete="CASCADE"),
)
"""The numbered log of each run."""

messages = Table(
    "messages",
    metadata,
    Column("message_key", _BigKey, primary_key=True, autoincrement=True),
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

tool_calls = Table(
    "tool_calls",
    metadata,
    Column("position", _BigKey, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("call_key", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),  # the run that made the call last
    Column("tool", Text, nullable=False),
    Column("arguments_digest", Text, nullable=False),  # SHA-256
    Column("effect", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("asks", Integer, nullable=False, server_default="0"),  # answers that a person gave about it
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("result", LargeBinary),  # authenticated
    Column("reused_key", Text),  # of the call whose result this one was given
    UniqueConstraint("tenant_id", "call_key"),
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
    Index(None, "tenant_id", "thread_id"),
    Index(None, "tenant_id", "run_id", "tool", "arguments_digest"),
)
"""The ledger: every tool call of every run, its intent and its result."""

documents = Table(
    "documents",
    metadata,
    Column("document_key", _BigKey, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("source", Text, nullable=False),  # path or URL
    Column("title", Text, nullable=False, server_default=""),
    Column("content_hash", Text, nullable=False),  # SHA-256 of the file's bytes
    Column("size_bytes", BigInteger, nullable=False),
    Column("modified_at", Float, nullable=False, server_default="0"),
    Column("added_at", Float, nullable=False),
    UniqueConstraint("tenant_id", "collection", "source"),
    sqlite_autoincrement=True,  # a key is never used twice: caches and links rely on it
)
"""A document that was taken in."""

passages = Table(
    "passages",
    metadata,
    Column("passage_key", _BigKey, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("document_key", _BigKey, nullable=False),
    Column("passage_id", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("heading", Text, nullable=False, server_default=""),
    Column("page", Integer),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("vector", LargeBinary),  # float32, little endian, normalised; None without an embedder
    UniqueConstraint("tenant_id", "passage_id"),
    ForeignKeyConstraint(["document_key"], ["documents.document_key"], ondelete="CASCADE"),
    Index(None, "tenant_id", "collection", "passage_key"),
    Index(None, "document_key"),
    sqlite_autoincrement=True,  # a key is never used twice: caches and links rely on it
)
"""A passage of a document with its vector."""

collections = Table(
    "collections",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("collection", Text, primary_key=True),
    Column("embedder", Text, nullable=False),  # name of the model that made the vectors; "" for none
    Column("dimension", Integer, nullable=False, server_default="0"),
    Column("revision", Integer, nullable=False, server_default="0"),  # grows at every change
)
"""A named set of documents, and which model embedded it."""

checkpoint_scopes = Table(
    "checkpoint_scopes",
    metadata,
    Column("scope_key", _BigKey, primary_key=True, autoincrement=True),
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
    Column("scope_key", _BigKey, primary_key=True, autoincrement=False),
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
    Column("scope_key", _BigKey, primary_key=True, autoincrement=False),
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
    Column("scope_key", _BigKey, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, primary_key=True),
    Column("value", LargeBinary, nullable=False),  # authenticated
    ForeignKeyConstraint(["scope_key"], ["checkpoint_scopes.scope_key"], ondelete="CASCADE"),
)
"""A channel's big value, by its content: written once however many checkpoints hold it."""

list_items = Table(
    "list_items",
    metadata,
    Column("scope_key", _BigKey, primary_key=True, autoincrement=False),
    Column("log_no", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("value", LargeBinary, nullable=False),  # authenticated
    ForeignKeyConstraint(["scope_key"], ["checkpoint_scopes.scope_key"], ondelete="CASCADE"),
)
"""Items of append-only logs. A list's value is a few windows `(log_no, lo, hi)` in its checkpoint's body."""

checkpoint_writes = Table(
    "checkpoint_writes",
    metadata,
    Column("scope_key", _BigKey, primary_key=True, autoincrement=False),
    Column("checkpoint_id", LargeBinary, primary_key=True),
    Column("task_id", LargeBinary, primary_key=True),
    Column(
        "value", LargeBinary, nullable=False
    ),  # authenticated; a big one is the digest of a channel_values row
    ForeignKeyConstraint(["scope_key"], ["checkpoint_scopes.scope_key"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)
"""All writes of one task that finished before its superstep did."""

store_items = Table(
    "store_items",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("namespace", Text, primary_key=True),  # labels joined by "\x1f", which a label cannot hold
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),  # JSON object
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("ttl_s", Float),
    Column("expires_at", Float),
    Index(None, "expires_at"),
)
"""What outlives a thread: LangGraph's store, and the agents' memories in it."""

store_texts = Table(
    "store_texts",
    metadata,
    Column("text_key", _BigKey, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("path", Text, nullable=False),  # where the text stands in the value, "$" is all of it
    Column("place", Integer, nullable=False),  # which one, where a path leads to several texts
    Column("digest", LargeBinary, nullable=False),  # of the text: the same text is not embedded again
    Column("embedder", Text, nullable=False),  # which model made the vector; "" while there is none
    Column(
        "vector", LargeBinary
    ),  # float32, little endian, normalised; never changes, a new one is a new row
    UniqueConstraint("tenant_id", "namespace", "key", "path", "place"),
    ForeignKeyConstraint(
        ["tenant_id", "namespace", "key"],
        ["store_items.tenant_id", "store_items.namespace", "store_items.key"],
        ondelete="CASCADE",
    ),
    Index(None, "tenant_id", "embedder"),
    sqlite_autoincrement=True,  # a key is never used twice: the index in memory relies on it
)
"""The texts of an item by which it is found, each with its vector. The text itself is in the item's value."""

store_revisions = Table(
    "store_revisions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
"""Grows whenever a vector of the tenant's store comes or goes, so that an index in memory knows that it is old."""

encryption_keys = Table(
    "encryption_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("proof", LargeBinary, nullable=False),  # encrypted with the key: who has it can read this
    Column("added_at", Float, nullable=False),
)
"""The keys that rows are encrypted with. A database with a row here is encrypted, whatever the settings say."""
