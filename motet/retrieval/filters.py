"""Which documents a search sees: by where they are from, what they are called, when they changed, and their labels.

What does not live here: who is asked for them (`search`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from motet.errors import InvalidInput, did_you_mean
from motet.storage.tables import documents, passages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions that must all hold; an empty one is none."""

    source: str = ""
    """Pattern of the path or address, with `*` for any characters and `?` for one; a folder means what is below it."""
    title: str = ""
    """Part of the title, upper and lower case alike, with `*` and `?` as in `source`."""
    heading: str = ""
    """Part of the passage's path of headings, likewise."""
    ending: str = ""
    """`.pdf`, with or without the dot."""
    page: int | None = None
    since: float | None = None
    """Files that changed at this time or later, unix seconds."""
    until: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels with these values."""

    def __bool__(self) -> bool:
        return self != Where()

    @classmethod
    def read(cls, conditions: Sequence[str]) -> Where:
        """Read conditions as they are written on a command line: `source=*.pdf`, `page=3`, `label.team=legal`.

        Raises:
            InvalidInput: One is unknown or has no value.
        """
        found: dict[str, Any] = {}
        labels: dict[str, str] = {}
        for condition in conditions:
            name, equals, value = condition.partition("=")
            name, value = name.strip(), value.strip()
            if not equals or not value:
                raise InvalidInput(f"'{condition}' is no condition: write NAME=VALUE.", condition=condition)
            if name.startswith("label."):
                labels[name.removeprefix("label.")] = value
            elif name in _READ:
                found[name] = _read(name, value)
            else:
                known = [*_READ, "label.NAME"]
                raise InvalidInput(
                    f"Unknown condition '{name}'.{did_you_mean(name, known)}",
                    condition=condition,
                )
        return cls(**found, labels=labels)


def _day(value: str) -> float:
    import datetime as dt  # noqa: PLC0415  # only where a day is asked for

    moment = dt.datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.astimezone()).timestamp()


_READ: dict[str, Any] = {
    "source": str,
    "title": str,
    "heading": str,
    "ending": str,
    "page": int,
    "since": _day,
    "until": _day,
}


def _read(name: str, value: str) -> Any:
    try:
        return _READ[name](value)
    except ValueError:
        expected = "a whole number" if name == "page" else "a day like 2026-05-01"
        raise InvalidInput(f"Condition {name}={value}: expected {expected}.", condition=name) from None


def allowed_keys(
    connection: Connection, tenant_id: str, collections: Sequence[str], where: Where
) -> NDArray[np.int64]:
    """Return the keys of the passages that meet the conditions, in rising order.

    A document that is a copy of another has the other's passages: they are seen under either's path.
    """
    here = (documents.c.tenant_id == tenant_id, documents.c.collection.in_(collections))
    owner = sa.func.coalesce(documents.c.copy_of, documents.c.document_key)
    query = (
        sa.select(passages.c.passage_key)
        .where(passages.c.document_key.in_(sa.select(owner).where(*here, *_of_document(where))))
        .order_by(passages.c.passage_key)
    )
    if where.heading:
        query = query.where(_contains(passages.c.heading, where.heading))
    if where.page is not None:
        query = query.where(passages.c.page == where.page)
    return np.fromiter(connection.execute(query).scalars(), np.int64)


def _of_document(where: Where) -> list[sa.ColumnElement[bool]]:
    asked: list[sa.ColumnElement[bool]] = []
    if where.source:
        pattern = _pattern(where.source)
        below = documents.c.source.like(pattern.rstrip("/") + "/%", escape="\\")
        asked.append(sa.or_(documents.c.source.like(pattern, escape="\\"), below))
    if where.title:
        asked.append(_contains(documents.c.title, where.title))
    if where.ending:
        ending = "." + where.ending.lstrip(".").lower()
        asked.append(sa.func.lower(documents.c.source).endswith(ending, autoescape=True))
    if where.since is not None:
        asked.append(documents.c.modified_at >= where.since)
    if where.until is not None:
        asked.append(documents.c.modified_at <= where.until)
    asked += [
        # Labels are stored as sorted JSON of texts, so that a pair is one piece of it in every dialect.
        documents.c.labels.contains(label_piece(name, value), autoescape=True)
        for name, value in where.labels.items()
    ]
    return asked


def labels_text(labels: Mapping[str, str]) -> str:
    """Return labels as they are stored."""
    return json.dumps(dict(sorted(labels.items())), ensure_ascii=False)


def label_piece(name: str, value: str) -> str:
    """Return what stored labels hold when they have this pair."""
    return f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"


def _contains(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    return sa.func.lower(column).like(f"%{_pattern(text.lower())}%", escape="\\")


def _pattern(text: str) -> str:
    """Return a LIKE pattern for one with `*` and `?`."""
    for special in "\\%_":
        text = text.replace(special, "\\" + special)
    return text.replace("*", "%").replace("?", "_")
