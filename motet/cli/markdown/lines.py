"""Lines of a terminal: what is rendered, line by line, and text that hangs below its first characters.

What does not live here: markdown (`paint`), which takes long to import.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.text import Text

from motet.cli.markdown.wrap import wrap

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult


class Hanging:
    """A line that goes on indented where it is too long. `text` may begin with spaces of its own."""

    def __init__(self, text: str, style: str = "") -> None:
        bare = text.lstrip()
        self._text = Text(bare, style=style)
        self._indent = len(text) - len(bare)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        indent, further = " " * self._indent, " " * (self._indent + 2)
        for number, line in enumerate(wrap(self._text, max(options.max_width - len(further), 2))):
            yield Text(further if number else indent) + line


def to_lines(console: Console, renderable: RenderableType, width: int | None = None) -> list[list[Segment]]:
    """Return what `renderable` looks like, line by line, without blank lines around it or spaces at line ends."""
    options = console.options if width is None else console.options.update_width(width)
    lines = [_trim(line) for line in console.render_lines(renderable, options, pad=False)]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return lines


def _trim(line: list[Segment]) -> list[Segment]:
    """Take spaces from a line's end that nobody sees, so that a copied line has none."""
    kept = [segment for segment in line if not segment.control]
    while kept:
        text, style, _ = kept[-1]
        if style is not None and (style.bgcolor is not None or style.underline or style.reverse):
            break
        bare = text.rstrip()
        if bare:
            kept[-1] = Segment(bare, style)
            break
        kept.pop()
    return kept


def unsteering(text: str) -> str:
    """Return text without what steers a terminal or turns a line around; tabs and line ends stay."""
    return _STEERING.sub("", text)


_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
