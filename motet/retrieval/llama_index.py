"""A retriever of LlamaIndex as a source: what an index of yours finds stands beside what Motet's documents hold.

What does not live here: LlamaIndex, an extra; this file knows the shape of its answers alone. Nothing of it is stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from motet.errors import SettingInvalid, ToolFailed
from motet.events import Passage
from motet.storage.search import terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.retrieval.base import Embedder, Retriever

logger = logging.getLogger(__name__)

LIMIT = 4
RRF_K = 60
SOURCES = ("file_path", "url", "file_name", "source")
"""Where a node's metadata may say where it is from, the best first."""
TITLES = ("title", "document_title", "file_name")


class LlamaIndexRetriever:
    """Any object with LlamaIndex's `aretrieve(query)`, as Motet's agents ask it.

    Args:
        inner: Gives nodes with scores, best first.
        embedder: For `nearness`; without one shares of common terms count.
    """

    def __init__(self, inner: Any, embedder: Embedder | None = None) -> None:
        self._inner = inner
        self._embedder = embedder

    async def search(self, query: str, *, limit: int | None = None) -> list[Passage]:
        """See `Retriever.search`.

        Raises:
            ToolFailed: The retriever failed; its error is not Motet's.
        """
        if not query.strip():
            return []
        try:
            found: list[Any] = await self._inner.aretrieve(query)
        except Exception as error:  # a stranger's code: whatever it raises is its failure
            raise ToolFailed(
                f"The LlamaIndex retriever failed: {type(error).__name__}: {error}"[:300]
            ) from error
        return [_passage(one) for one in found][:limit]

    async def nearness(self, queries: Sequence[str], texts: Sequence[str]) -> list[float]:
        """See `Retriever.nearness`."""
        if self._embedder is None:
            wanted = [set(terms(query)) for query in queries]
            return [
                sum(len(words & set(terms(text))) / len(words) for words in wanted if words) for text in texts
            ]
        asked = await asyncio.to_thread(self._embedder.embed_queries, list(queries))
        given = await asyncio.to_thread(self._embedder.embed_passages, texts)
        return (given @ asked.T).sum(axis=1).tolist()


class Together:
    """Two retrievers as one, their rankings fused by reciprocal rank (Cormack et al. 2009, k = 60)."""

    def __init__(self, first: Retriever, second: Retriever) -> None:
        self._first, self._second = first, second

    async def search(self, query: str, *, limit: int = LIMIT) -> list[Passage]:
        """See `Retriever.search`."""
        rankings = await asyncio.gather(self._first.search(query, limit=limit), self._of_second(query, limit))
        scores: dict[str, float] = {}
        known: dict[str, Passage] = {}
        for ranking in rankings:
            for rank, passage in enumerate(ranking, 1):
                known.setdefault(passage.passage_id, passage)
                scores[passage.passage_id] = scores.get(passage.passage_id, 0.0) + 1 / (RRF_K + rank)
        best = sorted(known, key=lambda one: -scores[one])
        return [known[one].model_copy(update={"score": scores[one]}) for one in best][:limit]

    async def nearness(self, queries: Sequence[str], texts: Sequence[str]) -> list[float]:
        """See `Retriever.nearness`."""
        return await self._first.nearness(queries, texts)

    async def _of_second(self, query: str, limit: int) -> list[Passage]:
        try:
            return await self._second.search(query, limit=limit)
        except ToolFailed as error:  # the documents are there all the same
            logger.warning("%s", error.message)
            return []


def with_llama_index(inner: Retriever | None, target: str, embedder: Embedder | None) -> Retriever:
    """Return a search that asks the retriever of `retrieval.llama_index` too.

    Args:
        inner: Motet's own search; None where there are no documents.
        target: `module:name` of a retriever, or of a function that gives one.
        embedder: For `nearness`.

    Raises:
        SettingInvalid: It cannot be loaded, or is no retriever.
    """
    module, _, name = target.partition(":")
    try:
        found: Any = getattr(import_module(module), name)
        made = found if hasattr(found, "aretrieve") else found()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise SettingInvalid(
            f"retrieval.llama_index is '{target}', which cannot be loaded: {error}.",
            setting="retrieval.llama_index",
        ) from None
    if not hasattr(made, "aretrieve"):
        raise SettingInvalid(
            f"retrieval.llama_index is '{target}', a {type(made).__name__}, and no retriever of LlamaIndex.",
            setting="retrieval.llama_index",
        )
    own = LlamaIndexRetriever(made, embedder)
    return own if inner is None else Together(inner, own)


def _passage(found: Any) -> Passage:
    node = found.node
    about: dict[str, Any] = node.metadata or {}
    source = next(
        (str(about[key]) for key in SOURCES if about.get(key)), str(node.ref_doc_id or node.node_id)
    )
    page = str(about.get("page_label", ""))
    return Passage(
        passage_id="l_" + hashlib.sha256(str(node.node_id).encode()).hexdigest()[:16],
        text=str(node.get_content()),
        source=source,
        title=next((str(about[key]) for key in TITLES if about.get(key)), source),
        page=int(page) if page.isdigit() else None,
        score=float(found.score or 0.0),
    )
