"""Which facts are worth a model's attention: relevance, recency and importance in one number.

What does not live here: where the facts come from (`recall`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from motet.memory.fact import subjects
from motet.storage.search import terms, text_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from motet.memory.fact import Memory

HALF_LIFE_DAYS = 30.0
"""A fact that nobody recalled or renewed for this long has half its recency left."""

DAY_S = 86_400.0

LEAST_SPREAD = 0.05
"""Cosines that lie nearer together than this say little about which fact is meant."""

UNTRUSTED_SHARE = 0.5
"""What a document or a tool said counts this much of what the user said."""


def rank(
    query: str, found: Sequence[tuple[Memory, float | None]], *, now: float
) -> list[tuple[Memory, float]]:
    """Return facts with their scores, 0.0 to 1.0, best first; ties the newest first.

    score = (0.1 + 0.9 relevance) · (0.5 + 0.5 recency) · (0.5 + 0.5 importance), halved for what is not trusted.

    - relevance, 0 to 1: the mean of the nearness in meaning (the cosine, stretched so that the farthest of these
      facts has 0 and the nearest 1, less where they lie within 0.05 of each other) and of the share of the
      query's words in the fact, rare words counting more and words like "what is my" not at all; the latter
      alone where there is no cosine.
    - recency, 1 to 0: 0.5 ^ (days since it was written or last recalled / 30).
    - importance, 0 to 1: the fact's own.

    The constants keep a factor from wiping out the others: an old name still answers "what am I called?", and a
    new fact does not come first for being new alone.

    Args:
        query: Plain text; blank text makes every relevance 0.
        found: Facts, each with its cosine where there is one.
        now: Unix seconds.

    Source: the three parts and the decay since the last use are those of Park et al. 2023, Generative Agents,
    section 4.1, which adds them; a product is used here, and a half-life of a month for a person's facts.
    """
    words = _word_shares(query, [memory.text for memory, _ in found])
    near = _stretched([score for _, score in found])
    scored: list[tuple[Memory, float]] = []
    for (memory, _), share, nearness in zip(found, words, near, strict=True):
        relevance = share if nearness is None else (share + nearness) / 2
        age_days = max(now - max(memory.used_at, memory.updated_at), 0.0) / DAY_S
        score = (
            (0.1 + 0.9 * relevance)
            * (0.5 + 0.5 * 0.5 ** (age_days / HALF_LIFE_DAYS))
            * (0.5 + 0.5 * memory.importance)
        )
        scored.append((memory, score * (UNTRUSTED_SHARE if memory.trust == "untrusted" else 1.0)))
    scored.sort(key=lambda pair: (pair[1], pair[0].updated_at), reverse=True)
    return scored


def fit(memories: Iterable[Memory], *, limit: int, max_width: int) -> list[Memory]:
    """Return the first `limit` facts that fit into `max_width` columns together; one that is too wide is left out."""
    kept: list[Memory] = []
    for memory in memories:
        width = text_width(memory.text)
        if len(kept) < limit and width <= max_width:
            kept.append(memory)
            max_width -= width
    return kept


def _word_shares(query: str, texts: Sequence[str]) -> list[float]:
    """Return for each text the share of the query's subjects in it, each weighed by how rare it is among them."""
    having = [set(terms(text)) for text in texts]
    weights: Mapping[str, float] = {
        term: math.log(1 + len(texts) / (1 + sum(term in found for found in having)))
        for term in subjects(query)
    }
    total = sum(weights.values()) or 1.0
    return [sum(weight for term, weight in weights.items() if term in found) / total for found in having]


def _stretched(scores: Sequence[float | None]) -> list[float | None]:
    """Return cosines as 0.0 for the lowest to 1.0 for the highest; less where they hardly differ."""
    there = [score for score in scores if score is not None]
    if not there:
        return list(scores)
    low = min(there)
    spread = max(max(there) - low, LEAST_SPREAD)
    return [0.0 if score is None else (score - low) / spread for score in scores]
