"""The search: by words (BM25) and by meaning (vectors), the two rankings fused.

What does not live here: either ranking (`storage.fulltext`, `index`) and storing documents (`collection`).

Fusion is weighted reciprocal rank: score(d) = sum over the rankings of weight / (60 + rank of d), ranks from 1.
Source: G. V. Cormack, C. L. A. Clarke, S. Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual
Rank Learning Methods", SIGIR 2009. Ranks can be added where BM25 scores and cosines cannot.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from motet.errors import ModelError
from motet.retrieval import characters, documents
from motet.retrieval.filters import Where, allowed_keys
from motet.retrieval.render import place_of, whole_text
from motet.retrieval.words import best_hits
from motet.storage import fulltext
from motet.storage.content_words import content_words
from motet.storage.search import cut_of, terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from motet.events import Passage
    from motet.retrieval.base import Reranker
    from motet.retrieval.collection import KnowledgeBase
    from motet.retrieval.documents import Collection

RRF_K = 60

HELD_TERMS = 0.5
"""A passage that holds this part of a question's terms is found whatever its cosine."""

DEPTH = 50
"""How far down each ranking fusion looks."""

MAX_LIMIT = 100
MAX_QUERY_CHARS = 2_000
"""What is longer than this is no question; its beginning is searched."""

RERANK_DEPTH = 20
"""Passages that a reranker is given."""

SAME_TERMS = 0.85
"""Two passages that share this part of their terms (Jaccard) say the same: the first is enough."""


