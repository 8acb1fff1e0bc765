"""Places are remembered and looked at again; copies are stored once; pages come by their address."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from retrieval_fakes import Knowledge, WordEmbedder, write

from motet.errors import NotFound, ToolFailed
from motet.retrieval.collection import AddReport, KnowledgeBase
from motet.retrieval.places import look
from motet.retrieval.search import HybridRetriever
from motet.storage.tables import passages


def statuses(report: AddReport) -> list[tuple[str, str]]:
    return [(file.path.name, file.status) for file in report.files]


async def texts(base: KnowledgeBase, query: str) -> list[str]:
    return [passage.text for passage in await HybridRetriever(base).search(query, limit=9)]


async def stored(base: KnowledgeBase) -> int:
    count = sa.select(sa.func.count()).select_from(passages)
    return await base.database.read(lambda c: c.execute(count).scalar_one())


async def test_a_sync_takes_in_what_is_new_and_takes_out_what_is_gone(
    knowledge: Knowledge, folder: Path
) -> None:
    base = knowledge()
    one, two, three = write(folder, one="Sardines are fish.", two="Herrings are fish.", three="Dogs bark.")
    await base.add([folder])
    two.write_text("Herrings swim.", "utf-8")
    three.unlink()
    write(folder, four="猫会叫。")
    report = await base.sync()
    assert sorted(statuses(report)) == [
        ("four.md", "added"),
        ("one.md", "unchanged"),
        ("three.md", "removed"),
        ("two.md", "replaced"),
    ]
    assert sorted(document.source for document in await base.list_documents()) == sorted(
        map(str, (one, two, folder / "four.md"))
    )
    assert (await texts(base, "herrings"))[0] == "Herrings swim."
    assert "Dogs bark." not in await texts(base, "dogs bark")


async def test_a_folder_that_is_not_there_loses_nothing(knowledge: Knowledge, folder: Path) -> None:
    base = knowledge()
    await base.add([*write(folder, one="Sardines."), folder])
    shutil.move(folder, folder.with_name("elsewhere"))
    report = await base.sync()
    assert statuses(report) == [("documents", "failed")]
    assert "Nothing was taken out" in (report.files[0].error or NotFound("")).message
    assert len(await base.list_documents()) == 1


async def test_a_named_file_that_is_gone_and_a_folder_inside_of_a_known_one(
    knowledge: Knowledge, folder: Path
) -> None:
    base = knowledge()
    inner = folder / "inner"
    inner.mkdir()
    (path,) = write(inner, one="Sardines.")
    (alone,) = write(folder, alone="Herrings.")
    await base.add([alone], collection="single")
    await base.add([folder])
    path.unlink()
    inner.rmdir()
    alone.unlink()
    assert statuses(await base.sync([inner])) == [("one.md", "removed")]
    assert statuses(await base.sync(collection="single")) == [("alone.md", "removed")]
    with pytest.raises(NotFound, match="No documents of"):
        await base.sync([folder.parent])


async def test_what_was_taken_out_is_not_looked_at_again(knowledge: Knowledge, folder: Path) -> None:
    base = knowledge()
    (path,) = write(folder, one="Sardines.")
    await base.add([path])
    assert (await base.stats()).roots == (str(path),)
    await base.remove([path])
    assert (await base.stats()).roots == ()
    assert statuses(await base.sync()) == []


async def test_places_below_a_known_folder_are_covered_by_it(knowledge: Knowledge, folder: Path) -> None:
    base = knowledge()
    (path,) = write(folder, one="Sardines.")
    await base.add([path])
    await base.add([folder])
    await base.add([path])
    assert (await base.stats()).roots == (str(folder),)


# Copies


async def test_a_copy_is_stored_once_and_outlives_its_original(knowledge: Knowledge, folder: Path) -> None:
    embedder = WordEmbedder()
    base = knowledge(embedder)
    first, second, third = write(folder, a="# Fares\n\nAn adult pays 64.", b="x", c="x")
    second.write_bytes(first.read_bytes())
    third.write_bytes(first.read_bytes())
    report = await base.add([folder])
    assert statuses(report) == [("a.md", "added"), ("b.md", "copied"), ("c.md", "copied")]
    assert len(embedder.embedded) == await stored(base) == 1
    listed = await base.list_documents()
    assert [document.copy_of for document in listed] == ["", str(first), str(first)]
    assert (await base.stats()).passage_count == 1
    assert statuses(await base.add([folder])) == [(f"{n}.md", "unchanged") for n in "abc"]
    first.unlink()
    await base.sync()
    (found,) = await HybridRetriever(base).search("adult")
    assert found.source == str(second)
    second.write_text("Something else.", "utf-8")
    await base.sync()
    assert [p.source for p in await HybridRetriever(base).search("adult pays")][:1] == [str(third)]
    await base.remove([third])
    assert await stored(base) == 1
    assert len(embedder.embedded) == 2


async def test_the_same_bytes_under_another_ending_are_no_copy(knowledge: Knowledge, folder: Path) -> None:
    base = knowledge()
    (folder / "a.md").write_text("# Fares\n\nAn adult pays 64.")
    (folder / "a.txt").write_text("# Fares\n\nAn adult pays 64.")
    assert [status for _, status in statuses(await base.add([folder]))] == ["added", "added"]


# Pages


class Page(NamedTuple):
    status: int
    body: bytes
    content_type: str
    charset: str = ""
    headers: Mapping[str, str] = {}


class Web:
    """Pages by their address; what is no page raises."""

    def __init__(self, **pages: Page) -> None:
        self.pages = pages
        self.asked: list[tuple[str, int]] = []
        self.told: list[Mapping[str, str]] = []

    async def __call__(self, url: str, *, max_bytes: int, headers: Mapping[str, str]) -> Page:
        self.asked.append((url, max_bytes))
        self.told.append(headers)
        page = self.pages.get(url.rpartition("/")[2])
        if page is None:
            raise ToolFailed(f"{url} does not answer.")
        asked = (headers.get("if-none-match"), headers.get("if-modified-since"))
        if any(asked) and asked == (page.headers.get("etag"), page.headers.get("last-modified")):
            return Page(304, b"", "")
        return page


HTML = b"<html><head><title>Fares</title></head><body><main><p>An adult pays 64 crowns here.</p></main></body></html>"


async def test_pages_are_taken_in_and_looked_at_again(knowledge: Knowledge) -> None:
    web = Web(fares=Page(200, HTML, "text/html"), list=Page(200, "票价 64 元".encode(), "text/plain"))
    base = knowledge()
    base.fetch = web
    places = ["https://example.org/fares", "https://example.org/list"]
    report = await base.add(places)
    assert [(file.source, file.status) for file in report.files] == [(place, "added") for place in places]
    found, _ = await HybridRetriever(base).search("adult")
    assert (found.source, found.title) == (places[0], "Fares")
    assert web.asked[0][1] == int(base.settings.max_file_mb * 1e6)
    web.pages["list"] = Page(200, "票价 70 元".encode(), "text/plain")
    del web.pages["fares"]
    report = await base.sync()
    assert [(file.source, file.status) for file in report.files] == [
        (places[0], "failed"),
        (places[1], "replaced"),
    ]
    assert len(await base.list_documents()) == 2


async def test_a_page_that_its_server_calls_unchanged_is_not_sent_again(knowledge: Knowledge) -> None:
    day, url = "Mon, 02 Nov 2026 09:00:00 GMT", "https://example.org/fares"
    first = Page(200, HTML, "text/html", "", {"etag": '"a"', "last-modified": day})
    web = Web(fares=first, copy=first)
    base = knowledge()
    base.fetch = web
    await base.add([url, "https://example.org/copy"])
    assert [status for _, status in statuses(await base.sync())] == ["unchanged"] * 2
    asked = {"if-none-match": '"a"', "if-modified-since": day}
    assert web.told == [{}, {}, asked, asked]
    # The same bytes under another version: sent once more, and then no more.
    web.pages["fares"] = first._replace(headers={"etag": '"b"'})
    assert [status for _, status in statuses(await base.sync())] == ["unchanged"] * 2
    web.pages["fares"] = first._replace(headers={"etag": '"b"'}, body=b"never sent")
    assert [status for _, status in statuses(await base.sync([url]))] == ["unchanged"]
    assert web.told[-1] == {"if-none-match": '"b"'}
    web.pages["fares"] = Page(200, "票价 70 元".encode(), "text/plain", "", {"etag": '"c"'})
    assert [status for _, status in statuses(await base.sync([url]))] == ["replaced"]
    await base.remove([url])
    await base.add([url])
    assert web.told[-1] == {}


async def test_a_page_that_is_again_as_it_was_could_be_read(knowledge: Knowledge) -> None:
    good = Page(200, HTML, "text/html", "", {"etag": '"a"'})
    web = Web(fares=good)
    base = knowledge()
    base.fetch = web
    await base.add(["https://example.org/fares"])
    web.pages["fares"] = Page(200, b"none", "application/pdf", "", {"etag": '"b"'})
    await base.sync()
    assert [bool(document.error) for document in await base.listing()] == [True]
    web.pages["fares"] = good
    assert [status for _, status in statuses(await base.sync())] == ["unchanged"]
    assert [bool(document.error) for document in await base.listing()] == [False]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Page(404, b"x", "text/html"), "status 404"),
        (Page(200, b" ", "text/html"), "empty"),
        (Page(200, b"x", "image/png"), "which is not read"),
    ],
)
async def test_a_page_that_cannot_be_taken_in_is_one_line(
    knowledge: Knowledge, page: Page, reason: str
) -> None:
    base = knowledge()
    base.fetch = Web(a=page)
    (outcome,) = (await base.add(["https://example.org/a"])).files
    assert outcome.error is not None
    assert reason in outcome.error.message


async def test_without_a_way_out_pages_are_refused(knowledge: Knowledge) -> None:
    (outcome,) = (await knowledge().add(["https://example.org/a.md"])).files
    assert (outcome.error or NotFound("")).message.startswith(
        "https://example.org/a.md: addresses are not fetched here"
    )


async def test_a_path_that_may_not_be_looked_at_is_one_line_and_the_others_go_on(
    knowledge: Knowledge, folder: Path
) -> None:
    """A name that is too long is refused by the system as a folder without rights is, to every user."""
    paths = write(folder, fares="An adult pays 64 crowns.")
    report = await knowledge().add([folder / ("x" * 400), *paths])
    assert [file.status for file in report.files] == ["failed", "added"]


def test_of_a_place_that_may_not_be_looked_at_nothing_is_taken_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = str(folder / ("x" * 400))
    there, gone, told = look([long], [str(folder)])
    assert (there, gone, [file.source for file in told]) == ([], [], [long])
    monkeypatch.setattr("os.access", lambda *_: False)
    there, gone, told = look([str(folder)], [str(folder)])
    assert (there, gone) == ([], [])
    assert told[0].error is not None
    assert told[0].error.message.endswith(
        "it cannot be looked at: Permission denied. Nothing was taken out: check its rights."
    )


async def test_a_folder_inside_that_cannot_be_looked_into_loses_nothing(
    knowledge: Knowledge, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = knowledge()
    closed = folder / "closed"
    closed.mkdir()
    write(closed, kept="An adult pays 64 crowns.", other="成人 64 元。")
    gone, _ = write(folder, gone="Sardines are fish.", stays="Herrings are fish.")
    await base.add([folder])
    gone.unlink()
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path) == closed:
            raise OSError(5, "Input/output error")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    report = await base.sync()
    assert statuses(report) == [("closed", "failed"), ("gone.md", "removed"), ("stays.md", "unchanged")]
    assert report.files[0].error is not None
    assert report.files[0].error.message == (
        f"{closed}: it cannot be looked into: Input/output error. "
        "Its documents are left as they are: check its rights."
    )
    await base.keep_only(await base.add([folder]))
    assert len(await base.list_documents()) == 3
    monkeypatch.undo()
    assert [status for _, status in statuses(await base.sync())] == ["unchanged"] * 3
