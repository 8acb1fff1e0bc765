"""One suite for LangGraph's own store and Motet's: what one does, the other does."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from langgraph.store.base import BaseStore, GetOp, PutOp
from langgraph.store.memory import InMemoryStore
from numpy.typing import NDArray

from motet.errors import InvalidInput
from motet.memory.store import MotetStore
from motet.settings import StorageSettings
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.tables import store_items


class Letters:
    """An embedder that counts letters: near texts share letters."""

    name = "letters"
    dimension = 26

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), 26), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    row[ord(letter) - 97] += 1
            row /= max(float(np.linalg.norm(row)), 1e-9)
        return rows

    embed_passages = embed_queries


@pytest.fixture(params=["langgraph", "motet", "motet on postgresql"])
def store(request: pytest.FixtureRequest, database: Database) -> Iterator[BaseStore]:
    if request.param != "motet on postgresql":
        yield InMemoryStore() if request.param == "langgraph" else MotetStore(database)
        return
    settings = StorageSettings(database_url=request.getfixturevalue("postgres_url"))
    postgres = Database(settings)
    try:
        prepare(postgres, settings)
        yield MotetStore(postgres)
    finally:
        postgres.close()


async def fill(store: BaseStore) -> None:
    for i in range(5):
        await store.aput(("docs", "a"), f"k{i}", {"n": i, "kind": "even" if i % 2 == 0 else "odd"})
    await store.aput(("docs", "b"), "x", {"n": 9})


async def test_what_was_put_is_got(store: BaseStore) -> None:
    await store.aput(("a", "b"), "k", {"x": [1, {"y": "茶"}], "z": None})
    item = await store.aget(("a", "b"), "k")
    assert item is not None
    assert (item.namespace, item.key, item.value) == (("a", "b"), "k", {"x": [1, {"y": "茶"}], "z": None})
    assert item.created_at.tzinfo is not None


async def test_what_is_missing_is_none(store: BaseStore) -> None:
    await store.aput(("a",), "k", {"x": 1})
    assert await store.aget(("a",), "other") is None
    assert await store.aget(("a", "b"), "k") is None


async def test_a_second_put_replaces_and_keeps_the_time_of_creation(store: BaseStore) -> None:
    await store.aput(("a",), "k", {"x": 1})
    first = await store.aget(("a",), "k")
    await asyncio.sleep(0.005)
    await store.aput(("a",), "k", {"x": 2})
    second = await store.aget(("a",), "k")
    assert first is not None
    assert second is not None
    assert second.value == {"x": 2}
    assert second.updated_at > first.updated_at


async def test_writers_of_one_key_do_not_disturb_each_other(store: BaseStore) -> None:
    await asyncio.gather(*(store.aput(("a",), "k", {"x": number}) for number in range(20)))
    assert len(await store.asearch(("a",))) == 1


async def test_deleting_twice_is_fine(store: BaseStore) -> None:
    await store.aput(("a",), "k", {"x": 1})
    await store.adelete(("a",), "k")
    await store.adelete(("a",), "k")
    assert await store.aget(("a",), "k") is None


async def test_a_search_sees_everything_below_its_prefix(store: BaseStore) -> None:
    await fill(store)
    assert len(await store.asearch(("docs",), limit=100)) == 6
    assert {i.key for i in await store.asearch(("docs", "b"))} == {"x"}
    assert await store.asearch(("doc",)) == []


async def test_a_filter_compares_for_equality(store: BaseStore) -> None:
    await fill(store)
    assert {i.key for i in await store.asearch(("docs",), filter={"kind": "odd"})} == {"k1", "k3"}
    assert await store.asearch(("docs",), filter={"kind": "odd", "n": 2}) == []


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ({"$gt": 2}, {"k3", "k4", "x"}),
        ({"$gte": 3, "$lt": 9}, {"k3", "k4"}),
        ({"$lte": 0}, {"k0"}),
        ({"$ne": 9}, {"k0", "k1", "k2", "k3", "k4"}),
        ({"$eq": 9}, {"x"}),
    ],
)
async def test_a_filter_knows_operators(store: BaseStore, condition: dict[str, Any], keys: set[str]) -> None:
    await fill(store)
    assert {i.key for i in await store.asearch(("docs",), filter={"n": condition}, limit=100)} == keys


async def test_an_unknown_operator_is_refused(store: BaseStore) -> None:
    await fill(store)
    with pytest.raises((InvalidInput, ValueError)):
        await store.asearch(("docs",), filter={"n": {"$where": "1=1"}})


async def test_limit_and_offset_walk_through_everything_once(store: BaseStore) -> None:
    await fill(store)
    pages = [await store.asearch(("docs",), limit=2, offset=o) for o in (0, 2, 4, 6)]
    assert [len(page) for page in pages] == [2, 2, 2, 0]
    assert len({(i.namespace, i.key) for page in pages for i in page}) == 6


async def test_namespaces_are_listed_by_prefix_suffix_and_depth(store: BaseStore) -> None:
    for namespace in (("a", "x", "1"), ("a", "y", "1"), ("b", "x", "2")):
        await store.aput(namespace, "k", {})
    assert sorted(await store.alist_namespaces(prefix=("a",))) == [("a", "x", "1"), ("a", "y", "1")]
    assert sorted(await store.alist_namespaces(suffix=("1",))) == [("a", "x", "1"), ("a", "y", "1")]
    assert sorted(await store.alist_namespaces(prefix=("*", "x"))) == [("a", "x", "1"), ("b", "x", "2")]
    assert sorted(await store.alist_namespaces(max_depth=1)) == [("a",), ("b",)]
    assert len(await store.alist_namespaces(limit=1, offset=2)) == 1


async def test_wildcards_of_sql_are_letters(store: BaseStore) -> None:
    await store.aput(("a_b",), "k", {"x": 1})
    await store.aput(("aXb",), "k", {"x": 2})
    await store.aput(("a%",), "k", {"x": 3})
    assert [i.value["x"] for i in await store.asearch(("a_b",))] == [1]
    assert [i.value["x"] for i in await store.asearch(("a%",))] == [3]


async def test_a_batch_answers_in_order_and_the_last_write_counts(store: BaseStore) -> None:
    await store.aput(("a",), "k", {"x": 0})
    ops = [
        GetOp(("a",), "k"),
        PutOp(("a",), "k", {"x": 1}),
        PutOp(("a",), "k", {"x": 2}),
        GetOp(("a",), "no"),
    ]
    first, put, _, missing = await store.abatch(ops)
    assert (getattr(first, "value", None), put, missing) == ({"x": 0}, None, None)
    item = await store.aget(("a",), "k")
    assert item is not None
    assert item.value == {"x": 2}


def test_it_works_without_an_event_loop(store: BaseStore) -> None:
    store.put(("a",), "k", {"x": 1})
    assert [i.key for i in store.search(("a",))] == ["k"]
    store.delete(("a",), "k")
    assert store.get(("a",), "k") is None


async def test_a_search_by_meaning_ranks_by_nearness(database: Database) -> None:
    store = MotetStore(database, embedder=Letters())
    for key, text in {"one": "zebra zoo", "two": "apple pie", "three": "a pale pea"}.items():
        await store.aput(("t",), key, {"text": text})
    await store.aput(("t",), "unseen", {"text": "apple"}, index=False)
    found = await store.asearch(("t",), query="appeal")
    assert found[0].key in {"two", "three"}
    assert found[-1].key == "unseen"
    assert found[0].score is not None


async def test_vectors_of_another_model_are_not_compared(database: Database) -> None:
    await MotetStore(database, embedder=Letters()).aput(("t",), "k", {"text": "apple"})

    class Other(Letters):
        name = "other"

    [item] = await MotetStore(database, embedder=Other()).asearch(("t",), query="apple")
    assert item.score is None


async def test_without_an_embedder_shared_words_count_in_both_languages(database: Database) -> None:
    store = MotetStore(database)
    await store.aput(("t",), "tea", {"text": "用户喜欢绿茶"})
    await store.aput(("t",), "dog", {"text": "The user has a dog"})
    assert (await store.asearch(("t",), query="喜欢什么茶"))[0].key == "tea"
    assert (await store.asearch(("t",), query="Is there a dog?"))[0].key == "dog"


async def test_what_has_expired_is_gone_and_reading_gives_time_anew(database: Database) -> None:
    store = MotetStore(database)
    await store.aput(("t",), "short", {"x": 1}, ttl=0.5)
    await store.aput(("t",), "long", {"x": 2})

    def left() -> float:
        query = sa.select(store_items.c.expires_at).where(store_items.c.key == "short")
        return database.read_sync(lambda c: c.execute(query).scalar_one())

    before = left()
    await asyncio.sleep(0.01)
    await store.aget(("t",), "short")
    assert left() > before
    await database.write(
        lambda c: c.execute(sa.update(store_items).where(store_items.c.key == "short").values(expires_at=1.0))
    )
    assert await store.aget(("t",), "short") is None
    assert [i.key for i in await store.asearch(("t",))] == ["long"]
    await store.aput(("t",), "other", {})
    count = sa.select(sa.func.count()).select_from(store_items)
    assert database.read_sync(lambda c: c.execute(count).scalar_one()) == 2


async def test_tenants_see_nothing_of_each_other(database: Database) -> None:
    await MotetStore(database, tenant_id="one").aput(("a",), "k", {"x": 1})
    other = MotetStore(database, tenant_id="two")
    assert await other.aget(("a",), "k") is None
    assert await other.asearch((), limit=10) == []
    assert await other.alist_namespaces() == []


@pytest.mark.parametrize("bad", [{"x": object()}, {"x": {1, 2}}])
async def test_a_value_that_is_not_json_is_refused(database: Database, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="not plain JSON"):
        await MotetStore(database).aput(("a",), "k", bad)
