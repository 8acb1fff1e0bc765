"""LlamaIndex's default pipeline with Motet's local embedding model: what `benchmarks.retrieval` compares.

It runs in an environment of its own (`make test-stores` makes it) and prints one line of JSON. Default means
`VectorStoreIndex.from_documents` with its own splitter (1,024 tokens, 200 overlapping) and its own vector store.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from llama_index.core import (  # pyright: ignore[reportMissingImports]  # of another environment
    Document,
    Settings,
    VectorStoreIndex,
)
from llama_index.core.embeddings import BaseEmbedding  # pyright: ignore[reportMissingImports]

from motet.retrieval.embed import LocalEmbedder


class Local(BaseEmbedding):  # pyright: ignore[reportUntypedBaseClass]
    """Motet's local model as LlamaIndex asks for it."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return _model.embed_passages([text])[0].tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return _model.embed_queries([query])[0].tolist()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


_model = LocalEmbedder()


def main() -> None:
    """Take the documents in, ask the questions, print the scores and the seconds."""
    folder, questions = Path(sys.argv[1]), Path(sys.argv[2])
    _model.embed_queries(["warm"])
    Settings.llm = None
    began = time.perf_counter()
    documents = [Document(text=path.read_text("utf-8"), id_=path.name) for path in sorted(folder.iterdir())]
    index = VectorStoreIndex.from_documents(documents, embed_model=Local())
    took_s = time.perf_counter() - began
    finder = index.as_retriever(similarity_top_k=10)
    scores: list[float] = []
    for line in questions.read_text("utf-8").splitlines():
        asked: dict[str, Any] = json.loads(line)
        found = dict.fromkeys(str(one.node.ref_doc_id) for one in finder.retrieve(asked["question"]))
        places = [at for at, name in enumerate(found, 1) if name in asked["relevant"]]
        scores.append(1 / math.log2(places[0] + 1) if places else 0.0)
    told = {"ingest_s": took_s, "ndcg": sum(scores) / len(scores), "nodes": len(index.docstore.docs)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
