"""What `add` and `sync` tell: what became of each document, how far they are, and a collection in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from motet.errors import DocumentUnreadable

Status = Literal["added", "replaced", "copied", "unchanged", "removed", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one document."""

    path: Path
    status: Status
    """`copied`: another document of these bytes is there, whose passages count for both. `removed`: its file is gone.
    `skipped`: found in a folder, and no loader knows its ending."""
    passage_count: int = 0
    error: DocumentUnreadable | None = None
    """Why it failed."""
    source: str = ""
    """Its path or address as it is listed."""
    missing: str = ""
    """What of it could not be read and is not searched, as part of a sentence; "" for most."""


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

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        files = [
            {
                "path": file.source or str(file.path),
                "status": file.status,
                "passages": file.passage_count,
                "error": file.error.to_dict() if file.error else None,
                "missing": file.missing,
            }
            for file in self.files
        ]
        return {"collection": self.collection, "files": files, "notice": self.notice}

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
    chinese: str = "pairs"
    """How full text cuts Chinese: `pairs` of characters, or `words`."""
    failed_count: int = 0
    """Documents that could not be read, or a newer version of which could not."""
    roots: tuple[str, ...] = ()
    """What `sync` looks at again."""
