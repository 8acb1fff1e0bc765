"""The rows of the library: collections, documents and passages, and their place in the full-text index.

What does not live here: what the rows are made of (`ingest`) and how they are ranked (`search`). All functions
work on a connection; those that write belong into one transaction a document.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from motet.errors import Conflict
from motet.events import Passage
from motet.retrieval.copies import hand_over
from motet.retrieval.filters import labels_text
from motet.retrieval.load import NO_VERSION, Version
from motet.storage import fulltext
from motet.storage.clock import db_now
from motet.storage.ready import Ready
from motet.storage.tables import collections, documents, passages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from motet.retrieval.failures import Failure
    from motet.retrieval.split import Chunk

INDEX = "passages"
"""Name of the full-text index."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as it is at one revision."""

    tenant_id: str
    name: str
    embedder: str
    """Name of the model that made the vectors; "" where there are none."""
    dimension: int
    revision: int
    """Grows at every change."""
    chinese: str = "pairs"
    """How its full text cuts Chinese: `pairs` of characters, or `words`."""

    @property
    def scope(self) -> str:
        """Its scope in the full-text index."""
        return scope_of(self.tenant_id, self.name)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document that was taken in."""

    source: str
    title: str
    collection: str
    content_hash: str
    size_bytes: int
    added_at: float
    """Unix seconds, UTC."""
    passage_count: int
    copy_of: str = ""
    """Source of the document of the same bytes that has the passages; "" for most."""
    labels: dict[str, str] = field(default_factory=dict[str, str])
    """The user's own, by name."""
    error: str = ""
    """Why it, or a newer version of it, could not be read; "" for most."""


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage to be stored."""

    passage_id: str
    chunk: Chunk
    terms: str
    """Its document for the full-text index."""
    vector: bytes | None
    """float32, little endian, of length 1; None without an embedder."""


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to be stored with its passages."""

    source: str
    title: str
    content_hash: str
    size_bytes: int
    modified_at: float
    passages: Sequence[NewPassage]
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    copy_of: int | None = None
    """Key of the document of the same bytes; this one then brings no passages."""
    version: Version = NO_VERSION
    """Of a page."""


def scope_of(tenant_id: str, name: str) -> str:
    """Return a collection's scope in the full-text index."""
    return f"{tenant_id}\x1f{name}"


def read_collection(connection: Connection, tenant_id: str, name: str) -> Collection | None:
    """Return a collection, or None when nothing was ever added to it."""
    row = _COLLECTION.first(connection, {"of_tenant": tenant_id, "name": name})
    if row is None:
        return None
    return _collection(tenant_id, row)


_COLLECTION = Ready(
    sa.select(collections).where(
        collections.c.tenant_id == sa.bindparam("of_tenant"), collections.c.collection == sa.bindparam("name")
    )
)


def _collection(tenant_id: str, row: Any) -> Collection:
    return Collection(tenant_id, row.collection, row.embedder, row.dimension, row.revision, row.chinese)


def read_hash(connection: Connection, tenant_id: str, name: str, source: str) -> tuple[str, Version]:
    """Return the content hash of a stored document, and a page's version; "" and none where there is none."""
    columns = (documents.c.content_hash, documents.c.etag, documents.c.last_modified)
    row = connection.execute(sa.select(*columns).where(*_is(tenant_id, name, source))).first()
    return ("", NO_VERSION) if row is None else (row.content_hash, Version(row.etag, row.last_modified))


def write_version(connection: Connection, tenant_id: str, name: str, source: str, version: Version) -> None:
    """Remember what a page's server calls the version that is stored."""
    connection.execute(sa.update(documents).where(*_is(tenant_id, name, source)).values(version._asdict()))


def count_documents(connection: Connection, tenant_id: str, name: str) -> int:
    """Return how many documents a collection has."""
    mine = (documents.c.tenant_id == tenant_id, documents.c.collection == name)
    return connection.execute(sa.select(sa.func.count()).select_from(documents).where(*mine)).scalar_one()


