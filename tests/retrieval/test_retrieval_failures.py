"""What could not be read is not parsed again until it, or what reads it, has changed; and it is listed."""

from pathlib import Path

import pytest
from retrieval_fakes import Knowledge, write

from motet.errors import NotFound
from motet.retrieval.base import LoadedDocument
from motet.retrieval.collection import AddReport, KnowledgeBase
from motet.retrieval.load import is_known, load_document

BAD = b"%PDF-1.7 and nothing else"


class CountingParser:
    """Reads in this process, and notes what it was given."""

    def __init__(self) -> None:
        self.parsed: list[str] = []
        self.version = "1"

    def reads(self, path: Path) -> bool:
        return is_known(path)

    def signature(self, path: Path) -> str:
        return f"{self.version} {path.suffix}"

    async def parse(self, data: bytes, path: Path) -> LoadedDocument:
        self.parsed.append(path.name)
        return load_document(data, path)

    async def aclose(self) -> None:
        """Nothing is held."""


@pytest.fixture
def parser() -> CountingParser:
    return CountingParser()


@pytest.fixture
def base(knowledge: Knowledge, parser: CountingParser) -> KnowledgeBase:
    made = knowledge()
    made.parser = parser
    return made


def outcomes(report: AddReport) -> dict[str, str]:
    return {file.path.name: file.error.message if file.error else file.status for file in report.files}


async def test_an_unchanged_file_that_failed_costs_a_hash(
    base: KnowledgeBase, parser: CountingParser, folder: Path
) -> None:
    bad = folder / "bad.pdf"
    bad.write_bytes(BAD)
    write(folder, good="Sardines.")
    first = outcomes(await base.add([folder]))
    assert parser.parsed == ["bad.pdf", "good.md"]
    assert outcomes(await base.sync())["bad.pdf"] == first["bad.pdf"]
    assert outcomes(await base.add([folder]))["bad.pdf"] == first["bad.pdf"]
    assert parser.parsed == ["bad.pdf", "good.md"]
    bad.write_bytes(BAD + b".")
    await base.sync()
    assert parser.parsed == ["bad.pdf", "good.md", "bad.pdf"]
    parser.version = "2"
    await base.sync()
    await base.add([bad])  # who names it wants to see
    assert parser.parsed == ["bad.pdf", "good.md", *["bad.pdf"] * 3]


async def test_what_could_not_be_read_is_listed_counted_and_shown(base: KnowledgeBase, folder: Path) -> None:
    (path,) = write(folder, good="Sardines.")
    (folder / "bad.pdf").write_bytes(BAD)
    await base.add([folder])
    [bad, good] = await base.listing()
    assert (bad.source, bad.passage_count, "PDF" in bad.error) == (str(folder / "bad.pdf"), 0, True)
    assert (good.source, good.error) == (str(path), "")
    stats = await base.stats()
    assert (stats.document_count, stats.failed_count) == (1, 1)
    with pytest.raises(NotFound, match="could not be read"):
        await base.document(str(folder / "bad.pdf"))
    path.write_bytes(b"%PDF-1.7")  # the version before it is kept
    await base.sync()
    document, passages = await base.document(str(path))
    assert (len(passages), "PDF" in document.error) == (1, True)


async def test_it_is_forgotten_when_it_can_be_read_or_is_gone(base: KnowledgeBase, folder: Path) -> None:
    (path,) = write(folder, good="Sardines.")
    text = path.read_bytes()
    (folder / "bad.csv").write_bytes(BAD)
    (folder / "gone.csv").write_bytes(BAD)
    await base.add([folder])
    path.write_bytes(BAD)
    await base.sync()
    assert (await base.stats()).failed_count == 3
    path.write_bytes(text)  # what is stored: nothing is parsed
    (folder / "bad.csv").write_text("a,b\n1,2\n", "utf-8")
    (folder / "gone.csv").unlink()
    report = outcomes(await base.sync())
    assert report == {"good.md": "unchanged", "bad.csv": "added", "gone.csv": "removed"}
    assert (await base.stats()).failed_count == 0


async def test_it_can_be_taken_out_by_its_name(base: KnowledgeBase, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(BAD)
    await base.add([folder])
    await base.add([folder], collection="other")
    assert await base.remove([folder / "bad.pdf"]) == 1
    assert [one.collection for one in await base.listing()] == ["other"]


async def test_bytes_that_cannot_be_read_leave_nothing(base: KnowledgeBase, folder: Path) -> None:
    assert (await base.add_bytes(BAD, folder / "bad.pdf")).status == "failed"
    assert (await base.add_bytes(b" ", folder / "empty.md")).status == "failed"
    assert await base.listing() == []
    taken = await base.add_bytes("# 票价\n\n成人 64 元。".encode(), folder / "票价.md")
    assert (taken.status, taken.source) == ("added", str(folder / "票价.md"))
    assert (await base.stats()).roots == ()
    await base.remember(folder / "票价.md")
    assert (await base.stats()).roots == (str(folder / "票价.md"),)
