"""Render markdown blocks with rich, in a plain and narrow-friendly dress.

What does not live here: cutting a stream into blocks (`blocks`) and where the lines go (`motet.cli.screen`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.markdown import Heading, Markdown, Paragraph
from rich.segment import Segment
from rich.style import Style
from rich.theme import Theme

from motet.cli.markdown.wrap import wrap

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult


THEMES: dict[str, tuple[str, dict[str, str]]] = {
    "dark": ("ansi_dark", {}),
    "light": ("ansi_light", {"markdown.code": "bold blue", "markdown.link_url": "blue", "cyan": "blue"}),
    "plain": (
        "bw",
        {"markdown.code": "bold", "markdown.h1": "bold", "markdown.h2": "bold", "markdown.item.bullet": ""},
    ),
}
"""What can be chosen: the colours of code, and styles that differ."""

_CODE = "motet.code"


def theme(name: str) -> Theme:
    """Return one of `THEMES` for a console."""
    code, styles = THEMES[name]
    return Theme({**styles, _CODE: Style.from_meta({"theme": code})})


class _Paragraph(Paragraph):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from wrap(self.text, max(options.max_width, 2))


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}  # everything left


class Block(Markdown):
    """One block of markdown: headings left, Chinese wrapped between characters, code in the terminal's colours."""

    elements: ClassVar = {**Markdown.elements, "paragraph_open": _Paragraph, "heading_open": _Heading}

    def __init__(self, markup: str) -> None:
        super().__init__(markup, code_theme="ansi_dark", hyperlinks=False)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        chosen = console.get_style(_CODE, default="none").meta.get("theme")
        self.code_theme = chosen or self.code_theme
        yield from super().__rich_console__(console, options)


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
