"""How a document is refused: one sentence with its path, the reason, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.errors import DocumentUnreadable, visible

if TYPE_CHECKING:
    from pathlib import Path


def unreadable(path: Path | str, reason: str, next_step: str) -> DocumentUnreadable:
    """Return the error, to be raised; what nobody sees of a path is written out."""
    shown = visible(str(path))
    return DocumentUnreadable(f"{shown}: {reason}. {next_step}", path=shown, reason=reason)