class Rankings(NamedTuple):
    """What each ranker found, best first: `(passage_key, score)`."""

    words: list[tuple[int, float]]
    meaning: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Explained:
    """A passage with every score that it was found by. Ranks count from 1; None where it was not found that way."""

    passage: Passage
    words_rank: int | None
    bm25: float | None
    meaning_rank: int | None
    cosine: float | None
    fused: float
    rerank: float | None = None
    """What the reranker gave it; None without one, or where it failed."""

    def to_dict(self) -> dict[str, Any]:
        """Return the passage and the scores as plain JSON."""
        scores = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "passage"}
        return self.passage.model_dump(mode="json") | scores


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a search found and how."""

    query: str
    words: str
    """What of the query was looked up as words."""
    found: list[Explained]
    """Best first."""
    reranker: str = ""
    """Name of what ordered them last; "" for the fused order."""
    notice: str = ""
    """Why a reranker was not heeded; "" when all went well."""


class HybridRetriever:
    """Searches collections of a knowledge base; the retriever that agents are given.

    Args:
        knowledge: Whose documents.
        collections: Which of them; one that does not exist finds nothing.
        reranker: Orders the best once more; the fused order stays without one, and where it fails.
        where: Only passages that meet these conditions.
    """

    def __init__(
        self,
        knowledge: KnowledgeBase,
        collections: Sequence[str] = ("default",),
        *,
        reranker: Reranker | None = None,
        where: Where | None = None,
    ) -> None:
        self._knowledge = knowledge
        self._collections = tuple(dict.fromkeys(collections))
        self._reranker = reranker
        self._where = where or Where()

    async def search(self, query: str, *, limit: int | None = None) -> list[Passage]:
        """Find the passages nearest to a query.

        Args:
            query: Plain text in any language; blank text returns [].
            limit: At most this many passages, 1 to 100; `retrieval.limit` of the settings unless given.

        Returns:
            Best first with their fused scores, length 0..limit, without numbers; of passages that say the same,
            the best. [] where nothing was ever added.

        Raises:
            Conflict: A collection's vectors were made by another model; both are named.
        """
        return [one.passage for one in (await self.explain(query, limit=limit)).found]

    async def explain(self, query: str, *, limit: int | None = None) -> Explanation:
        """Search, and say by which scores each passage was found; see `search`."""
        query = query.strip()[:MAX_QUERY_CHARS]
        if not query:
            return Explanation(query, "", [])
        wanted = max(1, min(limit or self._knowledge.settings.limit, MAX_LIMIT))
        depth = wanted if self._reranker is None else max(wanted, RERANK_DEPTH)
        vector = await self._vector(query)
        found = await self._knowledge.database.read(lambda c: self._find(c, query, vector, depth))
        found, notice = await self._reranked(query, found)
        reranker = self._reranker.name if self._reranker and not notice and found else ""
        return Explanation(query, content_words(query), found[:wanted], reranker, notice)

    async def _reranked(self, query: str, found: list[Explained]) -> tuple[list[Explained], str]:
        """Return the passages in the reranker's order; in the fused one, with the reason, where it failed."""
        if self._reranker is None or len(found) < 2:
            return found, ""
        texts = [f"{place_of(one.passage)}: {one.passage.text}" for one in found]
        try:
            scores = await self._reranker.scores(query, texts)
        except ModelError as error:
            return found, f"The fused order stands, since {self._reranker.name} failed: {error.message}"
        order = sorted(range(len(found)), key=lambda at: (-scores[at], at))
        return [replace(found[at], rerank=scores[at]) for at in order], ""

    async def stages(self, query: str, *, limit: int = 10) -> dict[str, list[Passage]]:
        """Return what each stage of the search alone would find, best first: words, meaning, fused, reranked.

        `meaning` is there with an embedder, `reranked` with a reranker that did not fail.
        """
        query = query.strip()[:MAX_QUERY_CHARS]
        vector = await self._vector(query)

        def work(connection: Connection) -> tuple[Rankings, dict[int, Passage]]:
            ranked = self._rank(connection, query, vector, depth=max(DEPTH, limit * 3))
            keys = {key for ranking in ranked for key, _ in ranking[:limit]}
            return ranked, documents.read_passages(connection, keys)

        ranked, passages = await self._knowledge.database.read(work)
        found = {"words": [passages[key] for key, _ in ranked.words[:limit] if key in passages]}
        if vector is not None:
            found["meaning"] = [passages[key] for key, _ in ranked.meaning[:limit] if key in passages]
        told = await self.explain(query, limit=max(limit, RERANK_DEPTH))
        fused = sorted(told.found, key=lambda one: -one.fused)
        found["fused"] = [one.passage for one in fused[:limit]]
        if told.reranker:
            found["reranked"] = [one.passage for one in told.found[:limit]]
        return found

    async def nearness(self, queries: Sequence[str], texts: Sequence[str]) -> list[float]:
        """See `Retriever.nearness`: the sum of the cosines; without an embedder, of the shares of common terms."""
        embedder = self._knowledge.embedder
        if embedder is None:
            return [sum(covered(query, text) for query in queries) for text in texts]
        asked = await asyncio.to_thread(embedder.embed_queries, [q[:MAX_QUERY_CHARS] for q in queries])
        given = await asyncio.to_thread(embedder.embed_passages, texts)
        return (given @ asked.T).sum(axis=1).tolist()

    async def _vector(self, query: str) -> NDArray[np.float32] | None:
        embedder = self._knowledge.embedder
        if embedder is None:
            return None
        try:
            return (await asyncio.to_thread(embedder.embed_queries, [query]))[0]
        except (
            ModelError
        ):  # that it is another model than the collection's is said first: a new try would not help
            await self._knowledge.database.read(self._check_vectors)
            raise

    def _check_vectors(self, connection: Connection) -> None:
        for name in self._collections:
            collection = documents.read_collection(connection, self._knowledge.tenant_id, name)
            if collection is not None:
                self._has_vectors(collection)

    def _find(
        self, connection: Connection, query: str, vector: NDArray[np.float32] | None, limit: int
    ) -> list[Explained]:
        """Rank, fuse and read the passages, in one transaction: all of it sees the same documents."""
        ranked = self._rank(connection, query, vector, depth=max(DEPTH, limit * 3))
        settings = self._knowledge.settings
        scores = fuse(
            [
                (settings.words_weight, [key for key, _ in ranked.words]),
                (settings.meaning_weight, [key for key, _ in ranked.meaning]),
            ]
        )
        best = sorted(scores, key=lambda key: (-scores[key], key))[: limit * 3]
        passages = documents.read_passages(connection, best)
        words = {key: (rank, score) for rank, (key, score) in enumerate(ranked.words, 1)}
        meaning = {key: (rank, score) for rank, (key, score) in enumerate(ranked.meaning, 1)}
        found = (
            Explained(
                passages[key].model_copy(update={"score": scores[key]}),
                *words.get(key, (None, None)),
                *meaning.get(key, (None, None)),
                scores[key],
            )
            for key in best
            if key in passages
        )
        if settings.min_cosine and vector is not None:
            asked = content_words(query)
            found = (one for one in found if _is_near(one, asked, settings.min_cosine))
        return _distinct(found, limit)

    def _rank(
        self, connection: Connection, query: str, vector: NDArray[np.float32] | None, *, depth: int
    ) -> Rankings:
        knowledge = self._knowledge
        known = [
            documents.read_collection(connection, knowledge.tenant_id, name) for name in self._collections
        ]
        searched = [collection for collection in known if collection is not None]
        allowed = None
        if self._where:
            allowed = allowed_keys(connection, knowledge.tenant_id, self._collections, self._where)
            if not len(allowed):
                return Rankings([], [])
        by_words = partial(self._words, connection, searched, content_words(query), depth, allowed)
        if vector is None:
            return Rankings(by_words(), [])
        indexes = knowledge.indexes
        near = [collection for collection in searched if self._has_vectors(collection)]
        by_meaning = indexes.searching(connection, near, vector, limit=depth, allowed=allowed)
        return Rankings(*indexes.both(lambda search: search(), (by_words, by_meaning)))

    def _words(
        self,
        connection: Connection,
        searched: Sequence[Collection],
        asked: str,
        depth: int,
        allowed: NDArray[np.int64] | None,
    ) -> list[tuple[int, float]]:
        """Rank by words, best first: large collections in memory, others by SQL; single characters by looking."""
        words: list[tuple[int, float]] = []
        if lone := characters.lone_characters(asked):
            for collection in searched:
                words += characters.search(connection, collection, lone, limit=depth, allowed=allowed)
            return best_hits(words, depth)
        ranks = self._knowledge.indexes.words
        for chinese in sorted({collection.chinese for collection in searched}):
            cut, scopes = cut_of(chinese), list[str]()
            for collection in searched:
                if collection.chinese == chinese:
                    found = ranks.search(connection, collection, asked, limit=depth, allowed=allowed, cut=cut)
                    words += found or ()
                    scopes += [collection.scope] if found is None else []
            words += fulltext.search(
                connection,
                documents.INDEX,
                asked,
                limit=depth,
                scopes=scopes,
                keys=None if allowed is None else allowed.tolist(),
                cut=cut,
            )
        return best_hits(words, depth)

    def _has_vectors(self, collection: Collection) -> bool:
        """Say whether a collection can be searched by this embedder's vectors; an empty one has none."""
        embedder = self._knowledge.embedder
        if embedder is None or collection.embedder == "":
            return False
        if collection.embedder != embedder.name:
            raise documents.embedder_conflict(collection, embedder.name)
        return True


