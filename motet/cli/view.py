"""What a run looks like from outside: the renderers that fit the streams, fed from the log.

What does not live here: the renderers (`motet.cli.render`), and the run's end (`ask`, `chat`).
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from motet.cli.render.base import Renderer
    from motet.cli.render.outcome import Outcome
    from motet.cli.screen.terminal import TerminalScreen
    from motet.cli.session import Terminal
    from motet.events import Recorded

    class Log(Protocol):
        """What a run is read from: an app."""

        def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Recorded]:
            """Yield a run's events as they come."""
            ...


FRAME_S = 0.1
"""How often the live part is painted again."""


class View:
    """Renderers and the screen that they share."""

    def __init__(self, renderers: Sequence[Renderer], screen: TerminalScreen | None = None) -> None:
        self.renderers = renderers
        self.screen = screen

    async def follow(self, log: Log, run_id: str) -> Outcome:
        """Show a run until it ends, and return what it came to."""
        from motet.cli.render.outcome import Outcome

        outcome = Outcome()
        async with repainting(self.screen.refresh if self.screen else None):
            async for recorded in log.follow(run_id):
                outcome.add(recorded)
                for renderer in self.renderers:
                    renderer.show(recorded)
        return outcome

    def close(self) -> None:
        """Show what is held back, and leave the screen clean."""
        for renderer in self.renderers:
            renderer.close()
        if self.screen is not None:
            self.screen.close()


@asynccontextmanager
async def repainting(refresh: Callable[[], None] | None) -> AsyncGenerator[None]:
    """Call `refresh` ten times a second while inside."""

    async def tick() -> None:
        while refresh is not None:
            refresh()
            await asyncio.sleep(FRAME_S)

    ticker = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticker.cancel()
        # Not `await ticker`: what cancels this task at the same moment would be taken for the ticker's own end.
        await asyncio.gather(ticker, return_exceptions=True)


def text_view(terminal: Terminal, write: Callable[[str], object] | None, *, quiet: bool) -> View:
    """Return the view for people: the answer to `write` (stdout unless given), all else to stderr."""
    from motet.cli.render.answers import RawAnswer, ScreenAnswer, WholeAnswer
    from motet.cli.screen.terminal import TerminalScreen

    screen = TerminalScreen(terminal.answers, terminal.notes) if terminal.is_live else None
    if write is not None:
        answer: Renderer = WholeAnswer(write)
    elif screen is not None and terminal.answers.is_terminal:
        answer = ScreenAnswer(screen)
    elif sys.stdout.isatty():
        answer = RawAnswer(sys.stdout)
    else:
        answer = WholeAnswer(sys.stdout.write)
    return View([answer, *_notes(terminal, screen, quiet=quiet)], screen)


def machine_view(terminal: Terminal, machine: Renderer, *, quiet: bool) -> View:
    """Return the view for programs: `machine` has the answer's place, all else goes to stderr as before."""
    from motet.cli.screen.terminal import TerminalScreen

    screen = TerminalScreen(terminal.answers, terminal.notes) if terminal.notes.is_terminal else None
    return View([machine, *_notes(terminal, screen, quiet=quiet)], screen)


def _notes(terminal: Terminal, screen: TerminalScreen | None, *, quiet: bool) -> list[Renderer]:
    from motet.cli.render.notes import PlainNotes, ScreenNotes

    if quiet:
        return []
    if screen is not None and terminal.notes.is_terminal:
        return [ScreenNotes(screen)]
    return [PlainNotes(sys.stderr)]
