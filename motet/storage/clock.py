"""The database's own clock, as one SQL expression for every dialect.

Leases, orders and times come from here, never from a process's clock: workers' clocks disagree.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

STEADY_FUNCTION = "motet_steady"
"""Name of a function that the engine adds to SQLite: seconds of a clock that nobody sets, for the whole machine."""


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


class lease_now(FunctionElement[float]):  # noqa: N801  # reads as SQL
    """Seconds of the clock that leases are measured by, at the moment the statement runs.

    On SQLite everybody is on one machine, and its monotonic clock goes on evenly when somebody or a time server sets
    the other one. It begins anew when the machine does: a lease that ends far ahead is an earlier boot's. On
    PostgreSQL it is the server's clock, which is not the workers'.
    """

    type = Float()
    inherit_cache = True


@compiles(lease_now)
def _any_lease(_element: Any, _compiler: Any, **_: Any) -> str:
    return "extract(epoch from clock_timestamp())"


@compiles(lease_now, "sqlite")
def _sqlite_lease(_element: Any, _compiler: Any, **_: Any) -> str:
    return f"{STEADY_FUNCTION}()"
