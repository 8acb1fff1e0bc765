"""What a vector store's library raises is told as one clear line."""

from typing import Any

import numpy as np
import pytest

from motet.errors import DatabaseUnavailable, SettingInvalid
from motet.retrieval.vectors.guarded import GuardedStore

KEYS = np.array([1], np.int64)
PLACE = "http://ann:s3cret@vectors.example:8080"


def broken(error: Exception) -> Any:
    """Return a store whose every method raises that."""
    return Broken(error)


class Broken:
    lasting = True

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object, **__: object) -> None:
            raise self.error

        return fail


def test_every_method_names_the_store_its_place_and_the_next_step() -> None:
    store = GuardedStore("chroma", PLACE, lambda _: broken(ValueError("no route\n to  host")))
    assert store.lasting
    for call in (
        lambda: store.keys("x"),
        lambda: store.add("x", 1, KEYS, np.ones((1, 1), np.float32)),
        lambda: store.remove("x", KEYS),
        lambda: store.search("x", np.ones(1, np.float32), limit=1),
        lambda: store.drop("x"),
        store.close,
    ):
        with pytest.raises(DatabaseUnavailable) as told:
            call()
        assert "chroma at http://ann:***@vectors.example:8080" in told.value.message
        assert "(no route to host)" in told.value.message
        assert "MOTET_VECTORS" in told.value.message


def test_a_store_that_cannot_be_opened_is_told_too_and_an_own_error_stays() -> None:
    def fail(error: Exception) -> Any:
        def make(_: str) -> Any:
            raise error

        return make

    with pytest.raises(DatabaseUnavailable, match=r"\(OSError\)"):
        GuardedStore("milvus", "x.db", fail(OSError()))
    with pytest.raises(SettingInvalid, match="needs an address"):
        GuardedStore("milvus", "x.db", fail(SettingInvalid("It needs an address.")))
