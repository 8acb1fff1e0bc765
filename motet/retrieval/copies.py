"""Documents of the same bytes: their passages are stored once, under one of them.

What does not live here: when a document is taken for a copy (`collection`). All functions work inside the
transaction that changes the document.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.storage.tables import documents, passages

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def find_original(
    connection: Connection, tenant_id: str, collection: str, source: str, content_hash: str
) -> tuple[int, str] | None:
    """Return the key and the title of another document of these bytes and this ending that has passages; else None."""
    found = connection.execute(
        sa.select(documents.c.document_key, documents.c.title, documents.c.source)
        .where(
            documents.c.tenant_id == tenant_id,
            documents.c.collection == collection,
            documents.c.content_hash == content_hash,
            documents.c.copy_of.is_(None),
            documents.c.source != source,
        )
        .order_by(documents.c.document_key)
    )
    ending = PurePath(source).suffix.lower()
    return next((row[:2] for row in found if PurePath(row.source).suffix.lower() == ending), None)  # pyright: ignore[reportReturnType]


def hand_over(connection: Connection, document_key: int) -> bool:
    """Give a document's passages to its first copy, before it goes; say whether there was one."""
    copies = (
        connection.execute(
            sa.select(documents.c.document_key)
            .where(documents.c.copy_of == document_key)
            .order_by(documents.c.document_key)
        )
        .scalars()
        .all()
    )
    if not copies:
        return False
    heir = copies[0]
    connection.execute(
        sa.update(passages).where(passages.c.document_key == document_key).values(document_key=heir)
    )
    connection.execute(sa.update(documents).where(documents.c.copy_of == document_key).values(copy_of=heir))
    connection.execute(sa.update(documents).where(documents.c.document_key == heir).values(copy_of=None))
    return True
