"""Which key encrypts what is stored."""

from __future__ import annotations

from sqlalchemy import Column, Float, LargeBinary, Table, Text

from motet.storage.tables.base import metadata

encryption_keys = Table(
    "encryption_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("proof", LargeBinary, nullable=False),  # encrypted with the key: who has it can read this
    Column("added_at", Float, nullable=False),
)
"""The keys that rows are encrypted with. A database with a row here is encrypted, whatever the settings say."""
