"""Documents are prepared while others are embedded, and stored in their order."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from retrieval_fakes import Knowledge, WordEmbedder, write

from motet.retrieval.intake import BATCH_PASSAGES
from motet.retrieval.reports import AddProgress
from motet.retrieval.search import HybridRetriever

LONG = "\n\n".join(f"# Part {n}\n\nSardines of part {n}." for n in range(BATCH_PASSAGES))


class Waiting(WordEmbedder):
    """Embeds nothing before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        assert self.may.wait(30)
        return super().embed_passages(texts)


async def test_the_next_document_is_read_while_one_is_embedded(knowledge: Knowledge, folder: Path) -> None:
    write(folder, a=LONG, b="# B\n\nHerrings.")
    embedder = Waiting()

    def heard(progress: AddProgress) -> None:
        if progress.file_number == 2:  # before anything of the first was embedded
            embedder.may.set()

    report = await knowledge(embedder).add([folder], progress=heard)
    assert [(file.path.name, file.status, file.passage_count) for file in report.files] == [
        ("a.md", "added", BATCH_PASSAGES),
        ("b.md", "added", 1),
    ]


async def test_outcomes_come_in_order_and_small_documents_share_a_batch(
    knowledge: Knowledge, folder: Path
) -> None:
    write(folder, a="Cod.", b="Cod.", c="Eel.")
    (folder / "b2.pdf").write_text("none")
    (folder / "d.unknown").write_text("x")
    embedder = WordEmbedder()
    base = knowledge(embedder)
    report = await base.add([folder])
    assert [(file.path.name, file.status) for file in report.files] == [
        ("a.md", "added"),
        ("b.md", "copied"),
        ("b2.pdf", "failed"),
        ("c.md", "added"),
        ("d.unknown", "skipped"),
    ]
    assert len(embedder.embedded) == 2
    assert (await base.stats()).revision == 3  # a, b, c


async def test_what_is_no_copy_any_more_when_its_turn_comes_is_taken_in_itself(
    knowledge: Knowledge, folder: Path
) -> None:
    a, _ = write(folder, a="Cod swim.", c="Eel.")
    base = knowledge()
    await base.add([folder])
    a.write_text("Herrings swim.")
    (folder / "b.md").write_text("Cod swim.")
    report = await base.add([folder])
    assert [(file.path.name, file.status, file.passage_count) for file in report.files] == [
        ("a.md", "replaced", 1),
        ("b.md", "added", 1),
        ("c.md", "unchanged", 0),
    ]
    found = {p.text: p.source for p in await HybridRetriever(base).search("swim", limit=5)}
    assert found["Cod swim."] == str(folder / "b.md")
    assert found["Herrings swim."] == str(a)


@pytest.mark.parametrize("broken", [True, False])
async def test_a_failure_while_embedding_stores_nothing_of_the_batch_and_the_next_add_does(
    knowledge: Knowledge, folder: Path, broken: bool
) -> None:
    class Broken(WordEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if broken and any("Eel" in text for text in texts):
                raise RuntimeError("out of memory")
            return super().embed_passages(texts)

    write(folder, a="Cod.", c="Eel.")
    base = knowledge(Broken())
    if broken:
        with pytest.raises(RuntimeError, match="out of memory"):
            await base.add([folder])
        assert await base.list_documents() == []
    else:
        assert len((await base.add([folder])).files) == 2
