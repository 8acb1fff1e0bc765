import numpy as np
import pytest
from numpy.typing import NDArray

from motet.retrieval import e5_products
from motet.retrieval.e5_products import BLOCK, FEW_STATES, Blocks, Tiles, has_tiles, numkong

needs_numkong = pytest.mark.skipif(numkong is None, reason="numkong has no build for this machine")
WAYS = [(Blocks, 1e-5), pytest.param(Tiles, 0.01, marks=needs_numkong)]


def numbers(*shape: int, scale: float = 1) -> NDArray[np.float32]:
    return np.random.default_rng(7).standard_normal(shape, np.float32) * np.float32(scale)


@pytest.mark.parametrize("states", [1, 17, FEW_STATES, FEW_STATES + 1, 200])
@pytest.mark.parametrize(("way", "error"), WAYS)
def test_a_product_is_that_of_the_whole_matrices(
    way: type[Blocks] | type[Tiles], error: float, states: int
) -> None:
    x, matrix = numbers(states, 96), numbers(2 * BLOCK, 96, scale=0.1)
    found = way(matrix)(x)
    assert found.shape == (states, 2 * BLOCK)
    assert found.dtype == np.float32
    assert np.abs(found - x @ matrix.T).max() <= error * np.abs(x @ matrix.T).max()
    found += 1  # whoever asked may write there


@needs_numkong
def test_a_row_of_tiles_does_not_depend_on_the_others() -> None:
    product, x = Tiles(numbers(BLOCK, 96)), numbers(64, 96)
    assert np.array_equal(product(x)[5:8], product(x[5:8]))
    halves = product(x.reshape(2, 32, 96)[:, ::2].reshape(32, 96))
    assert np.array_equal(halves[:16], product(x)[:32:2])


def test_there_are_no_tiles_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e5_products, "numkong", None)
    assert not has_tiles()


@needs_numkong
def test_tiles_are_there_where_the_processor_has_amx(monkeypatch: pytest.MonkeyPatch) -> None:
    for has in (True, False):
        monkeypatch.setattr(numkong, "get_capabilities", lambda has=has: {"sapphireamx": has})
        assert has_tiles() is has
