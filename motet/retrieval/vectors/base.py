"""The port of vector stores.

Every vector stands in the database, in its passage's row; a store is a mirror that may lose everything: what it lacks
is written again, what it has too much is removed (`index`).

What does not live here: the table of stores (`stores`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from motet.errors import ExtraMissing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 1_000
"""Vectors that are written to a server at once."""


class VectorStore(Protocol):
    """Sets of vectors by name. Blocking; calls for one set come one at a time, but for searches."""

    lasting: bool
    """What is written is there after a restart, and costs this process no memory."""

    def keys(self, name: str) -> NDArray[np.int64]:
        """Return the keys of a set in any order; none for a set that was never written."""
        ...

    def add(self, name: str, dimension: int, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Write vectors, shape (keys, dimension), each of length 1; a key that is there is written again."""
        ...

    def remove(self, name: str, keys: NDArray[np.int64]) -> None:
        """Take vectors out; a key that is not there is passed over."""
        ...

    def search(
        self,
        name: str,
        vector: NDArray[np.float32],
        *,
        limit: int,
        allowed: NDArray[np.int64] | None = None,
    ) -> list[tuple[int, float]]:
        """Find the nearest.

        Args:
            name: The set; one that was never written finds nothing.
            vector: Shape (dimension,), of length 1.
            limit: At most this many.
            allowed: Only these keys; all unless given.

        Returns:
            `(key, cosine)`, nearest first.
        """
        ...

    def drop(self, name: str) -> None:
        """Forget a set; one that is not there is passed over."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def library(module: str, extra: str) -> Any:
    """Return a store's library.

    Raises:
        ExtraMissing: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ExtraMissing(
            f'The vector store {extra} needs {error.name or module}: pip install "motet[{extra}]".',
            extra=extra,
        ) from None
