"""What runs may spend and spent, and what was recorded of them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from motet.storage.tables.base import BIG_KEY, metadata

budget_meters = Table(
    "budget_meters",
    metadata,
    Column("meter_key", BIG_KEY, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("scope", Text, nullable=False),  # run thread user tenant
    Column("scope_id", Text, nullable=False),
    Column("day", Integer, nullable=False),  # since 1970-01-01, UTC; 0 for a run and a thread
    Column("thread_id", Text),  # the thread that a run's or thread's meter goes with
    Column("tokens", BigInteger, nullable=False, server_default="0"),
    Column("cost_microusd", BigInteger, nullable=False, server_default="0"),
    Column("time_s", Float, nullable=False, server_default="0"),
    Column("model_calls", Integer, nullable=False, server_default="0"),
    Column("tool_calls", Integer, nullable=False, server_default="0"),
    Column("held_tokens", BigInteger, nullable=False, server_default="0"),
    Column("held_microusd", BigInteger, nullable=False, server_default="0"),
    Column("granted", Text, nullable=False, server_default="{}"),  # how often a person allowed as much again
    UniqueConstraint("tenant_id", "scope", "scope_id", "day"),
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
    Index(None, "tenant_id", "thread_id"),
)
"""What was spent where there is a limit, and what calls that have not ended may still take."""

budget_holds = Table(
    "budget_holds",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("hold_id", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("fence", Integer, nullable=False),  # of the attempt that makes the call
    Column("tokens", BigInteger, nullable=False),
    Column("cost_microusd", BigInteger, nullable=False),
    Column("meters", Text, nullable=False),  # keys of the meters it is reserved in, JSON
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
    Index(None, "tenant_id", "thread_id"),
)
"""What a call that has not ended may take at most."""

recorded_calls = Table(
    "recorded_calls",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),  # from 1, in the order the calls ended; 0 is the run itself
    Column("thread_id", Text, nullable=False),
    Column("call", Text, nullable=False),  # JSON; texts in it by their digest
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
    Index(None, "tenant_id", "thread_id"),
)
"""What went to models, tools and searches in a run that is recorded, and what came back."""

recorded_values = Table(
    "recorded_values",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("digest", Text, primary_key=True),  # SHA-256
    Column("value", Text, nullable=False),  # JSON
    ForeignKeyConstraint(
        ["tenant_id", "thread_id"], ["threads.tenant_id", "threads.thread_id"], ondelete="CASCADE"
    ),
)
"""A message or result of a conversation's recordings, by its content: stored once however many calls repeat it."""
