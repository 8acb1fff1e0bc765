"""The knowledge base of one tenant: documents go in, are listed, and leave.

What does not live here: searching (`search`), SQL (`documents`), reading and cutting files (`ingest`).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from motet.errors import DocumentUnreadable, InvalidInput, NotFound, did_you_mean
from motet.retrieval import documents
from motet.retrieval.index import VectorIndexes
from motet.retrieval.ingest import CutDocument, cut_document, to_rows
from motet.retrieval.load import read_bytes, unknown_ending
from motet.retrieval.parse.process import build_parser
from motet.retrieval.walk import find_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from motet.events import Passage
    from motet.retrieval.base import Embedder
    from motet.retrieval.documents import Collection, StoredDocument
    from motet.retrieval.load import FileBytes
    from motet.retrieval.parse.base import Parser
    from motet.settings import RetrievalSettings
    from motet.storage.engine import Database

DEFAULT_COLLECTION = "default"

EMBED_BATCH = 16
"""Passages that are embedded between two looks at whether the work is still wanted."""

Status = Literal["added", "replaced", "unchanged", "skipped", "failed"]

_NAME = re.compile(r"\w[\w.\-]{0,63}")


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file."""

    path: Path
    status: Status
    """`skipped`: found in a folder, and no loader knows its ending."""
    passage_count: int = 0
    error: DocumentUnreadable | None = None
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class AddReport:
    """What became of each file, in the order they were taken."""

    collection: str
    files: list[FileOutcome] = field(default_factory=list[FileOutcome])
    notice: str = ""
    """What the caller should be told once; empty when all is as expected."""

    def count(self, *statuses: Status) -> int:
        """Return how many files have one of these outcomes."""
        return sum(1 for file in self.files if file.status in statuses)

    @property
    def failed(self) -> list[FileOutcome]:
        """The files that could not be taken in."""
        return [file for file in self.files if file.status == "failed"]


@dataclass(frozen=True, slots=True)
class AddProgress:
    """How far `add` is."""

    path: Path
    file_number: int
    """From 1."""
    file_count: int
    passages_done: int = 0
    passage_count: int = 0
    """Of this file; 0 until it was read."""
    outcome: FileOutcome | None = None
    """Set when the file is done."""


@dataclass(frozen=True, slots=True)
class CollectionStats:
    """A collection in numbers."""

    collection: str
    document_count: int
    passage_count: int
    size_bytes: int
    """Of the files."""
    embedder: str
    """Name of the model that made the vectors; "" for a search by words only."""
    dimension: int
    revision: int


class KnowledgeBase:
    """The documents of one tenant, in named collections.

    Args:
        database: Where everything is kept.
        settings: How documents are cut.
        embedder: What makes vectors; None searches by words only.
        tenant_id: Whose documents.
        indexes: Vector indexes to share with other tenants' knowledge bases; its own unless given.
        parser: What reads documents; a process of its own with the settings' limits unless given.
    """

    def __init__(
        self,
        database: Database,
        settings: RetrievalSettings,
        embedder: Embedder | None,
        *,
        tenant_id: str,
        indexes: VectorIndexes | None = None,
        parser: Parser | None = None,
    ) -> None:
        self.database = database
        self.settings = settings
        self.embedder = embedder
        self.tenant_id = tenant_id
        self.indexes = indexes or VectorIndexes()
        self.parser: Parser = parser or build_parser(settings)

    @property
    def notice(self) -> str:
        """One line for the user where no embedder is at work; empty otherwise."""
        if self.embedder is not None:
            return ""
        return "Documents are searched by words only: no embedding model is set, or it is not installed here."

    async def add(
        self,
        paths: Sequence[Path],
        *,
        collection: str = DEFAULT_COLLECTION,
        progress: Callable[[AddProgress], None] | None = None,
    ) -> AddReport:
        """Take in files, and the files in folders; what was taken in before and is unchanged costs a hash.

        Each document is stored in one transaction: a kill leaves nothing half there. A file that cannot be read
        is in the report with its error, and the others are taken in.

        Args:
            paths: Files and folders.
            collection: Its name: letters, digits, `_`, `.` and `-`, at most 64.
            progress: Called on the event loop when a file begins, as its passages are embedded, and when it ends.

        Raises:
            InvalidInput: The collection's name.
            Conflict: The collection's vectors were made by another model; both are named.
        """
        _check_name(collection)
        embedder, notice = await self._embedder_of(collection)
        files = await asyncio.to_thread(find_files, paths)
        report = AddReport(collection, notice=notice)
        try:
            for number, file in enumerate(files, 1):
                job = _FileJob(self, file.path, collection, embedder, progress, number, len(files))
                outcome = await job.run(named=file.named)
                report.files.append(outcome)
                job.tell(outcome=outcome)
        finally:
            await self.parser.aclose()
        return report

    async def remove(self, sources: Sequence[str | Path], *, collection: str = DEFAULT_COLLECTION) -> int:
        """Take documents out, each by its path as it is listed, or all below a folder; return how many.

        Raises:
            NotFound: No document has one of these sources; then none is taken out.
        """
        known = [document.source for document in await self.list_documents(collection)]
        chosen: dict[str, None] = {}
        for source in sources:
            below = str(source).rstrip("/") + "/"
            found = [name for name in known if name == str(source) or name.startswith(below)]
            if not found:
                raise NotFound(
                    f"No document '{source}' in collection '{collection}'.{did_you_mean(str(source), known)}",
                    source=str(source),
                )
            chosen.update(dict.fromkeys(found))

        def work(connection: Connection) -> int:
            return sum(documents.delete(connection, self.tenant_id, collection, source) for source in chosen)

        return await self.database.write(work)

    async def list_documents(self, collection: str | None = None) -> list[StoredDocument]:
        """Return a collection's documents, or all, in the order of collection and source; [] where there are none."""
        return await self.database.read(lambda c: documents.list_documents(c, self.tenant_id, collection))

    async def list_collections(self) -> list[Collection]:
        """Return the collections in the order of their names."""
        return await self.database.read(lambda c: documents.list_collections(c, self.tenant_id))

    async def stats(self, collection: str = DEFAULT_COLLECTION) -> CollectionStats:
        """Return a collection in numbers; all are 0 where nothing was ever added."""

        def work(connection: Connection) -> tuple[Collection | None, list[StoredDocument]]:
            known = documents.read_collection(connection, self.tenant_id, collection)
            return known, documents.list_documents(connection, self.tenant_id, collection)

        known, listed = await self.database.read(work)
        return CollectionStats(
            collection=collection,
            document_count=len(listed),
            passage_count=sum(document.passage_count for document in listed),
            size_bytes=sum(document.size_bytes for document in listed),
            embedder=known.embedder if known else "",
            dimension=known.dimension if known else 0,
            revision=known.revision if known else 0,
        )

    async def passage(self, passage_id: str) -> Passage:
        """Return one passage.

        Raises:
            NotFound: There is none with this id: never was, or its document was replaced or removed.
        """
        found = await self.database.read(lambda c: documents.read_passage(c, self.tenant_id, passage_id))
        if found is None:
            raise NotFound(
                f"No passage '{passage_id}': its document may have been changed or removed.",
                passage_id=passage_id,
            )
        return found

    async def _embedder_of(self, collection: str) -> tuple[Embedder | None, str]:
        """Return what embeds new documents of a collection, and what to tell the caller.

        A collection that was begun without vectors goes on without: a mix would hide the older documents.
        """

        def work(connection: Connection) -> tuple[Collection | None, bool]:
            known = documents.read_collection(connection, self.tenant_id, collection)
            return known, documents.count_documents(connection, self.tenant_id, collection) > 0

        known, holds_documents = await self.database.read(work)
        if known is None or not holds_documents:
            return self.embedder, self.notice
        if known.embedder == "":
            told = f"Collection '{collection}' was begun without an embedding model and is searched by words only."
            return None, told if self.embedder else self.notice
        if self.embedder is None or self.embedder.name != known.embedder:
            raise documents.embedder_conflict(known, self.embedder.name if self.embedder else "")
        return self.embedder, ""


