"""Documents and their passages."""

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

documents = Table(
    "documents",
    metadata,
    Column("document_key", BIG_KEY, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("source", Text, nullable=False),  # path or URL
    Column("title", Text, nullable=False, server_default=""),
    Column("content_hash", Text, nullable=False),  # SHA-256 of the file's bytes
    Column("size_bytes", BigInteger, nullable=False),
    Column("modified_at", Float, nullable=False, server_default="0"),
    Column("added_at", Float, nullable=False),
    Column("copy_of", BIG_KEY),  # the document of the same bytes that has the passages; None for most
    Column("labels", Text, nullable=False, server_default="{}"),  # the user's own, JSON: name to value
    Column("etag", Text, nullable=False, server_default=""),  # of a page: what its server calls this version
    Column("last_modified", Text, nullable=False, server_default=""),  # the same, as a time
    UniqueConstraint("tenant_id", "collection", "source"),
    Index(None, "copy_of"),
    Index(None, "tenant_id", "collection", "content_hash"),
    sqlite_autoincrement=True,  # a key is never used twice: caches and links rely on it
)
"""A document that was taken in."""

passages = Table(
    "passages",
    metadata,
    Column("passage_key", BIG_KEY, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("document_key", BIG_KEY, nullable=False),
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
    Column("chinese", Text, nullable=False, server_default="pairs"),  # how its full text cuts Chinese
)
"""A named set of documents, and which model embedded it."""

roots = Table(
    "document_roots",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("collection", Text, primary_key=True),
    Column("root", Text, primary_key=True),
)
"""A file, folder or address that documents came from: `sync` looks at it again."""

failures = Table(
    "document_failures",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("collection", Text, primary_key=True),
    Column("source", Text, primary_key=True),  # path or URL
    Column("content_hash", Text, nullable=False),  # SHA-256 of the bytes that could not be read
    Column("size_bytes", BigInteger, nullable=False),
    Column("read_by", Text, nullable=False),  # what tried; another may do better
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("failed_at", Float, nullable=False),
)
"""A document that could not be read; an older version of it may have been taken in."""
