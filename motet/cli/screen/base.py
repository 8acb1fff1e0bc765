"""The port of a screen, and what every screen shares: how lines become text and how blocks are spaced.

What does not live here: what is said (`motet.cli.render`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rich.console import COLOR_SYSTEMS, Group

from motet.cli.markdown.lines import to_lines, unsteering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.color import ColorSystem
    from rich.console import Console, RenderableType
    from rich.segment import Segment

    Painter = Callable[[], RenderableType | None]
    """Says what a slot of the live part looks like now; None for nothing."""

LIVE_ROWS = 12
"""Most rows of the live part: it is painted again many times a second."""

SLOTS = ("answer", "doing", "hint")
"""Slots of the live part, from top to bottom."""


class Screen(Protocol):
    """Takes what stays and what is only there for now. Every call comes from the event loop's thread."""

    def note(self, *lines: RenderableType) -> None:
        """Print lines about the work; they stay."""
        ...

    def answer(self, block: RenderableType) -> None:
        """Print a finished block of the answer, with a blank line before it; it stays."""
        ...

    def live(self, slot: str, paint: Painter | None) -> None:
        """Say how a slot of the live part is painted from now on; None empties it."""
        ...

    def refresh(self) -> None:
        """Paint the live part again if it changed."""
        ...


class Spacing:
    """Decides where blank lines go: around each block of an answer, and nowhere else."""

    def __init__(self) -> None:
        self._last = ""

    def before(self, kind: str) -> str:
        """Return the newline that belongs before a piece of this kind (`note` or `answer`), or nothing."""
        last, self._last = self._last, kind
        return "\n" if last and "answer" in (last, kind) else ""


class Live:
    """The live part's slots."""

    def __init__(self) -> None:
        self._painters: dict[str, Painter] = {}

    def set(self, slot: str, paint: Painter | None) -> None:
        """Put a painter into a slot, or take it out."""
        if paint is None:
            self._painters.pop(slot, None)
        else:
            self._painters[slot] = paint

    def lines(self, console: Console, width: int, rows: int) -> list[list[Segment]]:
        """Return at most `rows` lines, the lowest of each slot in the slots' order, blank lines around the answer."""
        painted = {slot: self._paint(slot, console, width) for slot in SLOTS if slot in self._painters}
        below = (painted.get("doing", []) + painted.get("hint", []))[-max(rows - 2, 1) :]
        answer = painted.get("answer", [])
        if not answer:
            return below
        blank: list[Segment] = []
        spaced = [blank, *answer, *([blank] if below else [])]
        room = rows - len(below)
        return [*(spaced[-room:] if room > 0 else []), *below]

    def _paint(self, slot: str, console: Console, width: int) -> list[list[Segment]]:
        renderable = self._painters[slot]()
        return [] if renderable is None else to_lines(console, renderable, width)


def to_ansi(console: Console, lines: Iterable[Sequence[Segment]]) -> str:
    """Return lines as text with the console's escape codes, each line ended; no codes where it has no colours."""
    colors = COLOR_SYSTEMS.get(console.color_system or "")
    return "".join("".join(_to_ansi(segment, colors) for segment in line) + "\n" for line in lines)


def _to_ansi(segment: Segment, colors: ColorSystem | None) -> str:
    text = unsteering(segment.text)
    if segment.style is None or colors is None:
        return text
    return segment.style.render(text, color_system=colors)


def render(console: Console, renderables: Sequence[RenderableType], width: int) -> str:
    """Return what stays, as text with escape codes, each line ended."""
    return to_ansi(console, to_lines(console, Group(*renderables), width))
