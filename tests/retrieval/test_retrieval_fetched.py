from pathlib import Path
from typing import NamedTuple

import pytest

from motet.retrieval.fetched import has_scheme, is_address, read_address


class Page(NamedTuple):
    status: int
    body: bytes
    content_type: str


@pytest.mark.parametrize(
    ("url", "content_type", "name"),
    [
        ("https://example.org/a/rules.md?x=1", "text/plain", "rules.md"),
        ("https://example.org/a/rules.pdf", "application/pdf", "rules.pdf.pdf"),
        ("https://example.org/%E7%A5%A8%E4%BB%B7", "text/html", "票价.html"),
        ("https://example.org/", "text/html", "example.org.html"),
        ("https://example.org/page.php", "text/html", "page.php.html"),
        ("https://example.org/rules.md", "", "rules.md"),
        ("https://example.org/photo", "image/png", "photo"),
    ],
)
async def test_a_page_is_named_by_what_it_is(url: str, content_type: str, name: str) -> None:
    async def fetch(url: str, *, max_bytes: int) -> Page:
        return Page(200, b"x", content_type)

    file, path = await read_address(fetch, url, max_bytes=9)
    assert (path, file.data) == (Path(name), b"x")


def test_only_the_webs_addresses_are_addresses() -> None:
    assert is_address("https://example.org")
    assert not is_address("file:///etc/passwd")
    assert has_scheme("file:///etc/passwd")
    assert not has_scheme("/home/ann/a:b.md")
    assert not is_address("notes/a.md")
