"""Documents on their way in: while some are embedded and stored, the next are read, parsed and cut.

What does not live here: one document (`taking`), and which there are (`collection`).
"""

from __future__ import annotations

import asyncio
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from motet.errors import DocumentUnreadable
from motet.retrieval import documents, failures
from motet.retrieval.ingest import to_rows
from motet.retrieval.reports import FileOutcome
from motet.retrieval.taking import DocumentJob, Ready

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from motet.retrieval.ingest import CutDocument
    from motet.retrieval.load import FileBytes
    from motet.retrieval.places import Found
    from motet.retrieval.reports import Status
    from motet.retrieval.taking import Shelf

EMBED_BATCH = 16
"""Passages that are embedded between two looks at whether the work is still wanted."""

BATCH_PASSAGES = 64
"""Documents are stored together as soon as they have so many passages; a larger document alone."""

BATCH_DOCUMENTS = 64

Item = tuple[DocumentJob, Ready | FileOutcome]
"""A document, and either what is to be stored of it or what became of it."""


class Intake:
    """Takes documents in, in their order. Each is stored whole, or not at all.

    Args:
        shelf: Where they go.
        outcomes: What became of each is put here once it is sure.
    """

    def __init__(self, shelf: Shelf, outcomes: list[FileOutcome]) -> None:
        self._shelf = shelf
        self._outcomes = outcomes
        self._coming: set[tuple[str, str]] = set()
        """Bytes and endings of what was prepared and is not stored yet."""

    async def run(self, found: Sequence[Found]) -> None:
        """Take them all in; a document that cannot be read is an outcome like others."""
        jobs = iter(
            [
                (
                    DocumentJob(self._shelf, place.path, place.source, number, len(found), place.content),
                    place.named,
                )
                for number, place in enumerate(found, 1)
            ]
        )
        ahead = asyncio.create_task(self._prepared(jobs))
        try:
            while batch := await ahead:
                ahead = asyncio.create_task(self._prepared(jobs))
                await self._store(batch)
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
            await self._shelf.parser.aclose()

    async def _prepared(self, jobs: Iterator[tuple[DocumentJob, bool]]) -> list[Item]:
        """Return the next documents, [] when there are no more."""
        batch: list[Item] = []
        passages = 0
        for job, named in jobs:
            item = await job.prepare(
                named=named, is_coming=lambda file, job=job: self._key(job, file) in self._coming
            )
            batch.append((job, item))
            if isinstance(item, Ready):
                self._coming.add(self._key(job, item.file))
                passages += len(item.cut.chunks) if item.cut else 0
            if passages >= BATCH_PASSAGES or len(batch) >= BATCH_DOCUMENTS:
                break
        return batch

    @staticmethod
    def _key(job: DocumentJob, file: FileBytes) -> tuple[str, str]:
        return file.content_hash, PurePath(job.source).suffix.lower()

    async def _store(self, batch: Sequence[Item]) -> None:
        """Embed and store a batch; documents that stand next to each other in one transaction."""
        cut = [(item, item.cut) for _, item in batch if isinstance(item, Ready) and item.cut]
        vectors = iter(await self._embedded(cut))
        together: list[documents.NewDocument] = []
        stored: list[Item] = []
        for job, item in batch:
            if isinstance(item, Ready) and item.cut:
                rows = await self._rows(item, item.cut, next(vectors))
                together.append(rows)
            elif isinstance(item, Ready):
                await self._save(together, stored)
                together, stored = [], []
                self._done(job, await self._copied(item), item)
                continue
            stored.append((job, item))
        await self._save(together, stored)

    async def _copied(self, item: Ready) -> FileOutcome:
        """Store a copy; take the document in by itself where what it was a copy of is there no more."""
        copy = await item.job.copy(item.file)
        if copy is not None:
            await self._written([copy])
            return item.job.outcome("copied")
        try:
            cut = await item.job.cut(item.file, item.path)
        except DocumentUnreadable as error:
            await item.job.remember(item.file, item.path, error)
            return item.job.outcome("failed", error=error)
        (vectors,) = await self._embedded([(item, cut)])
        rows = await self._rows(item, cut, vectors)
        (status,) = await self._written([rows])
        return item.job.outcome(status, len(rows.passages), missing=cut.missing)

    async def _rows(
        self, item: Ready, cut: CutDocument, vectors: NDArray[np.float32] | None
    ) -> documents.NewDocument:
        shelf = self._shelf
        return await asyncio.to_thread(
            to_rows, cut, item.file, vectors, collection=shelf.collection, labels=shelf.labels
        )

    async def _save(self, new: Sequence[documents.NewDocument], batch: Sequence[Item]) -> None:
        """Store documents, and tell what became of each of the batch in its order."""
        statuses = iter(zip(await self._written(new), new, strict=True))
        for job, item in batch:
            if isinstance(item, Ready):
                status, document = next(statuses)
                missing = item.cut.missing if item.cut else ""
                self._done(job, job.outcome(status, len(document.passages), missing=missing), item)
            else:
                self._done(job, item)

    def _done(self, job: DocumentJob, outcome: FileOutcome, item: Ready | None = None) -> None:
        if item is not None:
            self._coming.discard(self._key(job, item.file))
        self._outcomes.append(outcome)
        job.tell(outcome=outcome)

    async def _embedded(self, cut: Sequence[tuple[Ready, CutDocument]]) -> list[NDArray[np.float32] | None]:
        """Return the vectors of each document, shape (passages, dimension); None without an embedder."""
        embedder = self._shelf.embedder
        if embedder is None:
            return [None] * len(cut)
        texts = [
            (item.job, at, len(one.chunks), text)
            for item, one in cut
            for at, text in enumerate(one.embedding_texts())
        ]
        found = [np.empty((0, embedder.dimension), np.float32)]
        for start in range(0, len(texts), EMBED_BATCH):
            job, at, count, _ = texts[start]
            job.tell(at, count)
            part = [text for *_, text in texts[start : start + EMBED_BATCH]]
            found.append(await asyncio.to_thread(embedder.embed_passages, part))
        ends = np.cumsum([len(one.chunks) for _, one in cut])
        return list(np.split(np.concatenate(found), ends)[: len(cut)])

    async def _written(self, new: Sequence[documents.NewDocument]) -> list[Status]:
        """Store documents in one transaction; return `added` or `replaced` for each."""
        if not new:
            return []
        shelf = self._shelf
        embedder, dimension = (shelf.embedder.name, shelf.embedder.dimension) if shelf.embedder else ("", 0)

        def work(connection: Connection) -> list[Status]:
            sources = [document.source for document in new]
            failures.forget(connection, shelf.tenant_id, shelf.collection, sources)
            return [
                documents.save(
                    connection,
                    shelf.tenant_id,
                    shelf.collection,
                    document,
                    embedder=embedder,
                    dimension=dimension,
                    chinese=shelf.chinese,
                )
                for document in new
            ]

        return await shelf.database.write(work)
