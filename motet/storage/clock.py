"""The database's own clock, as one SQL expression for every dialect.

Leases, orders and times come from here, never from a process's clock: workers' clocks disagree.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class db_now(FunctionElement[float]):  # noqa: N801  # reads as SQL
    """Unix seconds, UTC, with fractions, at the moment the statement runs."""

    type = Float()
    inherit_cache = True


@compiles(db_now)
def _any(_element: Any, _compiler: Any, **_: Any) -> str:
    return "extract(epoch from clock_timestamp())"


@compiles(db_now, "sqlite")
def _sqlite(_element: Any, _compiler: Any, **_: Any) -> str:
    # unixepoch('subsec') needs SQLite 3.42; 2440587.5 is 1970-01-01 as a Julian day.
    return "((julianday('now') - 2440587.5) * 86400.0)"
