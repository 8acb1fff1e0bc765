"""One document on its way in: read, looked up by its hash, parsed, cut, embedded, stored in one transaction.

What does not live here: which documents, and what becomes of those that are gone (`collection`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from motet.errors import DocumentUnreadable
from motet.retrieval import copies, documents
from motet.retrieval.fetched import is_address, read_address
from motet.retrieval.ingest import cut_document, to_rows
from motet.retrieval.load import read_bytes, unknown_ending
from motet.retrieval.reports import AddProgress, FileOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from motet.retrieval.base import Embedder
    from motet.retrieval.documents import NewDocument
    from motet.retrieval.fetched import Fetch
    from motet.retrieval.ingest import CutDocument
    from motet.retrieval.load import FileBytes
    from motet.retrieval.parse.base import Parser
    from motet.retrieval.reports import Status
    from motet.settings import RetrievalSettings
    from motet.storage.engine import Database
    from motet.storage.search import Cut

EMBED_BATCH = 16
"""Passages that are embedded between two looks at whether the work is still wanted."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where documents go, and how they are made ready."""

    database: Database
    settings: RetrievalSettings
    parser: Parser
    fetch: Fetch | None
    tenant_id: str
    collection: str
    embedder: Embedder | None
    chinese: str
    """How full text cuts Chinese."""
    cut: Cut
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    progress: Callable[[AddProgress], None] | None = None


@dataclass(frozen=True, slots=True)
class DocumentJob:
    """One document of several."""

    shelf: Shelf
    path: Path
    source: str
    number: int
    """From 1."""
    count: int

    async def run(self, *, named: bool) -> FileOutcome:
        """Take the document in; one that is not named and that nothing reads is passed over."""
        if not named and not self.shelf.parser.reads(self.path):
            return self._outcome("skipped")
        self.tell()
        try:
            file, path = await self._read()
            if file.content_hash == await self._stored_hash():
                return self._outcome("unchanged")
            original = await self._original(file)
            if original is not None:
                return await self._store_copy(file, *original)
            document = await self.shelf.parser.parse(file.data, path)
        except DocumentUnreadable as error:
            return self._outcome("failed", error=error)
        cut = await asyncio.to_thread(
            cut_document, document, self.source, self.shelf.settings, self.shelf.cut
        )
        return await self._store(cut, file, await self._embed(cut))

    def tell(self, done: int = 0, passage_count: int = 0, outcome: FileOutcome | None = None) -> None:
        """Tell how far this document is."""
        if self.shelf.progress is not None:
            self.shelf.progress(AddProgress(self.path, self.number, self.count, done, passage_count, outcome))

    def _outcome(
        self, status: Status, passage_count: int = 0, error: DocumentUnreadable | None = None
    ) -> FileOutcome:
        return FileOutcome(self.path, status, passage_count, error, self.source)

    async def _read(self) -> tuple[FileBytes, Path]:
        """Return the bytes, and a path with the ending that says what they are."""
        max_bytes = int(self.shelf.settings.max_file_mb * 1e6)
        if is_address(self.source):
            file, path = await read_address(self.shelf.fetch, self.source, max_bytes=max_bytes)
            if not self.shelf.parser.reads(path):
                raise unknown_ending(path)
            return file, path
        if not self.shelf.parser.reads(self.path):
            raise unknown_ending(self.path)
        return await asyncio.to_thread(read_bytes, self.path, max_bytes=max_bytes), self.path

    async def _stored_hash(self) -> str | None:
        tenant_id, name, source = self.shelf.tenant_id, self.shelf.collection, self.source
        return await self.shelf.database.read(lambda c: documents.read_hash(c, tenant_id, name, source))

    async def _original(self, file: FileBytes) -> tuple[int, str] | None:
        tenant_id, name = self.shelf.tenant_id, self.shelf.collection
        return await self.shelf.database.read(
            lambda c: copies.find_original(c, tenant_id, name, self.source, file.content_hash)
        )

    async def _embed(self, cut: CutDocument) -> NDArray[np.float32] | None:
        embedder = self.shelf.embedder
        if embedder is None:
            return None
        texts = cut.embedding_texts()
        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), EMBED_BATCH):
            self.tell(start, len(texts))
            rows.append(await asyncio.to_thread(embedder.embed_passages, texts[start : start + EMBED_BATCH]))
        return np.concatenate(rows) if rows else None

    async def _store_copy(self, file: FileBytes, original: int, title: str) -> FileOutcome:
        document = documents.NewDocument(
            source=self.source,
            title=title,
            content_hash=file.content_hash,
            size_bytes=len(file.data),
            modified_at=file.modified_at,
            passages=(),
            labels=self.shelf.labels,
            copy_of=original,
        )
        await self._save(document)
        return self._outcome("copied")

    async def _store(
        self, cut: CutDocument, file: FileBytes, vectors: NDArray[np.float32] | None
    ) -> FileOutcome:
        shelf = self.shelf
        document = await asyncio.to_thread(
            to_rows, cut, file, vectors, collection=shelf.collection, labels=shelf.labels
        )
        return self._outcome(await self._save(document), len(document.passages))

    async def _save(self, document: NewDocument) -> Status:
        shelf = self.shelf
        embedder, dimension = (shelf.embedder.name, shelf.embedder.dimension) if shelf.embedder else ("", 0)

        def work(connection: Connection) -> Status:
            return documents.save(
                connection,
                shelf.tenant_id,
                shelf.collection,
                document,
                embedder=embedder,
                dimension=dimension,
                chinese=shelf.chinese,
            )

        return await shelf.database.write(work)
