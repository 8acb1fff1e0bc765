"""Where documents came from: the files and folders that `sync` looks at again.

What does not live here: looking (`collection`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.storage.tables import roots

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection


def remember(connection: Connection, tenant_id: str, collection: str, places: Iterable[str]) -> None:
    """Remember places; one that lies below a remembered folder is covered by it."""
    known = listed(connection, tenant_id, collection)
    for place in places:
        if any(lies_in(place, other) for other in known):
            continue
        covered = [other for other in known if lies_in(other, place)]
        forget(connection, tenant_id, collection, covered)
        connection.execute(sa.insert(roots).values(tenant_id=tenant_id, collection=collection, root=place))
        known = [other for other in known if other not in covered] + [place]


def forget(connection: Connection, tenant_id: str, collection: str, places: Sequence[str]) -> None:
    """Forget places; one that is not known is passed over."""
    mine = (roots.c.tenant_id == tenant_id, roots.c.collection == collection)
    connection.execute(sa.delete(roots).where(*mine, roots.c.root.in_(places)))


def listed(connection: Connection, tenant_id: str, collection: str) -> list[str]:
    """Return a collection's places in their order."""
    mine = (roots.c.tenant_id == tenant_id, roots.c.collection == collection)
    return list(connection.execute(sa.select(roots.c.root).where(*mine).order_by(roots.c.root)).scalars())


def lies_in(place: str, folder: str) -> bool:
    """Say whether a place is a folder or lies below it."""
    return place == folder or place.startswith(folder.rstrip("/") + "/")
