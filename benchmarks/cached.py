"""Motet's local embedding model with a file of the vectors it has made: a text is embedded once, whatever runs again.

What does not live here: any timing. What is timed uses the model itself.
"""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from motet.retrieval.embed import MANY, LocalEmbedder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FILE = Path("benchmarks/out/vectors.db")


def warm(model: LocalEmbedder) -> LocalEmbedder:
    """Return a model that has read its weights, for one text and for many, so that no timing has that in it."""
    model.embed_queries(["warm"])
    model.embed_passages(["warm"] * MANY)
    model.embed_passages(["warm"])
    return model


class CachedEmbedder:
    """See `LocalEmbedder`; calls may come from any thread, one at a time."""

    dimension = LocalEmbedder.dimension

    def __init__(self, file: Path = FILE) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._model = LocalEmbedder()
        self.name = self._model.name
        self._file = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=60)
        self._file.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB)")

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder`."""
        return self._all(texts, "query")

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder`."""
        return self._all(texts, "passage")

    def _all(self, texts: Sequence[str], kind: str) -> NDArray[np.float32]:
        keys = [_key(self.name, kind, text) for text in texts]
        known = {key: vector for key in keys if (vector := self._known(key)) is not None}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new:
            embed = self._model.embed_queries if kind == "query" else self._model.embed_passages
            known |= dict(zip(new, embed(list(new.values())), strict=True))
            rows = [(key, known[key].astype("<f4").tobytes()) for key in new]
            self._file.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        return np.array([known[key] for key in keys], np.float32).reshape(len(texts), self.dimension)

    def _known(self, key: bytes) -> NDArray[np.float32] | None:
        found = self._file.execute("SELECT vector FROM vectors WHERE key = ?", [key]).fetchone()
        return None if found is None else np.frombuffer(found[0], "<f4")


def _key(name: str, kind: str, text: str) -> bytes:
    return hashlib.sha256(f"{name}\x1f{kind}\x1f{text}".encode("utf-8", "replace")).digest()
