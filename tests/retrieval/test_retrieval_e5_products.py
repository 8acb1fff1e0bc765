from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from motet.retrieval import e5_products
from motet.retrieval.e5_products import BLOCK, FEW_STATES, Blocks, Tiles, numkong, quickest
from motet.storage.products import Bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from motet.retrieval.e5_products import Product, Way

needs_numkong = pytest.mark.skipif(numkong is None, reason="numkong has no build for this machine")
WAYS = [
    (Blocks, 1e-5),
    pytest.param(Tiles, 0.01, marks=needs_numkong),
    pytest.param(Bytes, 0.02, marks=needs_numkong),
]


def numbers(*shape: int, scale: float = 1) -> NDArray[np.float32]:
    return np.random.default_rng(7).standard_normal(shape, np.float32) * np.float32(scale)


@pytest.mark.parametrize("states", [1, 17, FEW_STATES, FEW_STATES + 1, 200])
@pytest.mark.parametrize(("way", "error"), WAYS)
def test_a_product_is_that_of_the_whole_matrices(
    way: Callable[[NDArray[np.float32]], Product], error: float, states: int
) -> None:
    x, matrix = numbers(states, 96), numbers(2 * BLOCK, 96, scale=0.1)
    found = way(matrix)(x)
    assert found.shape == (states, 2 * BLOCK)
    assert found.dtype == np.float32
    assert np.abs(found - x @ matrix.T).max() <= error * np.abs(x @ matrix.T).max()
    found += 1  # whoever asked may write there


@needs_numkong
@pytest.mark.parametrize("way", [Tiles, Bytes])
def test_a_row_does_not_depend_on_the_others(way: Callable[[NDArray[np.float32]], Product]) -> None:
    product, x = way(numbers(BLOCK, 96)), numbers(64, 96)
    x[9] *= 1000
    assert np.array_equal(product(x)[5:8], product(x[5:8]))
    halves = product(x.reshape(2, 32, 96)[:, ::2].reshape(32, 96))
    assert np.array_equal(halves[:16], product(x)[:32:2])


def test_without_the_package_it_is_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e5_products, "numkong", None)
    assert (quickest(few=True), quickest(few=False)) == (Blocks, Blocks)


@needs_numkong
@pytest.mark.parametrize(
    ("can", "few", "many"),
    [
        ({"sapphireamx": True, "icelake": True}, Tiles, Tiles),
        ({"sapphireamx": False, "icelake": True}, Bytes, Blocks),
        ({"sapphireamx": False, "icelake": False}, Blocks, Blocks),
        ({}, Blocks, Blocks),
    ],
)
def test_the_quickest_way_is_what_the_processor_can(
    monkeypatch: pytest.MonkeyPatch, can: dict[str, bool], few: Way, many: Way
) -> None:
    monkeypatch.setattr(numkong, "get_capabilities", lambda: can)
    assert (quickest(few=True), quickest(few=False)) == (few, many)
