"""A retriever of LlamaIndex as a source: its nodes are passages; a real one where its library is installed."""

import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from retrieval_fakes import Knowledge, WordEmbedder, write

from motet.errors import SettingInvalid, ToolFailed
from motet.retrieval.llama_index import LlamaIndexRetriever, with_llama_index
from motet.retrieval.search import HybridRetriever


@dataclass
class Node:
    text: str
    node_id: str = "n1"
    ref_doc_id: str | None = "doc"
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    def get_content(self) -> str:
        return self.text


@dataclass
class Found:
    node: Node
    score: float | None = 0.5


class Index:
    """Answers as LlamaIndex's retrievers do."""

    def __init__(self, *found: Found) -> None:
        self.found = list(found)

    async def aretrieve(self, query: str) -> list[Found]:
        if query == "break":
            raise KeyError("no such index")
        return self.found


@pytest.fixture
def module() -> Iterator[types.ModuleType]:
    made = types.ModuleType("my_index")
    sys.modules["my_index"] = made
    yield made
    del sys.modules["my_index"]


FERRY = Found(Node("渡轮九点开。", metadata={"file_name": "船.pdf", "page_label": "3"}), None)


async def test_nodes_are_passages_with_their_place() -> None:
    (passage,) = await LlamaIndexRetriever(Index(FERRY)).search("渡轮")
    assert (passage.text, passage.source, passage.title, passage.page) == (
        "渡轮九点开。",
        "船.pdf",
        "船.pdf",
        3,
    )
    assert passage.passage_id.startswith("l_")
    assert await LlamaIndexRetriever(Index(FERRY)).search("  ") == []
    with pytest.raises(ToolFailed, match="KeyError"):
        await LlamaIndexRetriever(Index()).search("break")
    assert await LlamaIndexRetriever(Index()).nearness(["渡轮几点开"], ["渡轮九点开。", "狗"]) == [
        pytest.approx(0.5, abs=0.3),
        0,
    ]


async def test_it_stands_beside_the_documents(
    knowledge: Knowledge, folder: Path, module: types.ModuleType
) -> None:
    write(folder, boat="A ferry leaves at dawn.")
    base = knowledge(WordEmbedder())
    await base.add([folder])
    module.__dict__["make"] = lambda: Index(Found(Node("The ferry is blue.")))
    both = with_llama_index(HybridRetriever(base), "my_index:make", WordEmbedder())
    assert sorted(p.text for p in await both.search("ferry")) == [
        "A ferry leaves at dawn.",
        "The ferry is blue.",
    ]
    assert len(await both.search("ferry", limit=1)) == 1
    assert len(await both.nearness(["ferry"], ["a", "b"])) == 2
    alone = with_llama_index(None, "my_index:make", WordEmbedder())
    assert [p.text for p in await alone.search("ferry")] == ["The ferry is blue."]
    near = await alone.nearness(["blue ferry"], ["blue ferry", "dog"])
    assert near[0] > near[1]


@pytest.mark.parametrize(
    "target", ["my_index", "my_index:none", "no_such_index:x", "my_index:number", "my_index:text"]
)
def test_what_is_no_retriever(target: str, module: types.ModuleType) -> None:
    module.__dict__.update(number=3, text=str)
    with pytest.raises(SettingInvalid, match="llama_index"):
        with_llama_index(None, target, None)


async def test_a_real_index() -> None:
    core = pytest.importorskip("llama_index.core", reason="make test-stores installs LlamaIndex")
    from llama_index.core.schema import TextNode  # pyright: ignore[reportMissingImports]

    nodes = [TextNode(text=f"Ferry {n}", metadata={"file_path": f"/d/{n}.md"}) for n in range(3)]
    index = core.VectorStoreIndex(nodes, embed_model=core.MockEmbedding(embed_dim=8))
    found = await LlamaIndexRetriever(index.as_retriever(similarity_top_k=2)).search("ferry")
    assert len(found) == 2
    assert all(p.source.startswith("/d/") and p.text.startswith("Ferry") for p in found)
