"""How a command gets its app, and which terminal it has.

What does not live here: what it does with them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping

    from rich.console import Console

    from motet.app import App
    from motet.cli.stops import Stops

T = TypeVar("T")


def with_app(
    work: Callable[[App], Awaitable[T]],
    *,
    stops: Stops | None = None,
    overrides: Mapping[str, Any] | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Build the app from the settings, open it, do `work` with it, close it. `stops` listens the whole time.

    `overrides` are settings that the command line gives, by path: `runs.concurrency`. `loop_factory` makes the
    event loop; None takes asyncio's.

    Raises:
        SettingInvalid: A setting is wrong.
        StorageError: The database cannot be used.
        Exit: Somebody asked to stop before there was a run to stop.
    """
    import asyncio
    import contextlib

    from motet.app import build_app
    from motet.settings import Settings

    async def run() -> T:
        with stops or contextlib.nullcontext():
            async with app:
                return await work(app)

    app = build_app(Settings.load(overrides))
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(run())
    except asyncio.CancelledError:
        if stops is None or stops.status is None:
            raise
        raise typer.Exit(stops.status) from None


@dataclass(frozen=True, slots=True)
class Terminal:
    """What stdout and stderr are: terminals that take escape codes, or something that takes text."""

    answers: Console
    notes: Console

    @classmethod
    def detect(cls, *, plain: bool = False) -> Terminal:
        """Look at the process's streams. `plain`, `NO_COLOR` and a dumb terminal all mean: no escape codes."""
        return cls(console(sys.stdout, plain=plain), console(sys.stderr, plain=plain))

    @property
    def is_live(self) -> bool:
        """Whether something can be painted over."""
        return self.answers.is_terminal or self.notes.is_terminal


def console(stream: object, *, plain: bool = False) -> Console:
    """Return a console on a text stream that sends escape codes only to a terminal that wants them.

    A terminal is as wide as it says. `COLUMNS` counts where there is none: a shell that exports it tells of the width
    that the window had when the program began.
    """
    from rich.console import Console

    isatty = getattr(stream, "isatty", None)
    is_terminal = isatty is not None and isatty()
    environment = os.environ  # noqa: TID251  # a terminal's colours, which Rich reads there; no setting of Motet's
    known = {name: value for name, value in environment.items() if name not in _SIZE or not is_terminal}
    made = Console(file=stream, highlight=False, markup=False, emoji=False, _environ=known)  # pyright: ignore[reportArgumentType]
    if plain or made.no_color or made.is_dumb_terminal:
        made = Console(
            file=stream,  # pyright: ignore[reportArgumentType]
            color_system=None,
            force_terminal=False,
            highlight=False,
            markup=False,
            emoji=False,
            _environ=known,
        )
    return made


_SIZE = ("COLUMNS", "LINES")


def silence_stdout() -> None:
    """Send what is still in stdout's buffer nowhere: its reader has left."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
