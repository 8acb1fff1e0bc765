"""Whether a column of JSON holds what is looked for, in SQL: every name with its value, at any depth.

A name is never part of the SQL: it is compared, like a value.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 8
"""What is nested deeper than this is not found."""


def contains(
    column: sa.ColumnElement[Any], wanted: Mapping[str, Any], dialect: str
) -> sa.ColumnElement[bool]:
    """Say that a JSON object in a column of text has these names with these values.

    An object has to hold the names of the wanted one, a list the items of the wanted one.

    Args:
        column: Text of a JSON object.
        wanted: Plain JSON. {} is in every object.
        dialect: `sqlite` or `postgresql`.
    """
    if "\\u0000" in json.dumps(wanted):  # no database keeps it, so nothing holds it
        return sa.false()
    if dialect == "postgresql":
        return sa.cast(column, JSONB).contains(sa.cast(sa.literal(json.dumps(wanted)), JSONB))
    return _holds(column, wanted, 0)


def _holds(source: sa.ColumnElement[Any], wanted: Any, depth: int) -> sa.ColumnElement[bool]:
    if depth > MAX_DEPTH:
        return sa.false()
    if isinstance(wanted, dict):
        items: list[tuple[Any, Any]] = list(wanted.items())
        return sa.and_(sa.true(), *(_has(source, key, value, depth) for key, value in items))
    return sa.and_(sa.true(), *(_has(source, None, value, depth) for value in wanted))


def _has(source: sa.ColumnElement[Any], key: str | None, value: Any, depth: int) -> sa.ColumnElement[bool]:
    each = sa.func.json_each(source).table_valued("key", "value", "type", name=f"each_{depth}")
    found = _is(each.c.type, each.c.value, value, depth)
    if key is not None:
        found = sa.and_(each.c.key == sa.cast(sa.literal(key), sa.Text), found)
    return sa.exists(sa.select(sa.literal(1)).select_from(each).where(found))


def _is(kind: Any, stored: Any, value: Any, depth: int) -> sa.ColumnElement[bool]:
    if isinstance(value, bool) or value is None:
        return kind == json.dumps(value)
    if isinstance(value, str):
        return sa.and_(kind == "text", stored == value)
    if isinstance(value, int | float):
        return sa.and_(kind.in_(("integer", "real")), stored == sa.literal(float(value), sa.Float))
    wanted_kind = "object" if isinstance(value, dict) else "array"
    # Of another kind there is nothing to look into: json_each would refuse a plain text.
    inner = sa.case((kind == wanted_kind, stored), else_="[]")
    return sa.and_(kind == wanted_kind, _holds(inner, value, depth + 1))
