"""Products by 8-bit numbers: near those of 32 bits, row by row."""

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from motet.storage.products import Bytes, numkong

pytestmark = pytest.mark.skipif(numkong is None, reason="numkong has no build for this machine")

OUT = 192


def numbers(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(7).standard_normal(shape, np.float32)


@pytest.mark.parametrize(("fine", "error"), [(False, 0.02), (True, 0.01)])
@pytest.mark.parametrize("states", [1, 17, 200])
def test_a_product_is_near_that_of_the_whole_matrices(fine: bool, error: float, states: int) -> None:
    x, matrix = numbers(states, 96), numbers(OUT, 96)
    found = Bytes(matrix, fine=fine)(x)
    assert found.shape == (states, OUT)
    assert found.dtype == np.float32
    assert np.abs(found - x @ matrix.T).max() <= error * np.abs(x @ matrix.T).max()


def test_fine_loses_less_of_the_states() -> None:
    x, matrix = numbers(20, 384), numbers(OUT, 384)
    whole = np.rint(matrix / np.abs(matrix).max() * 127)  # 8 bits lose nothing of these weights
    whole[:, 0] = 127
    right = x @ whole.T
    plain, fine = (np.abs(way(whole)(x) - right).max() for way in (Bytes, partial(Bytes, fine=True)))
    assert fine < plain / 50


def test_it_is_said_how_far_each_row_is_from_what_is_kept() -> None:
    matrix = numbers(OUT, 384)
    matrix[7] *= 100
    product = Bytes(matrix, fine=True)
    x = numbers(50, 384)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    wrong = np.abs(product(x) - x @ matrix.T).max(axis=0)
    assert (wrong <= product.errors * 1.01).all()
    assert (wrong > product.errors / 100).all()
    assert product.errors[7] > 50 * np.median(product.errors)


@pytest.mark.parametrize("fine", [False, True])
def test_nothing_gives_nothing(fine: bool) -> None:
    nothing = np.zeros((2, 96), np.float32)
    assert np.array_equal(Bytes(numbers(OUT, 96), fine=fine)(nothing), np.zeros((2, OUT)))
    assert np.array_equal(Bytes(np.zeros((OUT, 96), np.float32), fine=fine)(nothing), np.zeros((2, OUT)))
