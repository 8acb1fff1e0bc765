import asyncio
import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from numpy.typing import NDArray
from retrieval_fakes import Knowledge, WordEmbedder, write

from motet.errors import Conflict, DocumentUnreadable, InvalidInput, ModelUnavailable, NotFound
from motet.retrieval.collection import AddReport, KnowledgeBase
from motet.retrieval.reports import AddProgress
from motet.retrieval.search import HybridRetriever
from motet.settings import Settings
from motet.storage import fulltext
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.tables import documents, passages

FARES = "# Fares\n\nAn adult pays 64 crowns.\n\n# Dogs\n\nA dog pays 12 crowns.\n"


def statuses(report: AddReport) -> list[tuple[str, str]]:
    return [(file.path.name, file.status) for file in report.files]


def size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.md"))


async def test_a_folder_is_taken_in_and_listed(knowledge: Knowledge, folder: Path) -> None:
    write(folder, fares=FARES, boats="# Boats\n\nBoats wait here.\n")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    base = knowledge()
    report = await base.add([folder])
    assert statuses(report) == [("boats.md", "added"), ("fares.md", "added"), ("picture.png", "skipped")]
    listed = await base.list_documents("default")
    assert [(Path(d.source).name, d.title, d.passage_count) for d in listed] == [
        ("boats.md", "Boats", 1),
        ("fares.md", "Fares", 2),
    ]
    stats = await base.stats()
    assert (stats.document_count, stats.passage_count, stats.embedder, stats.dimension) == (
        2,
        3,
        "words@1",
        64,
    )
    assert stats.size_bytes == size_bytes(folder)


async def test_a_broken_file_is_reported_and_the_others_are_taken_in(
    knowledge: Knowledge, folder: Path
) -> None:
    write(folder, a="Text one.", c="Text two.")
    (folder / "b.pdf").write_bytes(b"%PDF-1.7 broken")
    (folder / "d.txt").write_bytes(b"\0\1\2")
    report = await knowledge().add([folder, folder / "missing.md", folder / "odd.xyz"])
    assert [status for _, status in statuses(report)] == [
        "added",
        "failed",
        "added",
        "failed",
        "failed",
        "failed",
    ]
    assert all(isinstance(file.error, DocumentUnreadable) for file in report.failed)
    assert report.count("added") == 2


async def test_unchanged_files_cost_no_embedding_and_changed_ones_are_replaced(
    knowledge: Knowledge, folder: Path
) -> None:
    path, other = write(folder, fares=FARES, other="Something else.")
    embedder = WordEmbedder()
    base = knowledge(embedder)
    await base.add([folder])
    count = len(embedder.embedded)
    assert statuses(await base.add([folder])) == [("fares.md", "unchanged"), ("other.md", "unchanged")]
    assert len(embedder.embedded) == count
    path.write_text("# Fares\n\nAn adult pays 70 crowns.\n")
    assert statuses(await base.add([path, other])) == [("fares.md", "replaced"), ("other.md", "unchanged")]
    found = await HybridRetriever(base).search("adult crowns", limit=10)
    assert [p.text for p in found if "crowns" in p.text] == ["An adult pays 70 crowns."]
    assert (await base.stats()).passage_count == 2


async def test_passages_are_exact_and_are_found_by_id(knowledge: Knowledge, folder: Path) -> None:
    (path,) = write(folder, fares=FARES)
    base = knowledge()
    await base.add([path])
    (first, *_) = await HybridRetriever(base).search("dog")
    passage = await base.passage(first.passage_id)
    assert passage.text == FARES[passage.start : passage.end] == "A dog pays 12 crowns."
    assert (passage.heading, passage.source, passage.title) == ("Dogs", str(path), "Fares")
    with pytest.raises(NotFound, match="p_nothing"):
        await base.passage("p_nothing")


async def test_the_same_file_gets_the_same_passage_ids_again(knowledge: Knowledge, folder: Path) -> None:
    (path,) = write(folder, fares=FARES)
    base = knowledge()

    async def ids() -> list[str]:
        return sorted(p.passage_id for p in await HybridRetriever(base).search("crowns"))

    await base.add([path])
    before = await ids()
    await base.remove([path])
    await base.add([path])
    assert await ids() == before


