"""Products of states with the same weights in 8 bits a number: a quarter of the reading, for which few states wait.

What does not live here: what is multiplied (`coarse`, and the local embedding model).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

try:
    import numkong
except ImportError:  # no build for this machine
    numkong = None

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_LEVELS = 254
"""Steps of an 8-bit number from the least to the greatest, which is as far from 0."""


class Bytes:
    """Weights as 8-bit numbers, and states too, for the product: each row of either has a scale of its own.

    A row's scale is its largest number's. With AVX-512 VNNI it is the quickest way for few states.

    Args:
        matrix: Shape (out, in); finite.
        fine: Take two such numbers for a state, the second for what the first leaves, which is 254 times as exact.
    """

    def __init__(self, matrix: Floats, *, fine: bool = False) -> None:
        assert numkong
        scale = _scale(matrix)
        left = matrix / scale
        whole = np.rint(left)
        left -= whole
        self._weights = numkong.dots_pack(whole.astype(np.int8), dtype="int8")
        self._scale = scale[:, 0]
        self._fine = fine
        self.errors: Floats = np.sqrt(np.vecdot(left, left)) * self._scale
        """How far each row is from what is kept of it, shape (out,)."""

    def __call__(self, x: Floats) -> Floats:
        """Return shape (len(x), out) for shape (len(x), in). A row does not depend on the others."""
        assert numkong
        scale = _scale(x)
        left = x / scale
        count = len(x)
        states = np.empty((2 * count if self._fine else count, x.shape[1]), np.int8)
        states[:count] = whole = np.rint(left)
        if self._fine:
            left -= whole
            left *= _LEVELS
            states[count:] = np.rint(left, out=left)
        sums = np.asarray(numkong.dots_packed(states, self._weights)).astype(np.float32)
        found = sums[:count]
        if self._fine:
            rest = sums[count:]
            rest *= np.float32(1 / _LEVELS)
            found += rest
        found *= self._scale
        found *= scale
        return found


def _scale(matrix: Floats) -> Floats:
    """Return what one step of 8 bits stands for in each row, shape (rows, 1); above 0 in a row of nothing too."""
    scale = np.maximum.reduce(np.abs(matrix), axis=1, keepdims=True)
    scale *= np.float32(2 / _LEVELS)
    scale += np.float32(1e-30)
    return scale
