"""Assistants: a graph with settings of its own, under an id, in versions."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKeyConstraint, Index, Integer, Table, Text

from motet.storage.tables.base import metadata

assistants = Table(
    "assistants",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("assistant_id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),  # "" for those that stand for a graph as it is
    Column("graph", Text, nullable=False),
    Column("version", Integer, nullable=False),  # the one that counts
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index(None, "tenant_id", "graph"),
)
"""An assistant: which graph it is, and which of its versions counts."""

assistant_versions = Table(
    "assistant_versions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("assistant_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),  # from 1
    Column("graph", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("settings", Text, nullable=False),  # its config and context, JSON
    Column("metadata", Text, nullable=False),  # JSON
    Column("created_at", Float, nullable=False),
    ForeignKeyConstraint(
        ["tenant_id", "assistant_id"], ["assistants.tenant_id", "assistants.assistant_id"], ondelete="CASCADE"
    ),
)
"""What an assistant said at a time. A version never changes."""