def save(
    connection: Connection,
    tenant_id: str,
    name: str,
    document: NewDocument,
    *,
    embedder: str,
    dimension: int,
    chinese: str = "pairs",
) -> Literal["added", "replaced"]:
    """Store a document with its passages; one that has the same source is replaced.

    Raises:
        Conflict: The collection holds documents that another model embedded.
    """
    _take_collection(connection, Collection(tenant_id, name, embedder, dimension, 0, chinese))
    replaced = _delete(connection, tenant_id, name, document.source)
    key = connection.execute(
        sa.insert(documents)
        .values(
            tenant_id=tenant_id,
            collection=name,
            source=document.source,
            title=document.title,
            content_hash=document.content_hash,
            size_bytes=document.size_bytes,
            modified_at=document.modified_at,
            added_at=db_now(),
            labels=labels_text(document.labels),
            copy_of=document.copy_of,
            **document.version._asdict(),
        )
        .returning(documents.c.document_key)
    ).scalar_one()
    _insert_passages(connection, tenant_id, name, key, document.passages)
    return "replaced" if replaced else "added"


def delete(connection: Connection, tenant_id: str, name: str, source: str) -> bool:
    """Take a document out with its passages; say whether it was there."""
    if not _delete(connection, tenant_id, name, source):
        return False
    _grow_revision(connection, tenant_id, name)
    return True


def list_documents(
    connection: Connection, tenant_id: str, name: str | None, source: str | None = None
) -> list[StoredDocument]:
    """Return a collection's documents, or all of a tenant's, in the order of collection and source."""
    counted = sa.func.count(passages.c.passage_key)
    owner = documents.alias("owner")
    query = (
        sa.select(documents, owner.c.source.label("original"), counted.label("passage_count"))
        .outerjoin(owner, owner.c.document_key == documents.c.copy_of)
        .outerjoin(passages, passages.c.document_key == documents.c.document_key)
        .where(documents.c.tenant_id == tenant_id)
        .group_by(documents.c.document_key, owner.c.source)
        .order_by(documents.c.collection, documents.c.source)
    )
    if name is not None:
        query = query.where(documents.c.collection == name)
    if source is not None:
        query = query.where(documents.c.source == source)
    return [
        StoredDocument(
            source=row.source,
            title=row.title,
            collection=row.collection,
            content_hash=row.content_hash,
            size_bytes=row.size_bytes,
            added_at=row.added_at,
            passage_count=row.passage_count,
            copy_of=row.original or "",
            labels=json.loads(row.labels),
        )
        for row in connection.execute(query)
    ]


def with_failures(known: Sequence[StoredDocument], failed: Sequence[Failure]) -> list[StoredDocument]:
    """Return documents with why they could not be read, and those that never could be, in the order of both."""
    reasons = {(one.collection, one.source): one for one in failed}
    listed: list[StoredDocument] = []
    for document in known:
        failure = reasons.pop((document.collection, document.source), None)
        listed.append(replace(document, error=failure.reason) if failure else document)
    listed += [
        StoredDocument(
            source=one.source,
            title="",
            collection=one.collection,
            content_hash=one.content_hash,
            size_bytes=one.size_bytes,
            added_at=one.failed_at,
            passage_count=0,
            error=one.reason,
        )
        for one in reasons.values()
    ]
    return sorted(listed, key=lambda document: (document.collection, document.source))


def list_collections(connection: Connection, tenant_id: str) -> list[Collection]:
    """Return a tenant's collections in the order of their names."""
    return [_collection(tenant_id, row) for row in _COLLECTIONS.all(connection, {"of_tenant": tenant_id})]


_COLLECTIONS = Ready(
    sa.select(collections)
    .where(collections.c.tenant_id == sa.bindparam("of_tenant"))
    .order_by(collections.c.collection)
)


def read_passages(connection: Connection, keys: Iterable[int]) -> dict[int, Passage]:
    """Return passages by key; a key that is gone is left out."""
    return {row.passage_key: _passage(row) for row in _BY_KEYS.all(connection, {"keys": list(keys)})}


def document_passages(connection: Connection, tenant_id: str, name: str, source: str) -> list[Passage]:
    """Return a document's passages in the order of its text, a copy's those of its original; [] where it has none."""
    wanted = sa.select(sa.func.coalesce(documents.c.copy_of, documents.c.document_key)).where(
        *_is(tenant_id, name, source)
    )
    mine = _with_document().where(passages.c.document_key == wanted.scalar_subquery())
    return [_passage(row) for row in connection.execute(mine.order_by(passages.c.ordinal))]


def read_passage(connection: Connection, tenant_id: str, passage_id: str) -> Passage | None:
    """Return one passage of a tenant, or None."""
    mine = (passages.c.tenant_id == tenant_id, passages.c.passage_id == passage_id)
    row = connection.execute(_with_document().where(*mine)).first()
    return None if row is None else _passage(row)


