"""The library itself is an extra of gigabytes: here a stand-in is called as its documentation says."""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from motet.errors import ExtraMissing, ModelError
from motet.retrieval.embed import build_embedder


class Model:
    """As the library's models are called."""

    def __init__(self, name: str) -> None:
        if name == "no/such":
            raise OSError(name)
        self.asked: list[tuple[str, list[str], dict[str, Any]]] = []

    def get_sentence_embedding_dimension(self) -> int:
        return 3

    def encode_query(self, texts: list[str], **options: Any) -> np.ndarray:
        return self._encode("query", texts, options)

    def encode_document(self, texts: list[str], **options: Any) -> np.ndarray:
        return self._encode("document", texts, options)

    encode = encode_document

    def _encode(self, way: str, texts: list[str], options: dict[str, Any]) -> np.ndarray:
        self.asked.append((way, texts, options))
        return np.tile(np.array([0.6, 0.8, 0]), (len(texts), 1))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("sentence_transformers")
    module.SentenceTransformer = Model
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)


@pytest.mark.usefixtures("library")
def test_questions_get_the_prompt_of_bges_first_models() -> None:
    for name, prompt in {
        "BAAI/bge-small-en-v1.5": "Represent this sentence",
        "BAAI/bge-large-zh": "为这个句子",
        "BAAI/bge-m3": "",
    }.items():
        made: Any = build_embedder(f"sentence-transformers:{name}")
        assert made.name == f"sentence-transformers:{name}"
        assert made.embed_queries(["q"]).shape == (1, 3)
        assert made.embed_passages(["a", "b"]).dtype == np.float32
        (way, _, asked), (other, _, given) = made._model.asked
        assert (way, other) == ("query", "document")
        assert asked.get("prompt", "").startswith(prompt)
        assert ("prompt" in asked) == bool(prompt)
        assert "prompt" not in given
        assert asked["normalize_embeddings"]
        assert made.embed_queries([]).shape == (0, 3)


@pytest.mark.usefixtures("library")
def test_a_model_that_cannot_be_loaded_is_named() -> None:
    made = build_embedder("sentence-transformers:no/such")
    assert made is not None
    with pytest.raises(ModelError, match="no/such cannot be loaded"):
        made.embed_queries(["q"])


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ExtraMissing, match=r"motet\[sentence-transformers\]"):
        build_embedder("sentence-transformers:BAAI/bge-m3")