@dataclass(frozen=True, slots=True)
class _FileJob:
    """One file on its way in."""

    base: KnowledgeBase
    path: Path
    collection: str
    embedder: Embedder | None
    progress: Callable[[AddProgress], None] | None
    number: int
    count: int

    async def run(self, *, named: bool) -> FileOutcome:
        if not named and not self.base.parser.reads(self.path):
            return FileOutcome(self.path, "skipped")
        self.tell()
        try:
            if not self.base.parser.reads(self.path):
                raise unknown_ending(self.path)
            max_bytes = int(self.base.settings.max_file_mb * 1e6)
            file = await asyncio.to_thread(read_bytes, self.path, max_bytes=max_bytes)
            if file.content_hash == await self._stored_hash():
                return FileOutcome(self.path, "unchanged")
            document = await self.base.parser.parse(file.data, self.path)
        except DocumentUnreadable as error:
            return FileOutcome(self.path, "failed", error=error)
        cut = await asyncio.to_thread(cut_document, document, self.path, self.base.settings)
        return await self._store(cut, file, await self._embed(cut))

    def tell(self, done: int = 0, passage_count: int = 0, outcome: FileOutcome | None = None) -> None:
        if self.progress is not None:
            self.progress(AddProgress(self.path, self.number, self.count, done, passage_count, outcome))

    async def _stored_hash(self) -> str | None:
        tenant_id, name, source = self.base.tenant_id, self.collection, str(self.path)
        return await self.base.database.read(lambda c: documents.read_hash(c, tenant_id, name, source))

    async def _embed(self, cut: CutDocument) -> NDArray[np.float32] | None:
        if self.embedder is None:
            return None
        texts = cut.embedding_texts()
        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), EMBED_BATCH):
            self.tell(start, len(texts))
            rows.append(
                await asyncio.to_thread(self.embedder.embed_passages, texts[start : start + EMBED_BATCH])
            )
        return np.concatenate(rows) if rows else None

    async def _store(
        self, cut: CutDocument, file: FileBytes, vectors: NDArray[np.float32] | None
    ) -> FileOutcome:
        document = await asyncio.to_thread(to_rows, cut, file, vectors, collection=self.collection)
        embedder, dimension = (self.embedder.name, self.embedder.dimension) if self.embedder else ("", 0)

        def work(connection: Connection) -> Status:
            return documents.save(
                connection,
                self.base.tenant_id,
                self.collection,
                document,
                embedder=embedder,
                dimension=dimension,
            )

        return FileOutcome(self.path, await self.base.database.write(work), len(document.passages))


def _check_name(collection: str) -> None:
    if not _NAME.fullmatch(collection):
        raise InvalidInput(
            f"'{collection}' is no name for a collection: use letters, digits, '_', '.' and '-', at most 64.",
            collection=collection,
        )
