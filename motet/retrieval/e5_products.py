"""Products of states with the same weights: by the processor's matrix tiles, by its sums of bytes, or by NumPy.

Processors with AMX (Intel's since 2023) multiply tiles of 16-bit numbers, 16 times as many in an instruction as others
do of 32 bits; those with AVX-512 VNNI (Intel's servers since 2021, AMD's since 2022) multiply 64 bytes in one.
`numkong` has both. Few states, as of a question, wait mostly for the weights to be read, of which there is half or a
quarter.

What does not live here: the model (`e5`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from motet.storage.products import Bytes, numkong

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BLOCK = 192
"""Columns of weights that lie together."""

FEW_STATES, FEW_COLUMNS = 48, 64
"""Up to so many states are multiplied by so many columns at a time: see `Blocks`."""


def quickest(*, few: bool) -> Way:
    """Return the way that is the quickest here, by what the processor and the system let this process use.

    Args:
        few: For few states at a time, as of a question; otherwise for many.
    """
    can = numkong.get_capabilities() if numkong is not None else {}
    if can.get("sapphireamx"):
        return Tiles
    return Bytes if few and can.get("icelake") else Blocks


class Tiles:
    """Weights as 16-bit numbers (bfloat16: 8 bits of precision), in the order that the processor's tiles want.

    Sums have 32 bits. The weights of the local model come from 4 bits and are rounded little, as are its vectors: their
    cosine with those of 32 bits is above 0.9999. It works on every processor; without AMX it is slow for many states.

    Args:
        matrix: Shape (out, in).
    """

    def __init__(self, matrix: Floats) -> None:
        assert numkong
        self._weights = numkong.dots_pack(numkong.astype(matrix, "bf16"), dtype="bf16")

    def __call__(self, x: Floats) -> Floats:
        """Return shape (len(x), out) for shape (len(x), in). A row does not depend on the others."""
        assert numkong
        return np.asarray(numkong.dots_packed(numkong.astype(x, "bf16"), self._weights))


class Blocks:
    """Weights as 32-bit numbers, in blocks of columns.

    Before it multiplies, OpenBLAS copies both matrices, but not small ones (fewer than a million multiplications): with
    few states the copying takes longer than the rest, and blocks that are small enough take two thirds of the time.

    Args:
        matrix: Shape (out, in).
    """

    def __init__(self, matrix: Floats) -> None:
        blocks = matrix.reshape(-1, BLOCK, matrix.shape[1]).transpose(0, 2, 1)
        self._blocks = np.ascontiguousarray(blocks)  # shape (out / BLOCK, in, BLOCK)

    def __call__(self, x: Floats) -> Floats:
        """Return shape (len(x), out) for shape (len(x), in)."""
        columns = FEW_COLUMNS if len(x) <= FEW_STATES else BLOCK
        count, rows, _ = self._blocks.shape
        found = np.empty((len(x), count, BLOCK // columns, columns), np.float32)
        parts = self._blocks.reshape(count, rows, BLOCK // columns, columns).transpose(0, 2, 1, 3)
        np.matmul(x, parts, out=found.transpose(1, 2, 0, 3))
        return found.reshape(len(x), -1)


if TYPE_CHECKING:
    Product = Blocks | Bytes | Tiles
    Way = type[Blocks | Bytes | Tiles]
