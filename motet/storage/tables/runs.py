"""Runs: the queue, the event log, the ledger of tool calls, and what begins by the clock."""

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
    Table,
    Text,
    UniqueConstraint,
    text,
)

from motet.storage.tables.base import BIG_KEY, metadata

_UNFINISHED = text("status IN ('pending', 'running')")

runs = Table(
    "runs",
    metadata,
    Column("position", BIG_KEY, primary_key=True, autoincrement=True),
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

webhooks = Table(
    "webhooks",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("thread_id", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("wire", Text, nullable=False),  # whose form the message has
    Column("url", Text, nullable=False),
    Column("body", Text),  # what is sent, the same bytes each time; None before the first try
    Column("status", Text, nullable=False, server_default="waiting"),  # waiting sent failed
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_at", Float, nullable=False, server_default="0"),  # not before, where it is waiting
    Column("answer", Text),  # what came of the last try
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
    Index(None, "status", "next_at"),
    Index(None, "tenant_id", "thread_id"),
)
"""Who is told of a run's end: accepted with the run, in its transaction."""

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
    Column("ends_at", Float),  # no tick after this
    Column("details", Text, nullable=False, server_default="{}"),  # what its maker says about it, JSON
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

tool_calls = Table(
    "tool_calls",
    metadata,
    Column("position", BIG_KEY, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("call_key", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),  # the run that made the call last
    Column("tool", Text, nullable=False),
    Column("arguments_digest", Text, nullable=False),  # keyed, see Seal.digests
    Column("effect", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("asks", Integer, nullable=False, server_default="0"),  # answers that a person gave about it
    Column("asks_first", Integer, nullable=False, server_default="0"),  # 1 where a person allows it or not
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
