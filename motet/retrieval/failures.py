"""Documents that could not be read: their bytes are not parsed again until they, or what reads them, have changed.

What does not live here: when that is looked at (`taking`). Functions that write belong into the transaction that
changes the document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.errors import DocumentUnreadable
from motet.storage.clock import db_now
from motet.storage.tables import failures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that could not be read."""

    source: str
    collection: str
    content_hash: str
    size_bytes: int
    read_by: str
    """What read it: `Parser.signature`."""
    reason: str
    message: str
    failed_at: float
    """Unix seconds, UTC."""

    def error(self) -> DocumentUnreadable:
        """Return it as it was, to be raised."""
        return DocumentUnreadable(self.message, path=self.source, reason=self.reason)


def remember(connection: Connection, tenant_id: str, failure: Failure) -> None:
    """Remember that a document could not be read, in place of what was known of it. Its time is the database's."""
    forget(connection, tenant_id, failure.collection, [failure.source])
    connection.execute(
        sa.insert(failures).values(
            tenant_id=tenant_id,
            collection=failure.collection,
            source=failure.source,
            content_hash=failure.content_hash,
            size_bytes=failure.size_bytes,
            read_by=failure.read_by,
            reason=failure.reason,
            message=failure.message,
            failed_at=db_now(),
        )
    )


def forget(connection: Connection, tenant_id: str, collection: str, sources: Iterable[str]) -> int:
    """Forget documents; return how many there were. One that is not known is passed over."""
    mine = (failures.c.tenant_id == tenant_id, failures.c.collection == collection)
    return sum(
        connection.execute(sa.delete(failures).where(*mine, failures.c.source == source)).rowcount
        for source in sources
    )


def listed(
    connection: Connection, tenant_id: str, collection: str | None = None, source: str | None = None
) -> list[Failure]:
    """Return what could not be read, of a collection or of all, in the order of collection and source."""
    query = sa.select(failures).where(failures.c.tenant_id == tenant_id)
    if collection is not None:
        query = query.where(failures.c.collection == collection)
    if source is not None:
        query = query.where(failures.c.source == source)
    rows = connection.execute(query.order_by(failures.c.collection, failures.c.source))
    return [
        Failure(
            source=row.source,
            collection=row.collection,
            content_hash=row.content_hash,
            size_bytes=row.size_bytes,
            read_by=row.read_by,
            reason=row.reason,
            message=row.message,
            failed_at=row.failed_at,
        )
        for row in rows
    ]
