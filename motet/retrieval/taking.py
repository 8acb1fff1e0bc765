"""One document on its way in: read, looked up by its hash, parsed, cut.

What does not live here: embedding and storing (`intake`), which documents, and what becomes of those that are gone
(`collection`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from motet.errors import DocumentUnreadable
from motet.retrieval import copies, documents, failures
from motet.retrieval.fetched import has_scheme, read_address
from motet.retrieval.ingest import cut_document
from motet.retrieval.load import given_bytes, read_bytes, unknown_ending
from motet.retrieval.reports import AddProgress, FileOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from motet.retrieval.base import Embedder
    from motet.retrieval.documents import NewDocument
    from motet.retrieval.fetched import Fetch
    from motet.retrieval.ingest import CutDocument
    from motet.retrieval.load import FileBytes, Version
    from motet.retrieval.parse.base import Parser
    from motet.retrieval.reports import Status
    from motet.settings import RetrievalSettings
    from motet.storage.engine import Database
    from motet.storage.search import Cut


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
    tries_again: bool = True
    """A document that is named is parsed even if it could not be read before."""


@dataclass(frozen=True, slots=True)
class DocumentJob:
    """One document of several."""

    shelf: Shelf
    path: Path
    source: str
    number: int
    """From 1."""
    count: int
    content: bytes | None = None
    """What it holds, where that is not on the disk yet."""

    async def prepare(self, *, named: bool, is_coming: Callable[[FileBytes], bool]) -> Ready | FileOutcome:
        """Read, parse and cut the document; or say what became of it, where nothing is to be stored.

        One that is not named and that nothing reads is passed over. A copy is not parsed: whether it is one is
        only sure when its turn comes to be stored (`copy`). What could not be read before is not parsed again.

        Args:
            named: The caller named it.
            is_coming: Says whether a document of these bytes was prepared, and is not stored yet.
        """
        if not named and not self.shelf.parser.reads(self.path):
            return self.outcome("skipped")
        self.tell()
        stored, version, failed = await self._known()
        try:
            read = await self._read(version)
        except DocumentUnreadable as error:
            return self.outcome("failed", error=error)
        if read is None or read[0].content_hash == stored:
            await self._same(version if read is None else read[0].version, version, failed)
            return self.outcome("unchanged")
        file, path = read
        try:
            if failed and not (named and self.shelf.tries_again) and self._is_same(failed, file, path):
                return self.outcome("failed", error=failed.error())
            if is_coming(file) or await self._original(file) is not None:
                return Ready(self, file, path, None)
            return Ready(self, file, path, await self.cut(file, path))
        except DocumentUnreadable as error:
            await self.remember(file, path, error)
            return self.outcome("failed", error=error)

    async def remember(self, file: FileBytes, path: Path, error: DocumentUnreadable) -> None:
        """Remember that these bytes could not be read as what the path's ending says.

        Of bytes that are on no disk nothing is left, and there is nothing to remember.
        """
        shelf = self.shelf
        if self.content is not None:
            return
        failure = failures.Failure(
            source=self.source,
            collection=shelf.collection,
            content_hash=file.content_hash,
            size_bytes=len(file.data),
            read_by=shelf.parser.signature(path),
            reason=str(error.fields.get("reason", "")) or error.message,
            message=error.message,
            failed_at=0.0,
        )
        await shelf.database.write(lambda c: failures.remember(c, shelf.tenant_id, failure))

    async def _same(self, told: Version, known: Version, failed: failures.Failure | None) -> None:
        """Remember of what is stored already what its server calls it now, and that it can be read."""
        shelf = self.shelf
        name, source = shelf.collection, self.source
        if failed:
            await shelf.database.write(lambda c: failures.forget(c, shelf.tenant_id, name, [source]))
        if told != known:
            await shelf.database.write(
                lambda c: documents.write_version(c, shelf.tenant_id, name, source, told)
            )

    def _is_same(self, failed: failures.Failure, file: FileBytes, path: Path) -> bool:
        now = (file.content_hash, self.shelf.parser.signature(path))
        return (failed.content_hash, failed.read_by) == now

    async def cut(self, file: FileBytes, path: Path) -> CutDocument:
        """Parse and cut a document.

        Raises:
            DocumentUnreadable: It cannot be taken in.
        """
        document = await self.shelf.parser.parse(file.data, path)
        return await asyncio.to_thread(
            cut_document, document, self.source, self.shelf.settings, self.shelf.cut
        )

    async def copy(self, file: FileBytes) -> NewDocument | None:
        """Return the document as a copy of one that is stored; None where there is none of its bytes any more."""
        original = await self._original(file)
        if original is None:
            return None
        return documents.NewDocument(
            source=self.source,
            title=original[1],
            content_hash=file.content_hash,
            size_bytes=len(file.data),
            modified_at=file.modified_at,
            passages=(),
            labels=self.shelf.labels,
            copy_of=original[0],
            version=file.version,
        )

    def tell(self, done: int = 0, passage_count: int = 0, outcome: FileOutcome | None = None) -> None:
        """Tell how far this document is."""
        if self.shelf.progress is not None:
            self.shelf.progress(AddProgress(self.path, self.number, self.count, done, passage_count, outcome))

    def outcome(
        self,
        status: Status,
        passage_count: int = 0,
        error: DocumentUnreadable | None = None,
        missing: str = "",
    ) -> FileOutcome:
        """Return what became of the document."""
        return FileOutcome(self.path, status, passage_count, error, self.source, missing)

    async def _read(self, known: Version) -> tuple[FileBytes, Path] | None:
        """Return the bytes, and a path with the ending that says what they are; None for a page of a known version."""
        max_bytes = int(self.shelf.settings.max_file_mb * 1e6)
        if has_scheme(self.source):
            reads = self.shelf.parser.reads
            return await read_address(
                self.shelf.fetch, self.source, max_bytes=max_bytes, reads=reads, known=known
            )
        if not self.shelf.parser.reads(self.path):
            raise unknown_ending(self.path)
        if self.content is not None:
            return given_bytes(self.content, self.path, max_bytes=max_bytes), self.path
        return await asyncio.to_thread(read_bytes, self.path, max_bytes=max_bytes), self.path

    async def _known(self) -> tuple[str, Version, failures.Failure | None]:
        """Return the hash of what is stored, a page's version, and what could not be read."""
        tenant_id, name, source = self.shelf.tenant_id, self.shelf.collection, self.source

        def work(connection: Connection) -> tuple[str, Version, failures.Failure | None]:
            failed = failures.listed(connection, tenant_id, name, source)
            stored = documents.read_hash(connection, tenant_id, name, source)
            return *stored, next(iter(failed), None)

        return await self.shelf.database.read(work)

    async def _original(self, file: FileBytes) -> tuple[int, str] | None:
        tenant_id, name = self.shelf.tenant_id, self.shelf.collection
        return await self.shelf.database.read(
            lambda c: copies.find_original(c, tenant_id, name, self.source, file.content_hash)
        )


@dataclass(frozen=True, slots=True)
class Ready:
    """A document on its way to be embedded and stored."""

    job: DocumentJob
    file: FileBytes
    path: Path
    """Its ending says what it is."""
    cut: CutDocument | None
    """None for what is probably a copy."""
