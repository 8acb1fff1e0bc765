"""The port of parsing: bytes of a file in, a document or one typed error out.

What does not live here: how a parser is kept from doing harm (`process`), and any format (`loaders`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from motet.retrieval.base import LoadedDocument

Jail = Callable[[Sequence[str]], list[str]]
"""From the command that is to be run to the command that runs it inside a sandbox: its arguments, no shell."""


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What reading one document may cost. Past any of these the document is refused and the others go on."""

    wall_s: float = 60.0
    """By the clock; the CPU time of one document has the same limit."""
    memory_bytes: int = 512 * 1024 * 1024
    """Address space of the process that reads it."""
    output_bytes: int = 64 * 1024 * 1024
    """What it may answer."""


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

    async def aclose(self) -> None:
        """Give back what is held, a process for example; the next call takes it anew. May be called twice."""
        ...
