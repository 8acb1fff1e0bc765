from pathlib import Path

import numpy as np
import sqlalchemy as sa
from retrieval_fakes import Knowledge, WordEmbedder, write
from sqlalchemy import event

from motet.retrieval import documents, index
from motet.retrieval.collection import KnowledgeBase
from motet.retrieval.index import VectorIndexes
from motet.storage.tables import passages


async def nearest(base: KnowledgeBase, text: str, limit: int = 5, collection: str = "default") -> list[str]:
    vector = WordEmbedder().embed_queries([text])[0]

    def work(connection: sa.Connection) -> list[str]:
        known = documents.read_collection(connection, base.tenant_id, collection)
        assert known is not None
        hits = base.indexes.searching(connection, [known], vector, limit=limit)()
        assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
        stored = documents.read_passages(connection, [key for key, _ in hits])
        return [stored[key].text for key, _ in hits]

    return await base.database.read(work)


async def test_the_nearest_vectors_are_those_of_a_plain_scan(knowledge: Knowledge, folder: Path) -> None:
    words = ["ferry", "dog", "fare", "wind", "harbour", "crew", "lunch", "guide"]
    rng = np.random.default_rng(1)
    write(folder, **{f"f{n:02}": " ".join(rng.choice(words, 6)) + f" {n}" for n in range(40)})
    base = knowledge()
    await base.add([folder])

    def scan(connection: sa.Connection) -> list[str]:
        rows = connection.execute(sa.select(passages.c.text, passages.c.vector)).all()
        vector = WordEmbedder().embed_queries(["ferry fare dog"])[0]
        scored = sorted((-float(np.frombuffer(row.vector, "<f4") @ vector), row.text) for row in rows)
        return [text for _, text in scored[:3]]

    assert (await nearest(base, "ferry fare dog"))[0] in await base.database.read(scan)


async def test_only_new_vectors_are_read_after_a_change(knowledge: Knowledge, folder: Path) -> None:
    base = knowledge()
    await base.add(write(folder, **{f"f{n}": f"Paper number {n} of many." for n in range(9)}))
    await nearest(base, "paper")
    read: list[str] = []
    event.listen(base.database.engine, "before_cursor_execute", lambda *args: read.append(str(args[2:4])))
    await base.add(write(folder, new="Sardines."))
    read.clear()
    assert (await nearest(base, "sardines"))[0] == "Sardines."
    (vectors,) = [statement for statement in read if "passages.vector" in statement]
    assert "10" in vectors, "the query starts at the first key that is missing"


async def test_vectors_of_removed_documents_leave_the_index(knowledge: Knowledge, folder: Path) -> None:
    base = knowledge()
    first, *_ = paths = write(folder, a="Sardines.", b="Sardines and herrings.")
    await base.add(paths)
    assert await nearest(base, "sardines", limit=1) == ["Sardines."]
    await base.remove([first])
    assert await nearest(base, "sardines", limit=1) == ["Sardines and herrings."]


async def test_the_least_used_index_leaves_when_there_are_too_many_vectors(
    knowledge: Knowledge, folder: Path
) -> None:
    base = knowledge()
    base.indexes = VectorIndexes(max_vectors=2)
    for name in ("one", "two", "three"):
        await base.add(write(folder, **{name: f"Text {name}."}), collection=name)
        assert await nearest(base, name, collection=name) == [f"Text {name}."]
    assert len(base.indexes._fresh) == 2
    assert await nearest(base, "one", collection="one") == ["Text one."]


def test_a_fresh_cache_has_a_bound() -> None:
    assert VectorIndexes()._max_vectors == index.MAX_VECTORS
