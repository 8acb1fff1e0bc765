"""Plain text: one section."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.retrieval.base import LoadedDocument, Section
from motet.retrieval.decode import decode

if TYPE_CHECKING:
    from pathlib import Path


def load(data: bytes, path: Path) -> LoadedDocument:
    """Load plain text; its title is the file's name without the ending."""
    text = decode(data, path)
    return LoadedDocument(text, "", [Section(text, 0)])
