"""The one MetaData that every table is in, and the type of a key that counts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

BIG_KEY = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows only through INTEGER PRIMARY KEY; elsewhere 64 bits are wanted."""
