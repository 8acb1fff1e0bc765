"""One suite for LangGraph's own store and Motet's: what one does, the other does."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from langgraph.store.base import BaseStore, GetOp, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore
from numpy.typing import NDArray

from motet.errors import InvalidInput, StorageError
from motet.memory.store import MotetStore
from motet.settings import StorageSettings
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.tables import store_items, store_texts


class Letters:
    """An embedder that counts letters: near texts share letters. It keeps what it was asked to embed."""

    dimension = 26

    def __init__(self, name: str = "letters") -> None:
        self.name = name
        self.embedded: list[str] = []

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), 26), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    row[ord(letter) - 97] += 1
            row /= max(float(np.linalg.norm(row)), 1e-9)
        return rows

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded.extend(texts)
        return self.embed_queries(texts)


@pytest.fixture(params=["sqlite", "postgresql"])
def each(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("database")
        return
    settings = StorageSettings(database_url=request.getfixturevalue("postgres_url"))
    postgres = Database(settings)
    try:
        prepare(postgres, settings)
        yield postgres
    finally:
        postgres.close()


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


async def test_the_nearest_are_those_of_a_plain_scan(each: Database) -> None:
    """More items than are looked at first, so that FAISS is asked again for more of them."""
    words = ["zebra", "apple", "quartz", "violin", "harbour", "jumbo", "fox"]
    texts = {
        f"k{n:03}": f"{words[n % 7]} {words[n % 5]} {chr(97 + n % 26) * (1 + n % 9)}" for n in range(300)
    }
    store = MotetStore(each, embedder=Letters())
    await store.abatch([PutOp(("t",), key, {"text": text, "n": int(key[1:])}) for key, text in texts.items()])
    query = Letters().embed_queries(["a violin for the fox"])[0]
    rows = Letters().embed_queries(
        [f'{{"n": {int(key[1:])}, "text": "{text}"}}' for key, text in texts.items()]
    )
    plain = {key: float(score) for key, score in zip(texts, rows @ query, strict=True)}
    found = await store.asearch(("t",), query="a violin for the fox", limit=300)
    assert len({item.key for item in found}) == 300
    scores = [item.score or 0.0 for item in found]
    assert scores == sorted(scores, reverse=True)
    assert all(abs((item.score or 0.0) - plain[item.key]) < 1e-5 for item in found)
    few = await store.asearch(("t",), query="a violin for the fox", filter={"n": {"$lt": 3}}, limit=5)
    assert [item.key for item in few] == sorted(["k000", "k001", "k002"], key=lambda key: -plain[key])
    rest = await store.asearch(("t",), query="a violin for the fox", limit=10, offset=295)
    assert [item.key for item in rest] == [item.key for item in found[295:]]


async def test_the_index_follows_what_others_write_and_delete(each: Database) -> None:
    here, there = (MotetStore(each, embedder=Letters()) for _ in range(2))

    async def nearest() -> list[str]:
        return [i.key for i in await here.asearch(("t",), query="zebra", limit=2) if i.score is not None]

    await here.aput(("t",), "apple", {"text": "apple"})
    assert await nearest() == ["apple"]
    await there.aput(("t",), "zebra", {"text": "zebra"})
    assert await nearest() == ["zebra", "apple"]
    await there.aput(("t",), "zebra", {"text": "mull"})
    assert (await nearest())[0] == "apple"
    await there.adelete(("t",), "apple")
    assert await nearest() == ["zebra"]
    await there.aput(("t",), "apple", {"text": "apple"})
    await there.aput(("t",), "zebra", {"text": "zebra"}, index=False)
    assert await nearest() == ["apple"]


async def test_a_text_is_embedded_once(each: Database) -> None:
    letters = Letters()
    store = MotetStore(each, embedder=letters)
    for used in range(3):
        await store.aput(("t",), "k", {"text": "apple", "used": used}, index=["text"])
    await store.aput(("t",), "other", {"text": "apple"}, index=["text"])
    assert letters.embedded == ["apple"]


async def test_an_item_is_as_near_as_its_nearest_text(each: Database) -> None:
    store = MotetStore(each, embedder=Letters())
    await store.aput(("t",), "k", {"parts": [{"t": "zebra"}, {"t": "apple"}]}, index=["parts[*].t"])
    await store.aput(("t",), "both", {"title": "apple zebra"}, index=["title", "missing"])
    found = await store.asearch(("t",), query="zebra")
    assert [item.key for item in found] == ["k", "both"]
    assert round(found[0].score or 0, 3) == 1.0


async def test_vectors_of_another_model_are_made_anew_and_never_compared(
    each: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("motet.memory.store.EMBED_AT_ONCE", 2)
    await MotetStore(each).aput(("t",), "plain", {"text": "apple"}, index=["text"])
    old = MotetStore(each, embedder=Letters())
    for number in range(4):
        await old.aput(("t",), f"k{number}", {"text": f"zebra {'z' * number}"}, index=["text"])
    other = Letters("other")
    store = MotetStore(each, embedder=other)
    found = await store.asearch(("t",), query="zebra", limit=10)
    assert len(found) == 5
    assert len([item for item in found if item.score is not None]) == 2, "some at each search"
    assert "reembed()" in caplog.text
    assert await store.areembed() == 3
    found = await store.asearch(("t",), query="zebra", limit=10)
    assert all(item.score is not None for item in found)
    assert sorted(other.embedded) == ["apple", "zebra ", "zebra z", "zebra zz", "zebra zzz"]
    assert await store.areembed() == 0


def test_the_same_without_an_event_loop(each: Database) -> None:
    store = MotetStore(each, embedder=Letters())
    store.put(("t",), "zebra", {"text": "zebra"}, ttl=5)
    store.put(("t",), "apple", {"text": "apple"})
    assert [item.key for item in store.search(("t",), query="zoo zebra")] == ["zebra", "apple"]
    assert MotetStore(each, embedder=Letters("other")).reembed() == 2
    expire(each, "zebra")
    assert store.get(("t",), "zebra") is None
    assert store.sweep_ttl() == 1


async def test_a_search_among_nothing_asks_no_model(database: Database) -> None:
    class Broken(Letters):
        def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
            raise AssertionError

    store = MotetStore(database, embedder=Broken())
    assert await store.asearch(("t",), query="zebra") == []


async def test_without_an_embedder_shared_words_count_in_both_languages(database: Database) -> None:
    store = MotetStore(database)
    await store.aput(("t",), "tea", {"text": "用户喜欢绿茶"})
    await store.aput(("t",), "dog", {"text": "The user has a dog"})
    assert (await store.asearch(("t",), query="喜欢什么茶"))[0].key == "tea"
    assert (await store.asearch(("t",), query="Is there a dog?"))[0].key == "dog"


def expire(database: Database, key: str) -> None:
    change = sa.update(store_items).where(store_items.c.key == key).values(expires_at=1.0)
    database.write_sync(lambda c: c.execute(change))


def expiry(database: Database, key: str) -> float:
    query = sa.select(store_items.c.expires_at).where(store_items.c.key == key)
    return database.read_sync(lambda c: c.execute(query).scalar_one())


async def test_what_has_expired_is_gone_from_everywhere(each: Database) -> None:
    store = MotetStore(each, embedder=Letters())
    await store.aput(("t",), "short", {"x": "zebra"}, ttl=0.5)
    await store.aput(("u",), "long", {"x": "apple"})
    expire(each, "short")
    assert await store.aget(("t",), "short") is None
    assert [i.key for i in await store.asearch(())] == ["long"]
    assert [i.key for i in await store.asearch((), query="zebra")] == ["long"]
    assert await store.alist_namespaces() == [("u",)]
    assert await store.asweep_ttl() == 1
    await store.aput(("t",), "short", {"x": "zebra"}, ttl=0.5)
    expire(each, "short")
    await store.aput(("t",), "other", {})  # a write takes them out too, with their vectors
    texts = sa.select(store_texts.c.key).order_by(store_texts.c.key)
    assert each.read_sync(lambda c: c.execute(texts).scalars().all()) == ["long", "other"]


@pytest.mark.parametrize(
    ("config", "asked", "grows"),
    [
        (None, None, True),
        (None, False, False),
        ({"refresh_on_read": False}, None, False),
        ({"refresh_on_read": False}, True, True),
    ],
)
async def test_reading_gives_time_anew_as_the_ttl_config_says(
    each: Database, config: Any, asked: bool | None, grows: bool
) -> None:
    store = MotetStore(each, ttl=config)
    await store.aput(("t",), "k", {"x": 1}, ttl=0.5)
    for read in ("get", "search"):
        before = expiry(each, "k")
        await asyncio.sleep(0.01)
        if read == "get":
            await store.aget(("t",), "k", refresh_ttl=asked)
        else:
            await store.asearch(("t",), refresh_ttl=asked)
        assert (expiry(each, "k") > before) is grows, read


async def test_a_default_ttl_is_for_items_that_have_none(database: Database) -> None:
    store = MotetStore(database, ttl={"default_ttl": 1})
    await store.aput(("t",), "default", {})
    await store.aput(("t",), "ever", {}, ttl=None)
    assert 0 < expiry(database, "default") - time.time() < 61
    assert expiry(database, "ever") is None


async def test_reading_what_never_expires_writes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MotetStore(database)
    await store.aput(("t",), "k", {})
    monkeypatch.setattr(database, "write", None)
    assert await store.aget(("t",), "k") is not None
    assert len(await store.asearch(("t",))) == 1


async def test_tenants_see_nothing_of_each_other(database: Database) -> None:
    await MotetStore(database, tenant_id="one").aput(("a",), "k", {"x": 1})
    other = MotetStore(database, tenant_id="two")
    assert await other.aget(("a",), "k") is None
    assert await other.asearch((), limit=10) == []
    assert await other.alist_namespaces() == []


async def test_vectors_of_a_tenant_are_its_own(each: Database) -> None:
    one, two = (MotetStore(each, tenant_id=name, embedder=Letters()) for name in ("one", "two"))
    await one.aput(("t",), "k", {"text": "zebra"})
    await two.aput(("t",), "mine", {"text": "apple"})
    assert [item.key for item in await two.asearch((), query="zebra")] == ["mine"]
    assert await two.areembed() == 0
    await two.adelete(("t",), "k")
    assert await one.aget(("t",), "k") is not None


META = [
    "'",
    '"',
    "';--",
    "') OR 1=1 --",
    "$where",
    "%",
    "_",
    "\\",
    "x') UNION SELECT value FROM store_items --",
]


@settings_of_hypothesis(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.one_of(st.sampled_from(META), st.text(min_size=1, max_size=12)))
async def test_nothing_that_a_caller_names_is_read_as_sql(each: Database, text: str) -> None:
    """Keys, labels, filter keys, operators, values and queries: only the own tenant's items come back."""
    await MotetStore(each, tenant_id="other").aput(("secret",), "k", {"text": "secret", text: "secret"})
    store = MotetStore(each, tenant_id="own")
    await store.aput(("n",), "k", {"text": "own"})
    tries: list[Any] = [
        lambda: store.asearch((), filter={text: "x"}, limit=50),
        lambda: store.asearch((), filter={"text": {text: 1}}, limit=50),
        lambda: store.asearch((), filter={"text": {"$ne": text}}, limit=50),
        lambda: store.asearch((), query=text, limit=50),
        lambda: store.asearch((text,), limit=50),
        lambda: store.alist_namespaces(prefix=(text,), suffix=(text,)),
    ]
    for attempt in tries:
        try:
            found: Any = await attempt()
        except (InvalidInput, ValueError):  # LangGraph's own for a bad label
            continue
        assert "secret" not in str(found)
    try:
        await store.aput((text,), text, {text: text})
        assert [i.value for i in await store.asearch((text,))] == [{text: text}]
        await store.adelete((text,), text)
    except (InvalidInput, ValueError):
        pass
    rows = sa.select(sa.func.count()).select_from(store_items)
    assert each.read_sync(lambda c: c.execute(rows).scalar_one()) == 2


