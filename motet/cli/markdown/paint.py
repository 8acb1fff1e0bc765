"""Render markdown blocks with rich, in a plain and narrow-friendly dress.

What does not live here: cutting a stream into blocks (`blocks`), plain lines (`lines`) and where they go
(`motet.cli.screen`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.markdown import Heading, Markdown, Paragraph

from motet.cli.markdown.themes import CODE
from motet.cli.markdown.wrap import wrap

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult


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
        chosen = console.get_style(CODE, default="none").meta.get("theme")
        self.code_theme = chosen or self.code_theme
        yield from super().__rich_console__(console, options)