async def test_removing_a_document_leaves_no_row_behind(
    knowledge: Knowledge, folder: Path, database: Database
) -> None:
    (folder / "sub").mkdir()
    write(folder, fares=FARES)
    write(folder / "sub", a="Sardines here.", b="Sardines there.")
    base = knowledge()
    await base.add([folder])
    with pytest.raises(NotFound, match="Did you mean"):
        await base.remove([folder / "sub" / "a.md", folder / "fare.md"])
    assert (await base.stats()).document_count == 3
    assert await base.remove([folder / "sub"]) == 2
    assert await HybridRetriever(base, ["default"]).search("sardines") == await HybridRetriever(base).search(
        "zebra"
    )
    assert await base.remove([folder / "fares.md"]) == 1

    def rows(connection: sa.Connection) -> list[int]:
        tables = [documents, passages, sa.table("fts_passages")]
        return [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in tables
        ]

    assert await database.read(rows) == [0, 0, 0]


async def test_collections_and_tenants_do_not_see_each_other(knowledge: Knowledge, folder: Path) -> None:
    (path,) = write(folder, fares=FARES)
    mine, theirs = knowledge(), knowledge(tenant_id="other")
    await mine.add([path], collection="tariffs")
    assert await mine.list_documents("default") == []
    assert await HybridRetriever(mine).search("adult") == []
    assert await theirs.list_documents() == []
    assert await HybridRetriever(theirs, ["tariffs"]).search("adult") == []
    (found, *_) = await HybridRetriever(mine, ["default", "tariffs"]).search("adult")
    with pytest.raises(NotFound):
        await theirs.passage(found.passage_id)
    assert [c.name for c in await mine.list_collections()] == ["tariffs"]
    assert await theirs.list_collections() == []


async def test_the_same_file_may_be_in_two_collections(knowledge: Knowledge, folder: Path) -> None:
    paths = write(folder, fares=FARES)
    base = knowledge()
    await base.add(paths, collection="one")
    await base.add(paths, collection="two")
    assert [d.collection for d in await base.list_documents()] == ["one", "two"]
    found = await HybridRetriever(base, ["one", "two"]).search("crowns", limit=10)
    assert len(found) == 2, "passages that say the same come once"


@pytest.mark.parametrize("name", ["", "a/b", "-x", "x" * 65, "a b"])
async def test_a_bad_collection_name_is_refused(knowledge: Knowledge, folder: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="no name for a collection"):
        await knowledge().add([folder], collection=name)


class Silent(WordEmbedder):
    """A model whose server is gone."""

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise ModelUnavailable(f"{self.name} cannot be reached.")


async def test_another_models_vectors_are_refused_naming_both(knowledge: Knowledge, folder: Path) -> None:
    paths = write(folder, fares=FARES)
    await knowledge(WordEmbedder("old@1")).add(paths)
    newer = knowledge(WordEmbedder("new@2"))
    with pytest.raises(Conflict, match=r"old@1.*new@2"):
        await newer.add(paths)
    with pytest.raises(Conflict, match=r"old@1.*new@2"):
        await HybridRetriever(newer).search("adult")
    with pytest.raises(Conflict, match=r"old@1.*none"):
        await knowledge(words_only=True).add(paths)
    newer.embedder = Silent("new@2")
    with pytest.raises(Conflict, match=r"old@1.*new@2"):
        await HybridRetriever(newer).search("adult")
    newer.embedder = Silent("old@1")
    with pytest.raises(ModelUnavailable):
        await HybridRetriever(newer).search("adult")
    words = await HybridRetriever(knowledge(words_only=True)).search("adult")
    assert [p.text for p in words] == ["An adult pays 64 crowns."]


async def test_an_emptied_collection_takes_a_new_model(knowledge: Knowledge, folder: Path) -> None:
    paths = write(folder, fares=FARES)
    old, new = knowledge(WordEmbedder("old@1")), knowledge(WordEmbedder("new@2"))
    await old.add(paths)
    await old.remove(paths)
    assert (await new.add(paths)).count("added") == 1
    assert (await new.stats()).embedder == "new@2"
    assert await HybridRetriever(new).search("adult")


async def test_a_collection_begun_without_a_model_goes_on_without(knowledge: Knowledge, folder: Path) -> None:
    first, second = write(folder, fares=FARES, boats="Boats wait here.")
    plain, later = knowledge(words_only=True), knowledge()
    assert "words only" in (await plain.add([first])).notice
    report = await later.add([second])
    assert "begun without an embedding model" in report.notice
    assert (await later.stats()).embedder == ""
    assert [p.text for p in await HybridRetriever(later).search("boats")] == ["Boats wait here."]
    assert later.notice == ""


