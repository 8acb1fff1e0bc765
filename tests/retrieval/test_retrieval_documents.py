from pathlib import Path

import pytest
import sqlalchemy as sa

from motet.errors import Conflict
from motet.retrieval import documents
from motet.retrieval.documents import NewDocument, NewPassage
from motet.retrieval.split import Chunk
from motet.storage.engine import Database


def document(source: str, *texts: str, content_hash: str = "h") -> NewDocument:
    chunks = [Chunk(text, at, at + len(text), "Head", at + 1) for at, text in enumerate(texts)]
    passages = [
        NewPassage(f"{source}-{content_hash}-{at}", chunk, chunk.text.lower(), b"\0" * 8)
        for at, chunk in enumerate(chunks)
    ]
    return NewDocument(source, Path(source).stem, content_hash, 10, 1.0, passages)


def save(connection: sa.Connection, made: NewDocument, *, tenant_id: str = "t", embedder: str = "m@1") -> str:
    return documents.save(connection, tenant_id, "default", made, embedder=embedder, dimension=2)


def test_a_document_is_stored_replaced_and_deleted(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        assert documents.read_collection(connection, "t", "default") is None
        assert save(connection, document("a.md", "One", "Two")) == "added"
        assert save(connection, document("a.md", "Three", content_hash="i")) == "replaced"
        assert documents.read_hash(connection, "t", "default", "a.md")[0] == "i"
        (stored,) = documents.list_documents(connection, "t", None)
        assert (stored.source, stored.title, stored.passage_count, stored.size_bytes) == ("a.md", "a", 1, 10)
        assert stored.added_at > 1_700_000_000
        assert documents.read_passage(connection, "t", "a.md-h-0") is None
        passage = documents.read_passage(connection, "t", "a.md-i-0")
        assert passage is not None
        assert (passage.text, passage.heading, passage.page, passage.end) == ("Three", "Head", 1, 5)
        assert documents.delete(connection, "t", "default", "a.md")
        assert not documents.delete(connection, "t", "default", "a.md")
        assert documents.count_documents(connection, "t", "default") == 0

    database.write_sync(work)


def test_every_change_grows_the_revision(database: Database) -> None:
    def revision(connection: sa.Connection) -> int:
        found = documents.read_collection(connection, "t", "default")
        return found.revision if found else 0

    def work(connection: sa.Connection) -> list[int]:
        seen = [revision(connection)]
        for change in (
            lambda: save(connection, document("a.md", "One")),
            lambda: save(connection, document("a.md", "Two", content_hash="i")),
            lambda: save(connection, document("b.md", "Three")),
            lambda: documents.delete(connection, "t", "default", "none.md"),
            lambda: documents.delete(connection, "t", "default", "a.md"),
        ):
            change()
            seen.append(revision(connection))
        return seen

    assert database.write_sync(work) == [0, 1, 2, 3, 3, 4]


def test_a_key_is_never_used_twice(database: Database) -> None:
    def keys(connection: sa.Connection) -> list[int]:
        found = connection.execute(sa.text("SELECT passage_key FROM passages")).scalars()
        return sorted(found)

    def work(connection: sa.Connection) -> tuple[list[int], list[int]]:
        save(connection, document("a.md", "One", "Two"))
        before = keys(connection)
        save(connection, document("a.md", "Three", content_hash="i"))
        return before, keys(connection)

    before, after = database.write_sync(work)
    assert not set(before) & set(after)


def test_another_model_is_refused_by_the_transaction_itself(database: Database) -> None:
    database.write_sync(lambda c: save(c, document("a.md", "One")))
    with pytest.raises(Conflict, match=r"m@1.*n@2"):
        database.write_sync(lambda c: save(c, document("b.md", "Two"), embedder="n@2"))
    database.write_sync(lambda c: save(c, document("b.md", "Two"), tenant_id="u", embedder="n@2"))

    def names(connection: sa.Connection) -> list[tuple[str, str]]:
        found = [*documents.list_collections(connection, "t"), *documents.list_collections(connection, "u")]
        return [(collection.tenant_id, collection.embedder) for collection in found]

    assert database.read_sync(names) == [("t", "m@1"), ("u", "n@2")]


def test_keys_that_are_gone_are_left_out(database: Database) -> None:
    database.write_sync(lambda c: save(c, document("a.md", "One")))
    assert list(database.read_sync(lambda c: documents.read_passages(c, [1, 999]))) == [1]
