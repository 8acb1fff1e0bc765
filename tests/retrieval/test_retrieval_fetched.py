from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from motet.errors import DocumentUnreadable
from motet.retrieval.fetched import Fetch, has_scheme, is_address, read_address
from motet.retrieval.load import FileBytes, Version, load_document


class Page(NamedTuple):
    status: int
    body: bytes
    content_type: str
    charset: str = ""
    headers: Mapping[str, str] = {}


async def read(fetch: Fetch, url: str) -> tuple[FileBytes, Path]:
    got = await read_address(fetch, url, max_bytes=999)
    assert got is not None
    return got


@pytest.mark.parametrize(
    ("url", "content_type", "name"),
    [
        ("https://example.org/a/rules.md?x=1", "text/plain", "rules.md"),
        ("https://example.org/a/rules.pdf", "application/pdf", "rules.pdf.pdf"),
        ("https://example.org/%E7%A5%A8%E4%BB%B7", "text/html", "票价.html"),
        ("https://example.org/", "text/html", "example.org.html"),
        ("https://example.org/page.php", "text/html", "page.php.html"),
        ("https://example.org/rules.md", "", "rules.md"),
    ],
)
async def test_a_page_is_named_by_what_it_is(url: str, content_type: str, name: str) -> None:
    async def fetch(url: str, **_: object) -> Page:
        return Page(200, b"x", content_type)

    file, path = await read(fetch, url)
    assert (path, file.data) == (Path(name), b"x")


@pytest.mark.parametrize(("content_type", "told"), [("image/png", "'image/png'"), ("", "of no known type")])
async def test_what_is_of_no_kind_that_is_read_is_told_with_its_address(content_type: str, told: str) -> None:
    async def fetch(url: str, **_: object) -> Page:
        return Page(200, b"x", content_type)

    with pytest.raises(
        DocumentUnreadable, match=f"https://example.org/photo: it is {told}, which is not read"
    ):
        await read_address(fetch, "https://example.org/photo", max_bytes=9)


@pytest.mark.parametrize(
    ("text", "encoding", "charset"),
    [
        ("Zażółć gęślą jaźń.", "iso-8859-2", "iso-8859-2"),
        ("Взрослый билет.", "cp1251", "windows-1251"),
        ("朱镕基。", "gbk", "gb2312"),
        ("Zażółć, whatever the server says.", "utf-8", "iso-8859-1"),
        ("票价六十四元。", "gb18030", "no-such-charset"),
        ("票价六十四元。", "utf-16", "iso-8859-1"),
    ],
)
async def test_a_page_is_read_in_the_charset_that_its_server_tells(
    text: str, encoding: str, charset: str
) -> None:
    async def fetch(url: str, **_: object) -> Page:
        return Page(200, f"<p>{text}".encode(encoding), "text/html", charset)

    file, path = await read(fetch, "https://example.org/a")
    assert load_document(file.data, path).text.strip() == text


async def test_the_charset_of_what_is_no_text_changes_nothing() -> None:
    async def fetch(url: str, **_: object) -> Page:
        return Page(200, b"%PDF-\xe9", "application/pdf", "iso-8859-1")

    file, _ = await read(fetch, "https://example.org/a")
    assert file.data == b"%PDF-\xe9"


def test_only_the_webs_addresses_are_addresses() -> None:
    assert is_address("https://example.org")
    assert not is_address("file:///etc/passwd")
    assert has_scheme("file:///etc/passwd")
    assert not has_scheme("/home/ann/a:b.md")
    assert not is_address("notes/a.md")


DAY, LATER = "Mon, 02 Nov 2026 09:00:00 GMT", "Mon, 02 Nov 2026 09:00:01 GMT"


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({"etag": 'W/"a"', "last-modified": DAY, "date": LATER}, Version('W/"a"', DAY)),
        ({"last-modified": DAY, "date": DAY}, Version()),  # it may change in this second once more
        ({"etag": "票", "last-modified": "x" * 501}, Version()),
        ({}, Version()),
    ],
)
async def test_what_a_server_calls_a_version_is_kept(headers: Mapping[str, str], version: Version) -> None:
    async def fetch(url: str, **_: object) -> Page:
        return Page(200, b"x", "text/plain", "", headers)

    assert (await read(fetch, "https://example.org/a"))[0].version == version


async def test_a_server_that_says_unchanged_without_being_asked_is_refused() -> None:
    async def fetch(url: str, **_: object) -> Page:
        return Page(304, b"", "")

    with pytest.raises(DocumentUnreadable, match="status 304"):
        await read_address(fetch, "https://example.org/a", max_bytes=9)
    known = Version('"a"')
    assert await read_address(fetch, "https://example.org/a", max_bytes=9, known=known) is None
