"""The port of parsing: bytes of a file in, a document or one typed error out.

What does not live here: how a parser is kept from doing harm (`process`), and any format (`loaders`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What reading one document may cost. Past any of these the document is refused and the others go on."""

    wall_s: float = 60.0
    """By the clock; the CPU time of one document has the same limit."""
    memory_bytes: int = 512 * 1024 * 1024
    """Address space of the process that reads it."""
    output_bytes: int = 64 * 1024 * 1024
    """What it may answer."""


class Process(Protocol):
    """A process that parses, in the sandbox or outside of it."""

    @property
    def stdin(self) -> StreamWriter:
        """What it reads."""
        ...

    @property
    def stdout(self) -> StreamReader:
        """What it answers."""
        ...

    @property
    def has_ended(self) -> bool:
        """Say whether it has ended."""
        ...

    async def wait(self) -> int:
        """Wait for its end; return its exit code, -n where signal n ended it."""
        ...

    async def end(self) -> None:
        """End it and what it started. A second call does nothing."""
        ...


class Parser(Protocol):
    """Turns files into documents."""

    def reads(self, path: Path) -> bool:
        """Say whether files with this ending can be read."""
        ...

    async def parse(self, data: bytes, path: Path) -> LoadedDocument:
        """Return the document that a file's bytes are.

        Args:
            data: The whole file.
            path: Where it came from; only its ending and its name are used.

        Raises:
            DocumentUnreadable: It cannot be taken in: no loader, broken, too slow, too large for the limits.
        """
        ...

    def signature(self, path: Path) -> str:
        """Return what reads files with this ending, and how: with another one a file that failed may be read."""
        ...

    async def aclose(self) -> None:
        """Give back what is held, a process for example; the next call takes it anew. May be called twice."""
        ...
