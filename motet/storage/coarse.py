"""Nearest vectors among many, found with a quarter of the reading: each number in 8 bits first, the best exactly.

What does not live here: when that is worth it (`vectors`). A scan of all takes as long as it takes to read them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from motet.storage.cores import Both

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDER = 4
"""How many times the wanted number each half of the vectors gives."""

_STEP = 10_000
"""Vectors that are measured at once."""


class Coarse:
    """Vectors of length 1 in 8 bits a number, in two halves; searches of many threads may share it.

    Args:
        rows: The vectors themselves, shape (count, dimension); they are kept, not copied, and must not change.
    """

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self._rows = rows
        self._both = Both()
        middle = len(rows) // 2
        self._halves = (_index(rows[:middle]), 0), (_index(rows[middle:]), middle)
        self.error = max(_error(index, rows[start:]) for index, start in self._halves)
        """The most by which the cosine with any vector of length 1 may be wrong."""

    def search(self, vector: NDArray[np.float32], count: int) -> list[tuple[int, float]] | None:
        """Return `(row, cosine)` of the nearest, nearest first, ties in the order of the rows.

        Returns:
            What looking at each vector would give; None where that is not sure, since too many are about as near.
        """
        asked = np.ascontiguousarray(vector.reshape(1, -1), np.float32)
        found = self._both(partial(_nearest, asked, count * WIDER), self._halves)
        places = np.sort(np.concatenate([near for near, _ in found]))
        scores = self._rows[places] @ asked[0]
        order = np.lexsort((places, -scores))[:count]
        if len(order) < count or scores[order[-1]] <= max(last for _, last in found) + self.error:
            return None
        return [(int(places[at]), float(scores[at])) for at in order]


def _index(rows: NDArray[np.float32]) -> Any:
    library: Any = faiss  # its stubs know half of it
    index = library.IndexScalarQuantizer(
        rows.shape[1], library.ScalarQuantizer.QT_8bit, library.METRIC_INNER_PRODUCT
    )
    index.train(rows)
    index.add(rows)
    return index


def _error(index: Any, rows: NDArray[np.float32]) -> float:
    """Return how far the farthest vector is from what is kept of it."""
    worst = 0.0
    for start in range(0, index.ntotal, _STEP):
        kept = index.reconstruct_n(start, min(_STEP, index.ntotal - start))
        kept -= rows[start : start + len(kept)]
        worst = max(worst, float(np.sqrt(np.einsum("ij,ij->i", kept, kept).max())))
    return worst


def _nearest(
    asked: NDArray[np.float32], count: int, half: tuple[Any, int]
) -> tuple[NDArray[np.int64], float]:
    """Return the nearest rows of a half, and the cosine that none of its other rows is kept above."""
    index, start = half
    scores, places = index.search(asked, min(count, index.ntotal))
    last = float(scores[0, -1]) if count < index.ntotal else -np.inf
    return places[0] + start, last
