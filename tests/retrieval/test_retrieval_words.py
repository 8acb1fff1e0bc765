"""Large collections' ranking by words, held against SQLite's own."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from retrieval_fakes import Knowledge, write
from sqlalchemy.engine import Connection

from motet.retrieval import documents
from motet.retrieval.collection import KnowledgeBase
from motet.retrieval.documents import Collection
from motet.retrieval.filters import Where
from motet.retrieval.search import HybridRetriever
from motet.retrieval.words import WordIndexes
from motet.storage import fulltext

Found = list[tuple[int, float]]
WORDS = (
    *("ferry", "ferries", "sails", "harbour", "fare", "fares", "adult", "café", "naïve"),
    *("渡轮", "成人", "票价", "group", "discount", "night"),
)


def texts(count: int, seed: int) -> dict[str, str]:
    chance = random.Random(seed)
    return {f"d{seed}_{n}": " ".join(chance.choices(WORDS, k=chance.randint(3, 30))) for n in range(count)}


async def both(
    base: KnowledgeBase, ranks: WordIndexes, query: str, allowed: NDArray[np.int64] | None = None
) -> tuple[Found, Found]:
    """Return what is ranked in memory, and what SQLite ranks."""

    def work(connection: Connection) -> tuple[Found, Found]:
        known = documents.read_collection(connection, "local", "default")
        assert known is not None
        mine = ranks.search(connection, known, query, limit=20, allowed=allowed)
        assert mine is not None
        scopes, given = [known.scope], None if allowed is None else allowed.tolist()
        theirs = fulltext.search(connection, documents.INDEX, query, limit=20, scopes=scopes, keys=given)
        return mine, [(hit.key, hit.score) for hit in theirs]

    return await base.database.read(work)


def same(found: tuple[Found, Found]) -> bool:
    mine, theirs = found
    assert len(theirs) > 0
    assert np.allclose([score for _, score in mine], [score for _, score in theirs], rtol=1e-4)
    return {key for key, _ in mine[:-3]} <= {key for key, _ in theirs}  # those at the end may be ties


@pytest.fixture
def made() -> Iterator[Callable[..., WordIndexes]]:
    """Makes word indexes, and closes them at the end."""
    all_: list[WordIndexes] = []

    def make(**more: int) -> WordIndexes:
        all_.append(WordIndexes(**more))
        return all_[-1]

    yield make
    for one in all_:
        one.close()


Made = Callable[..., WordIndexes]


async def test_the_order_is_that_of_sqlite_through_every_change(
    knowledge: Knowledge, folder: Path, made: Made
) -> None:
    base, ranks = knowledge(words_only=True), made(large=5)
    first = write(folder, **texts(40, 1))
    await base.add(first)
    queries = (
        "ferry",
        "FERRIES sailing to the harbour",
        "成人票价 cafe naive",
        "渡轮 渡轮 discount night fare",
    )
    for query in queries:
        assert same(await both(base, ranks, query))
    await base.add(write(folder, **texts(20, 2)))
    await base.remove(first[:10])
    write(folder, **{first[20].stem: "ferry ferry ferry night"})
    await base.add([first[20]])
    for query in queries:
        assert same(await both(base, ranks, query))
        assert same(await both(base, ranks, query, allowed=np.arange(0, 50, 2)))
    assert (await both(base, ranks, "nowhere"))[0] == []
    assert (await both(base, ranks, "… ?"))[0] == []


async def test_an_older_revision_is_ranked_as_it_was(knowledge: Knowledge, folder: Path, made: Made) -> None:
    base, ranks = knowledge(words_only=True), made(large=5)
    paths = write(folder, **texts(30, 1))
    await base.add(paths)
    assert same(await both(base, ranks, "ferry"))

    def work(connection: Connection) -> Found | None:
        known = documents.read_collection(connection, "local", "default")
        assert known is not None
        older = Collection("local", "default", known.embedder, known.dimension, known.revision - 1)
        return ranks.search(connection, older, "ferry", limit=20)

    assert await base.database.read(work)
    assert same(await both(base, ranks, "ferry"))


async def test_small_collections_are_left_to_the_database(
    knowledge: Knowledge, folder: Path, made: Made
) -> None:
    base = knowledge(words_only=True)
    await base.add(write(folder, **texts(6, 1)))
    ranks = made(large=7)

    def work(connection: Connection) -> Found | None:
        known = documents.read_collection(connection, "local", "default")
        assert known is not None
        return ranks.search(connection, known, "ferry", limit=5)

    assert await base.database.read(work) is None
    await base.add(write(folder, **texts(6, 2)))
    assert await base.database.read(work)


async def test_what_was_asked_for_long_ago_is_let_go_and_read_again(
    knowledge: Knowledge, folder: Path, made: Made
) -> None:
    base, ranks = knowledge(words_only=True), made(large=5, max_rows=30)
    await base.add(write(folder, **texts(40, 1)))
    for query in ("ferry harbour", "night fare", "ferry harbour"):
        assert same(await both(base, ranks, query))
        assert ranks._held <= 60  # the newest word stays, however many rows it has


async def test_a_search_ranks_large_and_small_collections_together(
    knowledge: Knowledge, folder: Path, made: Made
) -> None:
    base = knowledge(words_only=True)
    base.indexes.words = made(large=5)
    large, small = folder / "large", folder / "small"
    large.mkdir()
    small.mkdir()
    await base.add(write(large, **texts(12, 1)))
    await base.add(write(small, z="The night ferry has a cabin."), collection="small")
    finder = HybridRetriever(base, ("default", "small"))
    assert (await finder.search("cabin"))[0].source.endswith("z.md")
    only = HybridRetriever(base, where=Where(source="*d1_3.md"))
    assert {one.source.rsplit("/", 1)[1] for one in await only.search(" ".join(WORDS))} == {"d1_3.md"}
