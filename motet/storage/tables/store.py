"""What outlives a thread."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from motet.storage.tables.base import BIG_KEY, metadata

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
    Column("text_key", BIG_KEY, primary_key=True, autoincrement=True),
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
