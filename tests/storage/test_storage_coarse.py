"""Vectors in 8 bits: what is found is what looking at each vector gives."""

import numpy as np
import pytest
from numpy.typing import NDArray

from motet.storage import coarse as module
from motet.storage.coarse import Coarse

pytestmark = pytest.mark.skipif(not Coarse.can_be(), reason="numkong has no build for this machine")


def unit(count: int, *, seed: int = 7, spread: float = 1.0) -> NDArray[np.float32]:
    chance = np.random.default_rng(seed)
    rows = chance.standard_normal(48) + spread * chance.standard_normal((count, 48))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("spread", [9.0, 0.5, 0.1], ids=["apart", "close together", "all alike"])
def test_what_is_found_is_what_all_vectors_give(spread: float) -> None:
    rows = unit(3000, spread=spread)
    coarse = Coarse(rows)
    found_at_all = 0
    for vector in unit(20, seed=8, spread=spread):
        found = coarse.search(vector, 10)
        scores = rows @ vector
        if found is not None:
            found_at_all += 1
            assert [row for row, _ in found] == np.argsort(-scores, kind="stable")[:10].tolist()
            assert np.allclose([score for _, score in found], np.sort(scores)[::-1][:10], atol=1e-5)
    assert found_at_all >= (20 if spread > 0.1 else 0)


def test_a_vector_whose_copy_is_bad_is_found_all_the_same() -> None:
    asked = np.full(48, 1 / np.sqrt(48), np.float32)
    signs = np.array([1] * 26 + [-1] * 19 + [0] * 3)
    exact = np.array([np.roll(signs, at) for at in range(20)]) / np.sqrt(45)  # 8 bits lose nothing of these
    bad = np.full(48, 0.49 / 127)  # next to the one large number each of the small ones is kept as 0
    bad[0] = 1
    others = np.zeros((300, 48))
    rows = np.concatenate([exact, bad[None] / np.linalg.norm(bad), others]).astype(np.float32)
    found = Coarse(rows).search(asked, 2)
    assert found is not None
    assert [row for row, _ in found] == [20, 0]


def test_no_cosine_is_wrong_by_more_than_is_said() -> None:
    rows = unit(500)
    coarse = Coarse(rows)
    assert 0 < coarse.errors.max() < 0.05
    for vector in unit(20, seed=9):
        about = np.concatenate([half(vector[None])[0] for half in coarse._halves])
        assert (np.abs(about - rows @ vector) <= coarse.errors).all()


def test_where_too_many_are_as_near_it_says_so() -> None:
    rows = np.concatenate([np.repeat(unit(1), 100, axis=0), unit(700, seed=3, spread=9.0)])
    assert Coarse(rows).search(rows[0], 5) is None


def test_all_of_few_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = unit(6)
    for few in (module.FEW, 0.0):
        monkeypatch.setattr(module, "FEW", few)
        found = Coarse(rows).search(rows[4], 6)
        assert found is not None
        assert found[0][0] == 4
        assert len(found) == 6
