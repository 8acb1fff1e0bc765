"""Vectors in 8 bits: what is sure is what looking at each vector gives."""

import numpy as np
import pytest
from numpy.typing import NDArray

from motet.storage.coarse import Coarse


def unit(count: int, *, seed: int = 7, spread: float = 1.0) -> NDArray[np.float32]:
    chance = np.random.default_rng(seed)
    rows = chance.standard_normal(48) + spread * chance.standard_normal((count, 48))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("spread", [9.0, 0.5], ids=["apart", "close together"])
def test_what_is_found_is_what_all_vectors_give(spread: float) -> None:
    rows = unit(3000, spread=spread)
    coarse = Coarse(rows)
    sure = 0
    for vector in unit(20, seed=8, spread=spread):
        found = coarse.search(vector, 10)
        scores = rows @ vector
        if found is not None:
            sure += 1
            assert [row for row, _ in found] == np.argsort(-scores, kind="stable")[:10].tolist()
            assert np.allclose([score for _, score in found], np.sort(scores)[::-1][:10], atol=1e-5)
    assert sure >= 15


def test_the_error_is_no_less_than_any_that_is_made() -> None:
    rows = unit(500)
    coarse = Coarse(rows)
    assert 0 < coarse.error < 0.05
    kept = np.concatenate([index.reconstruct_n(0, index.ntotal) for index, _ in coarse._halves])
    for vector in unit(20, seed=9):
        assert np.abs(kept @ vector - rows @ vector).max() <= coarse.error


def test_too_many_that_are_as_near_are_not_sure() -> None:
    rows = np.repeat(unit(2), 400, axis=0)
    assert Coarse(rows).search(rows[0], 5) is None


def test_all_of_few_are_sure_and_more_than_there_are_is_not() -> None:
    rows = unit(6)
    found = Coarse(rows).search(rows[4], 6)
    assert found is not None
    assert found[0][0] == 4
    assert len(found) == 6
    assert Coarse(rows).search(rows[4], 7) is None
