"""Questions of nothing but single Chinese characters (猫; 猫可以带吗): passages that hold them, read one by one.

The full text has pairs or words: of 猫粮 it has no 猫. What does not live here: all other questions (`search`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import sqlalchemy as sa

from motet.retrieval.words import K1, B, best_hits
from motet.storage.search import has_cjk, terms
from motet.storage.tables import passages

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from motet.retrieval.documents import Collection

MAX_CHARACTERS = 8

MAX_FOUND = 2_000
"""Passages that are ranked, of those that hold any of the characters; the newest."""


def lone_characters(question: str) -> list[str]:
    """Return a question's characters where each of its terms is a single CJK one, each once; else []."""
    found = list(dict.fromkeys(terms(question)))
    return found[:MAX_CHARACTERS] if all(len(term) == 1 and has_cjk(term) for term in found) else []


def search(
    connection: Connection,
    collection: Collection,
    characters: Sequence[str],
    *,
    limit: int,
    allowed: NDArray[np.int64] | None = None,
) -> list[tuple[int, float]]:
    """Find the passages whose heading or text has any of some characters; `(passage_key, score)`, best first.

    Scores are those of BM25, a character as a word, so that a rare one counts more. Every passage of the collection
    is looked at: with 100,000 of them that takes some tenths of a second.
    """
    mine = sa.and_(passages.c.tenant_id == collection.tenant_id, passages.c.collection == collection.name)
    whole = passages.c.heading + "\n" + passages.c.text
    holds = sa.or_(*(whole.contains(character, autoescape=True) for character in characters))
    if allowed is not None:
        holds = sa.and_(holds, passages.c.passage_key.in_(allowed.tolist()))
    query = sa.select(passages.c.passage_key, whole).where(mine, holds)
    found = connection.execute(query.order_by(passages.c.passage_key.desc()).limit(MAX_FOUND)).all()
    if not found:
        return []
    total = connection.execute(sa.select(sa.func.count()).select_from(passages).where(mine)).scalar_one()
    mean = sum(len(text) for _, text in found) / len(found)
    rare = {}
    for character in characters:
        rows = sum(character in text for _, text in found)
        rare[character] = math.log(1 + (total - rows + 0.5) / (rows + 0.5))

    def score(text: str) -> float:
        burden = K1 * (1 - B + B * len(text) / mean)
        counts = {character: text.count(character) for character in characters}
        return sum(rare[c] * count * (K1 + 1) / (count + burden) for c, count in counts.items())

    return best_hits(((key, score(text)) for key, text in found), limit)
