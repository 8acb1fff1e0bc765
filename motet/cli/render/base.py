"""The port of a renderer.

What does not live here: where its lines go (`motet.cli.screen`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from motet.events import Recorded


class Renderer(Protocol):
    """Shows one run, or several of one thread after each other."""

    def show(self, recorded: Recorded) -> None:
        """Take a run's next event."""
        ...

    def close(self) -> None:
        """Show what is still held back. No event follows."""
        ...