def fuse(rankings: Iterable[tuple[float, Sequence[int]]], *, k: int = RRF_K) -> dict[int, float]:
    """Fuse rankings, each `(weight, keys best first)`, into a score for each key; higher is better."""
    scores: dict[int, float] = {}
    for weight, keys in rankings:
        for rank, key in enumerate(keys, 1):
            scores[key] = scores.get(key, 0.0) + weight / (k + rank)
    return scores


def _distinct(found: Iterable[Explained], limit: int) -> list[Explained]:
    """Keep the first of passages that say the same, up to the limit."""
    kept: list[Explained] = []
    seen: list[frozenset[str]] = []
    for one in found:
        mine = frozenset(terms(one.passage.text))
        if any(_share(mine, other) >= SAME_TERMS for other in seen):
            continue
        kept.append(one)
        seen.append(mine)
        if len(kept) == limit:
            break
    return kept


def _is_near(one: Explained, asked: str, min_cosine: float) -> bool:
    """Say whether a passage is like a question enough: by its meaning, or by the words that it holds."""
    near = one.cosine is not None and one.cosine >= min_cosine
    passage = one.passage
    return near or covered(asked, whole_text(passage)) >= HELD_TERMS


def covered(query: str, text: str) -> float:
    """Return the share of a query's terms that a text holds, 0.0 to 1.0; 0.0 for a query without a term."""
    wanted = frozenset(terms(query))
    return len(wanted & frozenset(terms(text))) / len(wanted) if wanted else 0.0


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    union = len(one | other)
    return len(one & other) / union if union else 1.0
