"""One document to rows: cut, made ready for both indexes. Blocking and CPU-bound: call it on a thread.

What does not live here: parsing (`parse`), vectors, which come from the embedder, and storing (`documents`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motet.retrieval.base import HEADING_SEPARATOR
from motet.retrieval.documents import NewDocument, NewPassage
from motet.retrieval.split import Chunk, split
from motet.storage.search import fts_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from motet.retrieval.base import LoadedDocument
    from motet.retrieval.load import FileBytes
    from motet.settings import RetrievalSettings
    from motet.storage.search import Cut


@dataclass(frozen=True, slots=True)
class CutDocument:
    """A document that was read and cut."""

    source: str
    """Its path or address."""
    title: str
    chunks: Sequence[Chunk]
    terms: Sequence[str]
    """What the full-text index is given for each chunk."""
    missing: str = ""
    """See `LoadedDocument`."""

    def embedding_texts(self) -> list[str]:
        """Return what the embedder is given for each chunk: it stands under its headings."""
        return [_under_headings(self.title, chunk) for chunk in self.chunks]


def cut_document(
    document: LoadedDocument, source: str, settings: RetrievalSettings, cut: Cut | None = None
) -> CutDocument:
    """Cut a document into passages; `cut` cuts Chinese for the full text, into pairs unless given."""
    chunks = split(document, width=settings.chunk_chars, overlap=settings.overlap_chars)
    terms = [fts_document(_under_headings(document.title, chunk), cut) for chunk in chunks]
    return CutDocument(source, document.title, chunks, terms, document.missing)


def to_rows(
    cut: CutDocument,
    file: FileBytes,
    vectors: NDArray[np.float32] | None,
    *,
    collection: str,
    labels: Mapping[str, str] | None = None,
) -> NewDocument:
    """Join what was cut with its vectors, shape (passages, dimension), or None without an embedder."""
    source = cut.source
    rows = [
        NewPassage(
            passage_id=_passage_id(collection, source, file.content_hash, ordinal),
            chunk=chunk,
            terms=terms,
            vector=None if vectors is None else vectors[ordinal].astype("<f4").tobytes(),
        )
        for ordinal, (chunk, terms) in enumerate(zip(cut.chunks, cut.terms, strict=True))
    ]
    return NewDocument(
        source=source,
        title=cut.title,
        content_hash=file.content_hash,
        size_bytes=len(file.data),
        modified_at=file.modified_at,
        passages=rows,
        labels=labels or {},
        version=file.version,
    )


def _under_headings(title: str, chunk: Chunk) -> str:
    heading = chunk.heading
    if title and not heading.startswith(title):
        heading = f"{title}{HEADING_SEPARATOR}{heading}" if heading else title
    return f"{heading}\n{chunk.text}" if heading else chunk.text


def _passage_id(collection: str, source: str, content_hash: str, ordinal: int) -> str:
    """Return an id that is the same whenever the same file is taken in again."""
    whole = "\x1f".join((collection, source, content_hash, str(ordinal)))
    return "p_" + hashlib.sha256(whole.encode()).hexdigest()[:24]
