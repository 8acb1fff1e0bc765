import numpy as np
import pytest
from numpy.typing import NDArray

from motet.storage import vectors
from motet.storage.vectors import VectorIndex

EYE = np.eye(4, dtype=np.float32)


def keys(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def test_the_nearest_come_first_and_no_more_than_there_are() -> None:
    index = VectorIndex.build(keys(7, 8), EYE[:2])
    assert index.dimension == 4
    assert index.search(EYE[1], limit=5) == [(8, 1.0), (7, 0.0)]
    assert index.search(EYE[1], limit=1) == [(8, 1.0)]
    assert index.search(EYE[1], limit=0) == []
    assert VectorIndex.empty(4).search(EYE[0], limit=3) == []


def test_a_renewed_index_keeps_reads_and_leaves_out() -> None:
    asked: list[list[int]] = []

    def read(missing: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        asked.append(missing.tolist())
        return keys(8, 9), EYE[1:3]  # 8 was there already, 10 has no vector

    old = VectorIndex.build(keys(7, 8), EYE[:2])
    new = old.renewed(keys(8, 9, 10), read)
    assert asked == [[9, 10]]
    assert sorted(new.keys.tolist()) == [8, 9]
    assert new.search(EYE[2], limit=1) == [(9, 1.0)]
    assert old.search(EYE[0], limit=1) == [(7, 1.0)], "searches of the old one go on"
    assert new.renewed(keys(), read).search(EYE[2], limit=1) == []
    assert len(asked) == 1, "nothing is read when nothing is missing"


def test_many_vectors_are_scanned_on_all_cores_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(7).standard_normal((300, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    made = VectorIndex.build(np.arange(300, dtype=np.int64) * 3, rows)
    some = np.arange(0, 900, 9, dtype=np.int64)
    plain = [made.search(rows[5], limit=7), made.search(rows[5], limit=7, allowed=some)]
    monkeypatch.setattr(vectors, "LARGE", 100)
    scanned = [made.search(rows[5], limit=7), made.search(rows[5], limit=7, allowed=some)]
    for one, other in zip(plain, scanned, strict=True):
        assert [key for key, _ in one] == [key for key, _ in other]
        assert np.allclose([score for _, score in one], [score for _, score in other], atol=1e-5)
    assert made.search(rows[5], limit=7, allowed=np.array([1], np.int64)) == []
    assert len(made.search(rows[5], limit=1000)) == 300


@pytest.mark.parametrize("smaller", [True, False])
def test_an_index_that_is_searched_often_finds_the_same(
    monkeypatch: pytest.MonkeyPatch, smaller: bool
) -> None:
    monkeypatch.setattr(vectors, "LARGE", 100)
    if not smaller:
        monkeypatch.setattr(vectors.Coarse, "can_be", lambda: False)
    rows = np.random.default_rng(3).standard_normal((4000, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    made = VectorIndex.build(np.arange(4000, dtype=np.int64) + 1, rows)
    first = made.search(rows[5], limit=9)
    for _ in range(vectors.OFTEN):
        again = made.search(rows[5], limit=9)
        assert [key for key, _ in again] == [key for key, _ in first]
        assert np.allclose([score for _, score in again], [score for _, score in first], atol=1e-5)
    assert made.search(rows[5], limit=2, allowed=keys(1, 6))[0][0] == 6
    new = made.renewed(keys(6), lambda _: (keys(), rows[:0]))
    assert new.search(rows[5], limit=9)[0][0] == 6
