"""A screen above a prompt that stays: what is printed goes over it, the live part is painted as part of it.

What does not live here: the prompt's keys and history (`motet.cli.chat.prompt`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.formatted_text import ANSI

from motet.cli.markdown.themes import theme
from motet.cli.screen.base import LIVE_ROWS, Live, Spacing, render, to_ansi

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from motet.cli.screen.base import Painter

PROMPT_ROWS = 4
"""Rows that are left to what the person types."""


class PromptScreen:
    """Writes over a running prompt. `redraw` is called when the live part may have changed.

    Pieces that come while one is being printed are printed together, in order. `drain()` before the prompt ends.
    """

    def __init__(self, console: Console, redraw: Callable[[], None]) -> None:
        self._console = console
        self._redraw = redraw
        self._live = Live()
        self._spacing = Spacing()
        self._waiting: list[str] = []
        self._printing: asyncio.Task[None] | None = None

    def note(self, *lines: RenderableType) -> None:
        """Print lines about the work; they stay."""
        self._print("note", *lines)

    def answer(self, block: RenderableType) -> None:
        """Print a finished block of the answer, with a blank line before it; it stays."""
        self._print("answer", block)

    def paint(self, name: str) -> None:
        """Use other colours from now on; see `motet.cli.markdown.themes.THEMES`."""
        self._console.push_theme(theme(name))

    def live(self, slot: str, paint: Painter | None) -> None:
        """Say how a slot of the live part is painted from now on; None empties it."""
        self._live.set(slot, paint)

    def refresh(self) -> None:
        """Paint the live part again if it changed."""
        self._redraw()

    def above_prompt(self) -> ANSI:
        """Return the live part as the prompt's upper lines: nothing, or lines that each end."""
        width, height = self._console.size
        rows = min(LIVE_ROWS, max(height - PROMPT_ROWS, 1))
        return ANSI(to_ansi(self._console, self._live.lines(self._console, max(width - 1, 1), rows)))

    async def drain(self) -> None:
        """Wait until everything is printed."""
        if self._printing is not None:
            await self._printing

    def _print(self, kind: str, *renderables: RenderableType) -> None:
        text = render(self._console, renderables, self._console.width)
        if text:
            self._waiting.append(self._spacing.before(kind) + text)
            if self._printing is None or self._printing.done():
                self._printing = asyncio.create_task(self._print_waiting())

    async def _print_waiting(self) -> None:
        while self._waiting:
            await run_in_terminal(self._write_waiting)

    def _write_waiting(self) -> None:
        text = "".join(self._waiting)
        self._waiting.clear()
        self._console.file.write(text)
        self._console.file.flush()
