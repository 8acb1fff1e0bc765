"""Nearest vectors: an index that does not change any more, and how the next one is made of it.

What does not live here: whose vectors they are, where they are stored, and when an index is out of date (the rooms).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from motet.storage.coarse import Coarse

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    ReadVectors = Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], NDArray[np.float32]]]
    """From keys to the keys that were found and their vectors, shape (found, dimension)."""


LARGE = 20_000
"""Vectors from which on one question is worth more than one core."""

OFTEN = 3
"""Searches of the same vectors that are worth a second, smaller copy of them: one takes as long as some searches."""


@dataclass(slots=True)
class _Use:
    """How often an index was scanned, and its smaller copy."""

    count: int = 0
    coarse: Coarse | None = None
    lock: Lock = field(default_factory=Lock)


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """A flat inner-product index; searches of many threads may share it."""

    keys: NDArray[np.int64]
    """In the order of the index's rows."""
    index: Any
    _use: _Use = field(default_factory=_Use, repr=False, compare=False)

    @classmethod
    def empty(cls, dimension: int) -> VectorIndex:
        """Return an index of no vectors."""
        return cls.build(np.empty(0, np.int64), np.empty((0, dimension), np.float32))

    @classmethod
    def build(cls, keys: NDArray[np.int64], rows: NDArray[np.float32]) -> VectorIndex:
        """Return an index of vectors, shape (keys, dimension), each of length 1."""
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(rows.shape[1]))
        index.add_with_ids(np.ascontiguousarray(rows, np.float32), keys)
        return cls(keys, index)

    @property
    def dimension(self) -> int:
        """Numbers in each vector."""
        return int(self.index.d)

    def search(
        self, vector: NDArray[np.float32], *, limit: int, allowed: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """Return `(key, cosine)` of the nearest vectors, nearest first.

        Args:
            vector: Shape (dimension,), of length 1.
            limit: At most this many.
            allowed: Only these keys; all unless given.
        """
        count = min(limit, len(self.keys) if allowed is None else len(allowed))
        if count < 1:
            return []
        if len(self.keys) >= LARGE:
            return self._scanned(vector, count, allowed)
        library: Any = faiss  # its stubs know no selectors
        params = None if allowed is None else library.SearchParameters(sel=library.IDSelectorBatch(allowed))
        scores, keys = self.index.search(vector.reshape(1, -1), count, params=params)
        return [(int(key), float(score)) for key, score in zip(keys[0], scores[0], strict=True) if key >= 0]

    def _scanned(
        self, vector: NDArray[np.float32], count: int, allowed: NDArray[np.int64] | None
    ) -> list[tuple[int, float]]:
        """Search on all cores; FAISS takes one core for one question."""
        coarse = self._coarse() if allowed is None and Coarse.can_be() else None
        near = coarse.search(vector, count) if coarse is not None else None
        if near is not None:
            return [(int(self.keys[at]), score) for at, score in near]
        scores, keys = self._rows() @ np.asarray(vector, np.float32), self.keys
        if allowed is not None:
            here = np.isin(keys, allowed)
            scores, keys = scores[here], keys[here]
            count = min(count, len(keys))
        if not count:
            return []
        lowest = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = np.flatnonzero(scores >= lowest)
        order = places[np.lexsort((places, -scores[places]))][:count]
        return [(int(keys[at]), float(scores[at])) for at in order]

    def _coarse(self) -> Coarse | None:
        """Return the smaller copy, made once the index is searched often; none while another thread makes it."""
        use = self._use
        use.count += 1
        if use.coarse is None and use.count >= OFTEN and use.lock.acquire(blocking=False):
            try:
                use.coarse = use.coarse or Coarse(self._rows())
            finally:
                use.lock.release()
        return use.coarse

    def renewed(self, wanted: NDArray[np.int64], read: ReadVectors) -> VectorIndex:
        """Return the index of the wanted keys: those it has are kept, those it lacks are read, others left out.

        A wanted key without a vector is passed over. A key's vector must never change: a new one has a new key.
        """
        stay = np.isin(self.keys, wanted)
        keys, rows = self.keys[stay], self._rows()[stay]
        missing = np.setdiff1d(wanted, self.keys)
        if len(missing):
            found, vectors = read(missing)
            new = np.isin(found, missing)
            keys, rows = np.concatenate([keys, found[new]]), np.concatenate([rows, vectors[new]])
        return VectorIndex.build(keys, rows)

    def _rows(self) -> NDArray[np.float32]:
        """Return the vectors without copying them."""
        flat: Any = faiss.downcast_index(self.index.index)
        if flat.ntotal == 0:
            return np.empty((0, flat.d), np.float32)
        return faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)
