"""How passages are shown to a model: numbered, each with where it stands.

What does not live here: who numbers them through a whole run (the graphs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.retrieval.base import HEADING_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.events import Passage


def render_passages(passages: Sequence[Passage]) -> str:
    """Return `[n] title › heading (p. 3): text` for each passage, a blank line between; "" for none.

    `n` is the passage's number, or its place in the sequence, from 1, where it has none.
    """
    return "\n\n".join(
        f"[{passage.number or place}] {place_of(passage)}: {passage.text}"
        for place, passage in enumerate(passages, 1)
    )


def whole_text(passage: Passage) -> str:
    """Return all that a passage says, where it stands included."""
    return f"{passage.title} {passage.heading} {passage.text}"


def place_of(passage: Passage) -> str:
    """Return where a passage stands: `title › heading (p. 3)`; the source where it has no title."""
    title = passage.title or passage.source
    heading = passage.heading
    if heading and not heading.startswith(title):
        heading = f"{title}{HEADING_SEPARATOR}{heading}"
    page = f" (p. {passage.page})" if passage.page is not None else ""
    return (heading or title) + page
