"""Keys that callers of the server show."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, LargeBinary, Table, Text

from motet.storage.tables.base import metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # a JSON list
    Column(
        "secret_hash", LargeBinary, nullable=False
    ),  # HMAC-SHA256 of the secret: the secret itself is nowhere
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Index(None, "tenant_id"),
)
"""A key, by its id, which is the part of it that is no secret. A key names its tenant, so it is found without one."""
