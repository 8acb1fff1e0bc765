"""How a conversation's messages look when they are shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from motet.cli.markdown.lines import Hanging
from motet.cli.render import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from motet.runs.request import MessageRecord

MARK = "› "
"""Stands before what the person said."""


def question(text: str) -> Hanging:
    """Return what a person said, as it stands in the scrollback."""
    return Hanging(MARK + text, "bold")


def transcript(messages: Sequence[MessageRecord]) -> list[RenderableType]:
    """Return messages one below the other, a blank line between them; none give an empty list."""
    from motet.cli.markdown.paint import Block

    shown: list[RenderableType] = []
    for message in messages:
        shown.append(Text(""))
        if message.role != "assistant":
            shown.append(question(message.text))
            continue
        shown.append(Block(message.text))
        shown += [Hanging(line, "dim") for line in wording.citations(message.citations)]
    return shown[1:]