async def test_two_bases_that_add_the_same_file_leave_one_document(
    knowledge: Knowledge, folder: Path
) -> None:
    paths = write(folder, fares=FARES)
    first, second = knowledge(), knowledge()
    await asyncio.gather(*(base.add(paths) for base in (first, second) for _ in range(3)))
    stats = await first.stats()
    assert (stats.document_count, stats.passage_count) == (1, 2)
    assert len(await HybridRetriever(second).search("crowns", limit=10)) == 2


async def test_progress_tells_each_file_and_its_passages(knowledge: Knowledge, folder: Path) -> None:
    write(folder, a="\n\n".join(f"# {n}\n\nText {n}." for n in range(20)), b="Short.")
    seen: list[AddProgress] = []
    await knowledge().add([folder], progress=seen.append)
    assert [
        (p.file_number, p.file_count, p.passages_done, p.passage_count) for p in seen if not p.outcome
    ] == [
        (1, 2, 0, 0),
        (2, 2, 0, 0),
        (1, 2, 0, 20),
        (1, 2, 16, 20),
    ]
    assert [p.outcome.status for p in seen if p.outcome] == ["added", "added"]


async def test_what_fails_in_the_middle_of_storing_leaves_the_old_document(
    knowledge: Knowledge, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write(folder, fares=FARES)
    base = knowledge()
    await base.add([path])
    path.write_text("# Fares\n\nChanged.\n")

    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("the power went out")

    monkeypatch.setattr(fulltext, "add", fail)
    with pytest.raises(RuntimeError):
        await base.add([path])
    monkeypatch.undo()
    assert [p.text for p in await HybridRetriever(base).search("adult", limit=1)] == [
        "An adult pays 64 crowns."
    ]
    assert statuses(await base.add([path])) == [("fares.md", "replaced")]


KILLED = """
import asyncio, sys
from pathlib import Path
from motet.retrieval.collection import KnowledgeBase
from motet.settings import Settings
from motet.storage.engine import Database
from motet.storage.schema import prepare

async def main(home, folder):
    settings = Settings.load({"storage.home": home}, cwd=Path(home).parent)
    database = Database(settings.storage)
    prepare(database, settings.storage)
    base = KnowledgeBase(database, settings.retrieval, None, tenant_id="local")
    await base.add([Path(folder)], progress=lambda p: p.outcome and print(p.file_number, flush=True))

asyncio.run(main(*sys.argv[1:]))
"""


def kill_at_file(number: int, home: Path, folder: Path) -> None:
    """Take the folder in, in a process of its own, and kill that when a file is told to be stored."""
    command = [sys.executable, "-c", KILLED, str(home), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) == number:
                child.kill()
                break


async def test_a_kill_in_the_middle_leaves_whole_documents_only(tmp_path: Path, folder: Path) -> None:
    for number in range(200):
        write(
            folder,
            **{f"f{number:03}": "\n\n".join(f"# Part {n}\n\nSardines {n} of {number}." for n in range(30))},
        )
    home = tmp_path / "home"
    kill_at_file(20, home, folder)
    settings = Settings.load({"storage.home": home}, cwd=tmp_path)
    database = Database(settings.storage)
    try:
        prepare(database, settings.storage)

        def counts(connection: sa.Connection) -> tuple[set[int], int, int]:
            each = sa.select(sa.func.count()).select_from(passages).group_by(passages.c.document_key)
            stored = sa.select(sa.func.count()).select_from(documents)
            indexed = sa.select(sa.func.count()).select_from(sa.table("fts_passages"))
            return (
                set(connection.execute(each).scalars()),
                connection.execute(stored).scalar_one(),
                connection.execute(indexed).scalar_one(),
            )

        sizes, stored, indexed = await database.read(counts)
    finally:
        database.close()
    assert sizes == {30}
    assert 20 <= stored < 200
    assert indexed == stored * 30


async def test_the_library_works_on_postgresql(settings: Settings, postgres_url: str, folder: Path) -> None:
    storage = dataclasses.replace(settings.storage, database_url=postgres_url)
    database = Database(storage)
    try:
        prepare(database, storage)
        base = KnowledgeBase(database, settings.retrieval, WordEmbedder(), tenant_id="local")
        (path,) = write(folder, fares=FARES)
        assert statuses(await base.add([path])) == [("fares.md", "added")]
        path.write_text(FARES.replace("64", "70"))
        assert statuses(await base.add([path])) == [("fares.md", "replaced")]
        assert [p.text for p in await HybridRetriever(base).search("adult", limit=1)] == [
            "An adult pays 70 crowns."
        ]
        assert await base.remove([path]) == 1
        assert await HybridRetriever(base).search("adult") == []
    finally:
        database.close()
