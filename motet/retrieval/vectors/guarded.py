"""A vector store whose library has errors of its own: each of them becomes one of the tree, with the place in it.

What does not live here: the stores.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from motet.errors import DatabaseUnavailable, MotetError
from motet.secret import hide_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from motet.retrieval.vectors.base import VectorStore


class GuardedStore:
    """See `VectorStore`; every method of it raises `DatabaseUnavailable` where the store cannot be used.

    Args:
        name: The store's name in the settings.
        place: Where it is; a password in it is not told.
        make: What opens it.
    """

    lasting: bool

    def __init__(self, name: str, place: str, make: Callable[[str], VectorStore]) -> None:
        self._name, self._place = name, hide_password(place)
        with self._told():
            self._store = make(place)
        self.lasting = self._store.lasting

    def keys(self, name: str) -> NDArray[np.int64]:
        """See `VectorStore.keys`."""
        with self._told():
            return self._store.keys(name)

    def add(self, name: str, dimension: int, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """See `VectorStore.add`."""
        with self._told():
            self._store.add(name, dimension, keys, vectors)

    def remove(self, name: str, keys: NDArray[np.int64]) -> None:
        """See `VectorStore.remove`."""
        with self._told():
            self._store.remove(name, keys)

    def search(
        self,
        name: str,
        vector: NDArray[np.float32],
        *,
        limit: int,
        allowed: NDArray[np.int64] | None = None,
    ) -> list[tuple[int, float]]:
        """See `VectorStore.search`."""
        with self._told():
            return self._store.search(name, vector, limit=limit, allowed=allowed)

    def drop(self, name: str) -> None:
        """See `VectorStore.drop`."""
        with self._told():
            self._store.drop(name)

    def close(self) -> None:
        """See `VectorStore.close`."""
        with self._told():
            self._store.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except MotetError:
            raise
        except Exception as error:  # an edge: each store's library has a tree of its own
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DatabaseUnavailable(
                f"The vector store {self._name} at {self._place} cannot be used ({reason[:300]}). Mend it, or choose "
                "another by MOTET_VECTORS: every vector is in the database too, and none is computed anew."
            ) from error
