"""What a wire may do with documents and memories, in plain JSON: the rooms themselves are not the server's to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json = dict[str, Any]


class Library(Protocol):
    """Documents and memories of one caller."""

    async def collections(self) -> list[Json]:
        """Return every collection: `name`, `documents`, `passages`, `size_bytes`, `embedder`, `failed`."""
        ...

    async def search(
        self,
        query: str,
        collections: Sequence[str],
        limit: int,
        *,
        where: Sequence[str] = (),
        explain: bool = False,
    ) -> list[Json]:
        """Return the passages nearest to a query that meet all conditions, best first, length 0..limit.

        Raises:
            NotFound: There is no such collection.
            InvalidInput: A condition is none.
        """
        ...

    async def add(self, collection: str, name: str, content: bytes) -> Json:
        """Take in one document, its kind by its name's ending; return what became of it.

        What cannot be read replaces nothing: neither passages nor the file of an earlier upload.

        Raises:
            InvalidInput: The collection's name or the document's is none.
            DocumentUnreadable: It cannot be read.
        """
        ...

    async def add_pages(self, collection: str, urls: Sequence[str], labels: Mapping[str, str]) -> Json:
        """Take in pages; return what became of each.

        Raises:
            InvalidInput: The collection's name is none.
        """
        ...

    async def sync(self, collection: str) -> Json:
        """Look again where documents came from; return what became of each.

        Raises:
            NotFound: There is no such collection.
        """
        ...

    async def documents(self, collection: str) -> list[Json]:
        """Return a collection's documents; `error` says why one, or a newer version of it, could not be read.

        Raises:
            NotFound: There is no such collection.
        """
        ...

    async def document(self, collection: str, source: str) -> Json:
        """Return a document with its `passages`.

        Raises:
            NotFound: There is no such document.
        """
        ...

    async def remove(self, collection: str, source: str) -> None:
        """Take a document out; what was uploaded is deleted from the disk too.

        Raises:
            NotFound: There is no such document.
        """
        ...

    async def passage(self, passage_id: str) -> Json:
        """Return a passage.

        Raises:
            NotFound: There is none: never was, or its document was changed or taken out.
        """
        ...

    async def memories(self, query: str, limit: int) -> list[Json]:
        """Return memories, those nearest to a query first; all of them, the newest first, for a blank one."""
        ...

    async def forget(self, memory_id: str) -> None:
        """Forget a memory for good, every version.

        Raises:
            NotFound: There is no such memory.
        """
        ...
