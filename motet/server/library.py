"""What a wire may do with documents and memories, in plain JSON: the rooms themselves are not the server's to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]


class Library(Protocol):
    """Documents and memories of one caller."""

    async def collections(self) -> list[Json]:
        """Return every collection: `name`, `documents`, `passages`."""
        ...

    async def search(self, query: str, collections: Sequence[str], limit: int) -> list[Json]:
        """Return the passages nearest to a query, best first, length 0..limit.

        Raises:
            NotFound: There is no such collection.
        """
        ...

    async def add(self, collection: str, name: str, content: bytes) -> Json:
        """Take in one document, its kind by its name's ending; return what became of it.

        Raises:
            DocumentUnreadable: It cannot be read.
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