@pytest.mark.parametrize(
    "op",
    [
        PutOp(("a.b",), "k", {}),
        PutOp(("a", ""), "k", {}),
        PutOp(("a\x1fb",), "k", {}),
        PutOp(("a",), "k\x00", {}),
        PutOp(("a",), "k\ud800", {}),
        GetOp(("a",), "k\x1f"),
        SearchOp(("a\x00",)),
        SearchOp(("a",), {"x": {"$gtt": 1}}),
        SearchOp(("a",), {"x": {"y": {"$where": 1}}}),
    ],
    ids=repr,
)
async def test_a_name_that_no_database_keeps_is_refused(database: Database, op: Any) -> None:
    with pytest.raises((InvalidInput, ValueError)) as raised:
        await MotetStore(database).abatch([op])
    assert len(str(raised.value).splitlines()) == 1


async def test_half_a_character_and_a_constructor_come_back_as_data(each: Database) -> None:
    value = {"x": "\ud800", "y": {"lc": 2, "type": "constructor", "id": ["os", "system"], "kwargs": {}}}
    store = MotetStore(each, embedder=Letters())
    await store.aput(("t",), "k", value)
    item = await store.aget(("t",), "k")
    assert item is not None
    assert item.value == value


async def test_filters_look_into_objects_and_lists(store: BaseStore) -> None:
    await store.aput(("t",), "k", {"a": {"b": 1, "c": 2}, "l": [1, {"x": 2}]})
    for wanted in ({"a": {"b": 1}}, {"a": {"b": {"$gte": 1}}}, {"l": [1, {"x": 2}]}):
        assert len(await store.asearch(("t",), filter=wanted)) == 1, wanted
    for other in ({"a": {"b": 2}}, {"a": {"d": 1}}, {"l": [1]}, {"a": 1}):
        assert await store.asearch(("t",), filter=other) == [], other


@pytest.mark.parametrize("bad", [{"x": object()}, {"x": {1, 2}}])
async def test_a_value_that_is_not_json_is_refused(database: Database, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="not plain JSON"):
        await MotetStore(database).aput(("a",), "k", bad)


def test_an_encrypted_store_finds_what_it_keeps_and_nobody_else_reads_it(tmp_path: Path) -> None:
    url, key = f"sqlite:///{tmp_path / 'agents.db'}", "a key that is long enough"
    with MotetStore.from_url(url, embedder=Letters(), encryption_key=key) as store:
        store.put(("t",), "k", {"text": "zebra crossing", "n": 3})
        store.put(("t",), "other", {"text": "apple", "n": 1})
        [found] = store.search(("t",), query="zebra", filter={"n": {"$gte": 2}})
        assert found.value == {"text": "zebra crossing", "n": 3}
        assert MotetStore(store._database, embedder=Letters("other")).reembed() == 2
        assert MotetStore(store._database).search(("t",), query="crossing")[0].key == "k"
    assert not [file.name for file in tmp_path.iterdir() if b"zebra" in file.read_bytes()]
    with pytest.raises(StorageError, match="MOTET_ENCRYPTION_KEY"), MotetStore.from_url(url):
        pass
