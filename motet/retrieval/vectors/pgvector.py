"""pgvector: a table in a PostgreSQL that has the extension `vector` (`postgresql://…`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from motet.errors import SettingInvalid
from motet.retrieval.vectors.base import BATCH, library
from motet.secret import hide_password

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection


class PgvectorStore:
    """A table for each set; the search is exact, as FAISS's.

    Args:
        place: A PostgreSQL URL.

    Raises:
        ExtraMissing: psycopg is not installed.
        SettingInvalid: No such URL, or the server has no extension `vector`.
    """

    lasting = True

    def __init__(self, place: str) -> None:
        library("psycopg", "postgres")
        if not place.startswith("postgresql"):
            raise SettingInvalid(
                "The vector store pgvector needs a URL like postgresql://host/name: set MOTET_VECTORS_AT."
            )
        url = place.replace("postgresql://", "postgresql+psycopg://", 1)
        self._engine = sa.create_engine(url, pool_size=2)
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS vector"))
        except DBAPIError as error:
            self._engine.dispose()
            raise SettingInvalid(
                f"{hide_password(place)} cannot be used for vectors: {str(error.orig).strip().splitlines()[0]}. "
                "Install pgvector on that server, or choose another store by MOTET_VECTORS."
            ) from None

    def keys(self, name: str) -> NDArray[np.int64]:
        """See `VectorStore.keys`."""
        with self._engine.connect() as connection:
            if not _there(connection, name):
                return np.empty(0, np.int64)
            query = sa.text(f"SELECT key FROM {_table(name)}")  # noqa: S608
            return np.fromiter(connection.execute(query).scalars(), np.int64)

    def add(self, name: str, dimension: int, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """See `VectorStore.add`."""
        table = _table(name)
        with self._engine.begin() as connection:
            connection.execute(
                sa.text(
                    f"CREATE TABLE IF NOT EXISTS {table} (key BIGINT PRIMARY KEY, vector vector({dimension:d}))"
                )
            )
            for at in range(0, len(keys), BATCH):
                part = zip(keys[at : at + BATCH].tolist(), vectors[at : at + BATCH].tolist(), strict=True)
                connection.execute(
                    sa.text(
                        f"INSERT INTO {table} VALUES (:key, CAST(:vector AS vector)) "  # noqa: S608
                        "ON CONFLICT (key) DO UPDATE SET vector = excluded.vector"
                    ),
                    [{"key": key, "vector": str(vector)} for key, vector in part],
                )

    def remove(self, name: str, keys: NDArray[np.int64]) -> None:
        """See `VectorStore.remove`."""
        with self._engine.begin() as connection:
            if _there(connection, name):
                connection.execute(
                    sa.text(f"DELETE FROM {_table(name)} WHERE key = ANY(:keys)"),  # noqa: S608
                    {"keys": keys.tolist()},
                )

    def search(
        self,
        name: str,
        vector: NDArray[np.float32],
        *,
        limit: int,
        allowed: NDArray[np.int64] | None = None,
    ) -> list[tuple[int, float]]:
        """See `VectorStore.search`."""
        asked: dict[str, Any] = {"vector": str(vector.tolist()), "limit": limit}
        only = ""
        if allowed is not None:
            asked["keys"], only = allowed.tolist(), "WHERE key = ANY(:keys) "
        query = (
            f"SELECT key, 1 - (vector <=> CAST(:vector AS vector)) AS cosine FROM {_table(name)} {only}"  # noqa: S608
            "ORDER BY vector <=> CAST(:vector AS vector), key LIMIT :limit"
        )
        with self._engine.connect() as connection:
            if not _there(connection, name):
                return []
            return [(int(key), float(cosine)) for key, cosine in connection.execute(sa.text(query), asked)]

    def drop(self, name: str) -> None:
        """See `VectorStore.drop`."""
        with self._engine.begin() as connection:
            connection.execute(sa.text(f"DROP TABLE IF EXISTS {_table(name)}"))

    def close(self) -> None:
        """See `VectorStore.close`."""
        self._engine.dispose()


def _table(name: str) -> str:
    """Return a set's table; names are letters, digits and `_` (`index.set_name`)."""
    assert name.replace("_", "").isalnum()
    return f"vectors_{name}"


def _there(connection: Connection, name: str) -> bool:
    return connection.dialect.has_table(connection, _table(name))
