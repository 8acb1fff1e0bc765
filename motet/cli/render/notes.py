"""Show lines about the work: as plain text, or on a screen with the plan and the tool calls live.

What does not live here: which lines (`narrator`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from rich.console import Group
from rich.text import Text

from motet.cli.markdown.lines import Hanging
from motet.cli.render import wording
from motet.cli.render.narrator import Narrator, describe

if TYPE_CHECKING:
    from rich.console import RenderableType

    from motet.cli.render.narrator import Kind, Line
    from motet.cli.screen.base import Screen
    from motet.events import PlanStep, Recorded

STYLES: dict[Kind, str] = {
    "plan": "bold",
    "step": "",
    "done": "green",
    "failed": "red",
    "tool": "cyan",
    "passage": "dim",
    "notice": "",
    "warning": "yellow",
    "cost": "dim",
}
"""How each kind of line looks, in the terminal's own colours."""

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class PlainNotes:
    """Writes each line as plain text."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._narrator = Narrator(whole_plan=True)

    def show(self, recorded: Recorded) -> None:
        """Take a run's next event."""
        lines = self._narrator.tell(recorded)
        if lines:
            self._stream.write("".join(f"{line.text}\n" for line in lines))
            self._stream.flush()

    def close(self) -> None:
        """Do nothing: every line was written when it was told."""


class ScreenNotes:
    """Prints each line on a screen, and shows below them what is being done.

    A plan's steps stay in the live part until they end; so the scrollback holds each step once.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._narrator = Narrator(whole_plan=False)
        self._busy_since = 0.0
        self._writing = False

    def begin(self) -> None:
        """Show that something is about to begin."""
        self._busy_since = time.time()
        self._screen.live("doing", self._doing)

    def show(self, recorded: Recorded) -> None:
        """Take a run's next event."""
        kind = recorded.event.type
        if kind == "run.accepted":
            self.begin()
        self._writing = kind == "message.delta"
        lines = self._narrator.tell(recorded)
        if kind.startswith("run.") and kind not in ("run.accepted", "run.started"):
            self._screen.live("doing", None)
        if lines:
            self._screen.note(*(dress(line) for line in lines))

    def close(self) -> None:
        """Empty the live part."""
        self._screen.live("doing", None)
        self._screen.refresh()

    def _doing(self) -> RenderableType | None:
        now = time.time()
        lines = [self._step_line(step, now) for step in self._narrator.plan]
        for started, at in self._narrator.calls.values():
            said = f"  {wording.call(started.name, started.arguments)} … {wording.duration(now - at)}"
            lines.append(_one_line(said, STYLES["tool"]))
        if not lines and self._writing:
            return None
        spinner = SPINNER[int(now * 10) % len(SPINNER)]
        return Group(*lines, _one_line(f"{spinner} {wording.duration(now - self._busy_since)}", "dim"))

    def _step_line(self, step: PlanStep, now: float) -> Text:
        begun = self._narrator.since(step.step_id)
        took = f" {wording.duration(now - begun)}" if begun is not None else ""
        return _one_line(describe(step) + took, "bold" if step.status == "running" else "dim")


def dress(line: Line) -> Hanging:
    """Return a line in its style."""
    return Hanging(line.text, STYLES[line.kind])


def _one_line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
