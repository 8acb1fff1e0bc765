"""The ports of the library: what finds passages, what embeds texts, what reads a file.

What does not live here: any of them. The graph rooms know only these ports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from motet.events import Passage


HEADING_SEPARATOR = " › "
"""Between the headings of a path."""


class Retriever(Protocol):
    """Finds passages. Whatever has these two methods can stand in for the knowledge base."""

    async def search(self, query: str, *, limit: int = 4) -> list[Passage]:
        """Find the passages nearest to a query.

        Args:
            query: Plain text in any language. Blank text returns [].
            limit: At most this many passages, 1 to 100.

        Returns:
            Best first, length 0..limit, without numbers.
        """
        ...

    async def nearness(self, queries: Sequence[str], texts: Sequence[str]) -> list[float]:
        """Say how near each text is to the queries together, higher is nearer; only their order means something.

        Args:
            queries: One or more, in any language.
            texts: Sentences or rows of a table.

        Returns:
            One number for each text, in their order; no texts give [].
        """
        ...


class Reranker(Protocol):
    """Orders passages by how well they answer a query."""

    name: str

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return one number for each text, in their order, higher is better; only their order means something.

        Raises:
            ModelError: It does not answer, or nothing that can be read; whoever asked goes on without it.
        """
        ...


class Embedder(Protocol):
    """Turns texts into vectors. Blocking and CPU-bound: call it on a thread."""

    name: str
    """Stable name of the model; an index made by another name is refused."""

    @property
    def dimension(self) -> int:
        """Length of its vectors; a model behind a wire may be asked for it."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return shape (len(texts), dimension), each row of length 1; no texts give (0, dimension)."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return shape (len(texts), dimension), each row of length 1; no texts give (0, dimension)."""
        ...


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document's text under one heading, on one page."""

    text: str
    start: int
    """Where it begins in the document's whole text, in characters."""
    heading: str = ""
    """Path of headings, joined by ` › `."""
    page: int | None = None
    """From 1, where the format has pages."""


@dataclass(frozen=True, slots=True)
class LoadedDocument:
    """A document as text: `text[s.start:s.start + len(s.text)] == s.text` for every section."""

    text: str
    title: str
    sections: list[Section]
    missing: str = ""
    """What of it could not be read, as part of a sentence; "" for most."""
