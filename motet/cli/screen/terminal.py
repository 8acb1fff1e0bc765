"""A screen on a terminal that no prompt is using: answers to stdout, notes to stderr, the live part below them.

What does not live here: a screen above a prompt (`prompt`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.cli.screen.base import LIVE_ROWS, Live, Spacing, render, to_ansi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType
    from rich.segment import Segment

    from motet.cli.screen.base import Painter

WIPE_ROW = "\x1b[2K"
ECHO_CELLS = 2
"""Room at a line's end for the `^C` that a terminal shows."""


class TerminalScreen:
    """Writes into the scrollback. `close()` it, or the live part stays on the screen.

    The two consoles are one terminal, or only one of them is a terminal: then notes or answers go elsewhere as
    plain text, and the live part is on the one that is.
    """

    def __init__(self, answers: Console, notes: Console) -> None:
        self._answers = answers
        self._notes = notes
        self._live = Live()
        self._spacing = Spacing()
        self._tail = Tail(notes if notes.is_terminal else answers)

    def note(self, *lines: RenderableType) -> None:
        """Print lines about the work; they stay."""
        self._print(self._notes, "note", lines)

    def answer(self, block: RenderableType) -> None:
        """Print a finished block of the answer, with a blank line before it; it stays."""
        self._print(self._answers, "answer", [block])

    def live(self, slot: str, paint: Painter | None) -> None:
        """Say how a slot of the live part is painted from now on; None empties it."""
        self._live.set(slot, paint)

    def refresh(self) -> None:
        """Paint the live part again if it changed."""
        self._tail.paint(self._live)

    def close(self) -> None:
        """Take the live part off the screen. A second call does nothing."""
        self._tail.clear()

    def _print(self, console: Console, kind: str, renderables: Sequence[RenderableType]) -> None:
        text = render(console, renderables, console.width)
        if text:
            self._tail.clear()
            console.file.write(self._spacing.before(kind) + text)
            console.file.flush()
            self.refresh()


class Tail:
    """The live part at the cursor: painted over in one write, only when it changed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._painted = ""
        self._widths: list[int] = []

    def paint(self, live: Live) -> None:
        """Show the slots as they are now."""
        width, height = self._console.size
        lines = live.lines(self._console, max(width - ECHO_CELLS, 1), min(LIVE_ROWS, max(height - 2, 1)))
        text = to_ansi(self._console, lines).removesuffix("\n")
        if text != self._painted or not lines:
            back = self._back()
            self._remember(text, lines)
            self._write(back + text)

    def clear(self) -> None:
        """Take it off the screen."""
        back = self._back()
        self._remember("", [])
        self._write(back)

    def _back(self) -> str:
        """Return the codes that lead to where the live part began, and wipe from there.

        A terminal that became narrower has wrapped the lines again: the rows are counted at today's width.
        """
        if not self._widths:
            return ""
        width = max(self._console.width, 1)
        rows = sum(max(1, -(-cells // width)) for cells in self._widths)
        start = f"\r\x1b[{rows - 1}A" if rows > 1 else "\r"
        # Row by row: some terminals keep what "wipe all below" wipes, when the cursor is in the top left corner.
        return start + "\n".join([WIPE_ROW] * rows) + start

    def _remember(self, text: str, lines: Sequence[Sequence[Segment]]) -> None:
        self._painted = text
        self._widths = [sum(segment.cell_length for segment in line) for line in lines]

    def _write(self, text: str) -> None:
        if text:
            self._console.file.write(text)
            self._console.file.flush()
