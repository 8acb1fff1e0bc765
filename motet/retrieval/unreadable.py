"""How a document is refused: one sentence with its path, the reason, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.errors import DocumentUnreadable

if TYPE_CHECKING:
    from pathlib import Path


def unreadable(path: Path | str, reason: str, next_step: str) -> DocumentUnreadable:
    """Return the error, to be raised; a path with odd characters is shown escaped."""
    shown = str(path)
    if not shown.isprintable():
        shown = ascii(shown)
    return DocumentUnreadable(f"{shown}: {reason}. {next_step}", path=shown, reason=reason)