def _with_document() -> sa.Select[*tuple[Any, ...]]:
    return sa.select(
        passages.c.passage_key,
        passages.c.passage_id,
        passages.c.text,
        passages.c.heading,
        passages.c.page,
        passages.c.start,
        passages.c.end,
        documents.c.source,
        documents.c.title,
    ).join(documents, documents.c.document_key == passages.c.document_key)


_BY_KEYS = Ready(_with_document().where(passages.c.passage_key.in_(sa.bindparam("keys", expanding=True))))


def _passage(row: sa.Row[Any]) -> Passage:
    return Passage(
        passage_id=row.passage_id,
        text=row.text,
        source=row.source,
        title=row.title,
        heading=row.heading,
        page=row.page,
        start=row.start,
        end=row.end,
    )


def _is(tenant_id: str, name: str, source: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (documents.c.tenant_id == tenant_id, documents.c.collection == name, documents.c.source == source)


def _take_collection(connection: Connection, wanted: Collection) -> None:
    """Make the collection if it is new, lock its row, and see that its vectors are this model's."""
    tenant_id, name = wanted.tenant_id, wanted.name
    embedder, dimension, chinese = wanted.embedder, wanted.dimension, wanted.chinese
    connection.execute(
        sa.text(
            "INSERT INTO collections (tenant_id, collection, embedder, dimension, revision, chinese) "
            "VALUES (:tenant_id, :name, :embedder, :dimension, 0, :chinese) ON CONFLICT DO NOTHING"
        ),
        {
            "tenant_id": tenant_id,
            "name": name,
            "embedder": embedder,
            "dimension": dimension,
            "chinese": chinese,
        },
    )
    _grow_revision(connection, tenant_id, name)
    taken = read_collection(connection, tenant_id, name)
    if taken is None or (taken.embedder, taken.dimension, taken.chinese) == (embedder, dimension, chinese):
        return
    if count_documents(connection, tenant_id, name):
        raise embedder_conflict(taken, embedder)
    connection.execute(
        sa.update(collections)
        .where(collections.c.tenant_id == tenant_id, collections.c.collection == name)
        .values(embedder=embedder, dimension=dimension, chinese=chinese)
    )


def embedder_conflict(collection: Collection, embedder: str) -> Conflict:
    """Return the refusal of a mix of models, naming both."""
    made, now = collection.embedder or "none (words only)", embedder or "none (words only)"
    return Conflict(
        f"Collection '{collection.name}' was indexed with the embedding model {made}, and the model now is {now}. "
        "Set MOTET_MODEL_EMBED to the first again, or add the documents to another collection.",
        collection=collection.name,
        made_with=collection.embedder,
        now=embedder,
    )


def _grow_revision(connection: Connection, tenant_id: str, name: str) -> None:
    connection.execute(
        sa.update(collections)
        .where(collections.c.tenant_id == tenant_id, collections.c.collection == name)
        .values(revision=collections.c.revision + 1)
    )


def _insert_passages(
    connection: Connection, tenant_id: str, name: str, document_key: int, new: Sequence[NewPassage]
) -> None:
    if not new:
        return
    rows = [
        {
            "tenant_id": tenant_id,
            "collection": name,
            "document_key": document_key,
            "passage_id": passage.passage_id,
            "ordinal": ordinal,
            "heading": passage.chunk.heading,
            "page": passage.chunk.page,
            "start": passage.chunk.start,
            "end": passage.chunk.end,
            "text": passage.chunk.text,
            "vector": passage.vector,
        }
        for ordinal, passage in enumerate(new)
    ]
    connection.execute(sa.insert(passages), rows)
    stored = connection.execute(
        sa.select(passages.c.passage_key)
        .where(passages.c.document_key == document_key)
        .order_by(passages.c.ordinal)
    ).scalars()
    indexed = zip(stored, (passage.terms for passage in new), strict=True)
    fulltext.add(connection, INDEX, indexed, scope=scope_of(tenant_id, name), made=True)


def _delete(connection: Connection, tenant_id: str, name: str, source: str) -> bool:
    key = connection.execute(
        sa.select(documents.c.document_key).where(*_is(tenant_id, name, source))
    ).scalar()
    if key is None:
        return False
    if not hand_over(connection, key):
        mine = passages.c.document_key == key
        gone = connection.execute(sa.select(passages.c.passage_key).where(mine)).scalars().all()
        fulltext.delete(connection, INDEX, gone)
        connection.execute(sa.delete(passages).where(mine))
    connection.execute(sa.delete(documents).where(documents.c.document_key == key))
    return True
