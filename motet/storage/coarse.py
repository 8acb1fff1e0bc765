"""Nearest vectors among many, found with a quarter of the reading: each number in 8 bits first, the best exactly.

What does not live here: when that is worth it (`vectors`). A scan of all takes as long as it takes to read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from motet.storage.cores import Both
from motet.storage.products import Bytes, numkong

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 0.1
"""Up to this part of the vectors is compared exactly; where more are about as near, a scan is quicker."""

_ROUNDED = 1e-5
"""More than sums of 32 bits are wrong by, and the question's own 16 bits."""


class Coarse:
    """Vectors of length 1 in 8 bits a number, in two halves; searches of many threads may share it.

    Args:
        rows: The vectors themselves, shape (count, dimension), two or more; they are kept, not copied, and must not
            change.
    """

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self._rows = rows
        self._both = Both()
        middle = len(rows) // 2
        self._halves = Bytes(rows[:middle], fine=True), Bytes(rows[middle:], fine=True)
        self.errors = np.concatenate([half.errors for half in self._halves]) + np.float32(_ROUNDED)
        """The most by which each one's cosine with any vector of length 1 may be wrong, shape (count,)."""

    @staticmethod
    def can_be() -> bool:
        """Say whether this machine has what it takes."""
        return numkong is not None

    def search(self, vector: NDArray[np.float32], count: int) -> list[tuple[int, float]] | None:
        """Return `(row, cosine)` of the nearest, nearest first, ties in the order of the rows.

        Args:
            vector: Shape (dimension,), of length 1.
            count: How many, from 1 to the number of vectors.

        Returns:
            What looking at each vector would give; None where too many are about as near.
        """
        asked = np.ascontiguousarray(vector, np.float32)
        about = np.concatenate(self._both(lambda half: half(asked[None])[0], self._halves))
        least = about - self.errors
        surely = np.partition(least, len(least) - count)[len(least) - count]
        about += self.errors
        places = np.flatnonzero(about >= surely)
        if len(places) > max(count, FEW * len(about)):
            return None
        scores = self._rows[places] @ asked
        order = np.lexsort((places, -scores))[:count]
        return [(int(places[at]), float(scores[at])) for at in order]
