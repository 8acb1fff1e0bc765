"""What agents remember, in LangGraph's own store and in Motet's."""

import asyncio
from collections.abc import Iterator

import pytest
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore

from motet.memory.recall import NAMESPACE, PAGE_ITEMS, Memories


@pytest.fixture(params=["langgraph", "motet"])
def store(request: pytest.FixtureRequest) -> Iterator[BaseStore]:
    if request.param == "langgraph":
        yield InMemoryStore()
        return
    module = pytest.importorskip("motet.memory.store")
    yield module.MotetStore(request.getfixturevalue("database"), tenant_id="local")


@pytest.fixture
def memories(store: BaseStore) -> Memories:
    return Memories(store)


async def test_a_fact_is_kept_with_its_source_and_its_time(memories: Memories) -> None:
    written = await memories.write("The user lives in Lyon.", thread_id="t1")
    assert written is not None
    assert (written.text, written.thread_id) == ("The user lives in Lyon.", "t1")
    assert written.created_at > 1_700_000_000
    assert await memories.all() == [written]
    assert await memories.recall("anything") == [written]


async def test_a_fact_that_is_known_or_blank_is_not_kept_again(memories: Memories) -> None:
    assert await memories.write("Likes  green\n tea") is not None
    for again in ("Likes green tea", "LIKES GREEN TEA", " Likes green tea ", "", " \n\t"):
        assert await memories.write(again) is None
    assert [memory.text for memory in await memories.all()] == ["Likes green tea"]
    assert (await memories.all())[0].thread_id == ""


async def test_what_has_most_to_do_with_a_question_comes_first(memories: Memories) -> None:
    for text in ("用户喜欢绿茶", "The user sings in a choir", "The user lives in Lyon", "用户住在里昂"):
        await memories.write(text)
        await asyncio.sleep(0.002)  # times differ
    assert [m.text for m in await memories.recall("where does the user live? in Lyon?", limit=2)] == [
        "The user lives in Lyon",
        "The user sings in a choir",
    ]
    assert (await memories.recall("我喜欢喝绿茶吗？", limit=1))[0].text == "用户喜欢绿茶"
    assert [m.text for m in await memories.recall("weather", limit=2)] == [
        "用户住在里昂",
        "The user lives in Lyon",
    ]


async def test_nothing_known_is_no_trouble(memories: Memories) -> None:
    assert await memories.recall("who am I?") == []
    assert await memories.recall("") == []
    assert await memories.all() == []
    assert not await memories.forget("nope")


async def test_the_limit_is_kept(memories: Memories) -> None:
    for i in range(6):
        await memories.write(f"fact {i}")
    assert len(await memories.recall("fact")) == 4
    assert len(await memories.recall("fact", limit=2)) == 2
    assert await memories.recall("fact", limit=0) == []


async def test_a_forgotten_fact_is_gone_and_may_be_learned_again(memories: Memories) -> None:
    first = await memories.write("Likes tea")
    assert first is not None
    assert await memories.forget(first.memory_id)
    assert await memories.all() == []
    assert not await memories.forget(first.memory_id)
    again = await memories.write("Likes tea")
    assert again is not None
    assert again.memory_id != first.memory_id


async def test_many_facts_are_all_known(store: BaseStore, memories: Memories) -> None:
    facts = [{"text": f"fact number {i}", "thread_id": ""} for i in range(PAGE_ITEMS + 5)]
    await store.abatch([PutOp(NAMESPACE, f"m{i}", fact, index=False) for i, fact in enumerate(facts)])
    assert {memory.memory_id for memory in await memories.all()} == {f"m{i}" for i in range(PAGE_ITEMS + 5)}
    last = f"fact number {PAGE_ITEMS + 4}"
    assert await memories.write(last) is None
    assert await memories.write("fact number 0") is None
    assert (await memories.recall(last))[0].text == last
    assert await memories.write("a new one") is not None
    assert (await memories.all())[0].text == "a new one"


async def test_facts_stay_out_of_other_namespaces(store: BaseStore) -> None:
    await store.aput(("notes",), "n1", {"text": "somebody else's"}, index=False)
    memories = Memories(store)
    written = await memories.write("mine")
    assert written is not None
    assert [memory.text for memory in await memories.all()] == ["mine"]
    item = await store.aget(NAMESPACE, written.memory_id)
    assert item is not None
    assert item.value == {"text": "mine", "thread_id": ""}
