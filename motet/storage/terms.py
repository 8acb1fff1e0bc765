"""Finds rows by what a column of JSON holds, by an index: each name with its value is a term, and a term a row.

What does not live here: the exact comparison (`storage.contains`). Who has all terms of what is looked for may hold it;
who lacks one does not.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.storage.tables import thread_terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.engine import Connection

MAX_TERMS = 200
"""Metadata of more terms has the one term `MANY`: it is looked at in every search."""

MANY = "*"

MAX_CANDIDATES = 1000
"""A term of more threads than this is common."""

MAX_ASKED = 16
"""Most terms of a question that are looked up; any of them narrows enough."""


def write_terms(connection: Connection, tenant_id: str, thread_id: str, metadata: Mapping[str, Any]) -> None:
    """Keep the terms of a thread's metadata, and none that it had before."""
    one = sa.and_(thread_terms.c.tenant_id == tenant_id, thread_terms.c.thread_id == thread_id)
    connection.execute(sa.delete(thread_terms).where(one))
    place = {"tenant_id": tenant_id, "thread_id": thread_id}
    rows = [place | {"term": term} for term in stored_terms(metadata)]
    if rows:
        connection.execute(sa.insert(thread_terms), rows)


def candidates(connection: Connection, tenant_id: str, wanted: Mapping[str, Any]) -> list[str] | None:
    """Return the only threads that may hold what is wanted, those of its rarest term.

    None where even that is common, or where anything may hold it ({}): then a walk in the order of the answer soon
    meets enough of them.
    """
    fewest: list[str] | None = None
    for term in list(dict.fromkeys(terms_of(wanted)))[:MAX_ASKED]:
        having = (
            sa.select(thread_terms.c.thread_id)
            .where(thread_terms.c.tenant_id == tenant_id, thread_terms.c.term.in_([term, MANY]))
            .limit(MAX_CANDIDATES + 1)
        )
        found = list(connection.execute(having).scalars())
        if len(found) <= MAX_CANDIDATES and (fewest is None or len(found) < len(fewest)):
            fewest = found
        if not found:
            break
    return fewest


def stored_terms(value: Mapping[str, Any]) -> list[str]:
    """Return what is stored for an object: its terms, or `MANY`."""
    terms = sorted(set(terms_of(value)))
    return terms if len(terms) <= MAX_TERMS else [MANY]


def terms_of(value: Any) -> Iterator[str]:
    """Yield a term for everything below an object or a list: where it is, of which kind, and what it says."""
    stack: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while stack:
        place, one = stack.pop()
        if place:
            yield _term(place, one)
        if isinstance(one, dict):
            names: dict[str, Any] = one
            stack += [((*place, "." + name), inner) for name, inner in names.items()]
        elif isinstance(one, list):
            items: list[Any] = one
            stack += [((*place, "[]"), inner) for inner in items]


def _term(place: tuple[str, ...], value: Any) -> str:
    match value:
        case dict():
            said: Any = "object"
        case list():
            said = "array"
        case bool() | None:
            said = [value]
        case int() | float():
            said = [repr(float(value)) if abs(value) < 1e300 else str(value)]
        case _:
            said = [[str(value)]]
    encoded = json.dumps([place, said]).encode()
    return hashlib.sha256(encoded).hexdigest()[:32]
