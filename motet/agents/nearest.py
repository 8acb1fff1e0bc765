"""Statements of passages that are nearest in meaning to what is looked for: little enough for a small model to read.

What does not live here: how a text is taken apart into statements (`retrieval.statements`), and what is made of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.retrieval.render import place_of
from motet.retrieval.statements import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.events import Passage
    from motet.retrieval.base import Retriever

STATEMENTS = 5
"""Statements that are read."""


async def nearest_statements(
    retriever: Retriever, queries: Sequence[str], passages: Sequence[Passage]
) -> list[tuple[str, Passage]]:
    """Return the statements of passages that are nearest to any of the queries, in order, each with its passage.

    The first statement of each of their passages is among them: it says what the others are about, and often in which
    unit.
    """
    stated = [(said, passage) for passage in passages for said in statements(passage.text)]
    placed = [f"{place_of(passage)}: {said}" for said, passage in stated]
    scores = await retriever.nearness(queries, placed)
    best = sorted(range(len(stated)), key=lambda i: (-scores[i], i))[:STATEMENTS]
    places = [passage.passage_id for _, passage in stated]
    leads = {places.index(places[i]) for i in best}
    return [stated[i] for i in sorted({*best, *leads})]


def abridged(found: Sequence[tuple[str, Passage]]) -> str:
    """Return passages with their found statements only, in the order of their documents, a line each."""
    lines: dict[str, str] = {}
    for said, passage in found:
        place = place_of(passage)
        lines[place] = f"{lines[place]} {said}" if place in lines else f"- {place}: {said}"
    return "\n".join(lines.values())
