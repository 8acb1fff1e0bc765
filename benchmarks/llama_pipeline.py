"""LlamaIndex's default pipeline with Motet's local embedding model: what `benchmarks.retrieval` compares.

It runs in an environment of its own (`make test-stores` makes it) and prints one line of JSON. Default means
`VectorStoreIndex.from_documents` with its own splitter (1,024 tokens, 200 overlapping) and its own vector store.
With `--time` documents are taken in by the model itself and nothing is asked; else vectors are kept in a file.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core import (  # pyright: ignore[reportMissingImports]  # of another environment
    Document,
    Settings,
    VectorStoreIndex,
)
from llama_index.core.embeddings import BaseEmbedding  # pyright: ignore[reportMissingImports]
from pydantic import PrivateAttr

from benchmarks.cached import CachedEmbedder, warm
from motet.retrieval.embed import LocalEmbedder

if TYPE_CHECKING:
    from motet.retrieval.base import Embedder


class Local(BaseEmbedding):  # pyright: ignore[reportUntypedBaseClass]
    """Motet's local model as LlamaIndex asks for it."""

    _model: Embedder = PrivateAttr()

    def __init__(self, model: Embedder) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._model = model

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._model.embed_passages(texts).tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._model.embed_queries([query])[0].tolist()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def main() -> None:
    """Take the documents in; print the seconds, or ask the questions and print the score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("questions", type=Path, nargs="?")
    parser.add_argument("--time", action="store_true")
    asked = parser.parse_args()
    Settings.llm = None
    model = warm(LocalEmbedder()) if asked.time else CachedEmbedder()
    began = time.perf_counter()
    paths = sorted(asked.folder.iterdir())
    documents = [Document(text=path.read_text("utf-8"), id_=path.name) for path in paths]
    index = VectorStoreIndex.from_documents(documents, embed_model=Local(model))
    took_s = time.perf_counter() - began
    told: dict[str, Any] = {"nodes": len(index.docstore.docs)}
    told |= {"ingest_s": took_s} if asked.time else {"ndcg": ndcg(index, asked.questions)}
    print(json.dumps(told))


def ndcg(index: Any, questions: Path) -> float:
    """Return the mean nDCG of the first ten documents."""
    finder = index.as_retriever(similarity_top_k=10)
    scores: list[float] = []
    for line in questions.read_text("utf-8").splitlines():
        asked: dict[str, Any] = json.loads(line)
        found = dict.fromkeys(str(one.node.ref_doc_id) for one in finder.retrieve(asked["question"]))
        places = [at for at, name in enumerate(found, 1) if name in asked["relevant"]]
        scores.append(1 / math.log2(places[0] + 1) if places else 0.0)
    return sum(scores) / len(scores)


if __name__ == "__main__":
    main()
