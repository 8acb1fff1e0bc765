"""Reading a page: its main text, by the one way out."""

from typing import Any

import pytest
from langchain_core.tools import BaseTool
from listener import Listener, answer, egress, redirect

from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.web_fetch import build

PAGE = (
    "<html><head><title>时刻表</title><script>evil()</script></head><body><nav>Menu</nav><main><h1>Trains</h1>"
    + "<p>The last train to Brenna leaves at 23:10, and the first at 5:40 in the morning.</p>" * 3
    + "</main></body></html>"
).encode()


def fetch(**more: Any) -> BaseTool:
    tool = build(ToolContext(ToolSettings(**more), egress=egress(80, allow="127.0.0.1")))
    assert tool is not None
    return tool


async def test_a_page_is_read_as_text() -> None:
    async with Listener(answer(PAGE, content_type="text/html; charset=utf-8")) as page:
        said = await fetch().ainvoke({"url": f"http://127.0.0.1:{page.port}/"})
    assert "23:10" in said
    assert "时刻表" in said
    assert "evil" not in said


TEXT = "價格三元，今天天氣很好，我們去公園散步吧。"


@pytest.mark.parametrize(
    ("encoding", "told", "page"),
    [
        ("big5", "text/html; charset=big5", "<p>{}</p>"),
        ("gbk", "text/html; charset=GBK", "<p>{}</p>"),
        ("utf-8", "text/html; charset=utf-8", "<meta charset=gbk><p>{}</p>"),
        ("gbk", "text/html; charset=utf-8", "<meta charset=gbk><p>{}</p>"),
        ("gb18030", "text/html", "<p>{}</p>"),
        ("gb18030", "text/plain", "{}"),
        ("big5", "text/plain; charset=big5", "{}"),
        ("utf-8", "text/plain; charset=idna", "{}"),
        ("utf-8", "text/plain; charset=undefined", "{}"),
        ("utf-8", "text/html; charset=zip", "<p>{}</p>"),
        ("utf-8", "application/rss+xml", "<rss><title>{}</title></rss>"),
        ("utf-8", "text/plain", "\0\u202e\x1b{}\u200b"),
    ],
)
async def test_a_page_is_read_in_the_encoding_that_was_told_and_that_it_is_in(
    encoding: str, told: str, page: str
) -> None:
    async with Listener(answer(page.format(TEXT).encode(encoding), content_type=told)) as server:
        said = await fetch().ainvoke({"url": f"http://127.0.0.1:{server.port}/"})
    assert TEXT in said
    assert not set(said) & set("\0\u202e\x1b\u200b")


async def test_a_long_text_is_read_in_pieces() -> None:
    async with Listener(answer(b"0123456789" * 100)) as page:
        tool, url = fetch(max_output_chars=300), f"http://127.0.0.1:{page.port}/"
        first = await tool.ainvoke({"url": url})
        assert "go on with offset 180" in first
        assert (await tool.ainvoke({"url": url, "offset": 900})).startswith("0123456789")


async def test_what_is_no_page_is_said() -> None:
    async with Listener(answer(b"x", content_type="image/png")) as picture:
        assert "not read" in await fetch().ainvoke({"url": f"http://127.0.0.1:{picture.port}/"})
    async with Listener(answer(b"x", status="404 Not Found")) as gone:
        assert "answered 404" in await fetch().ainvoke({"url": f"http://127.0.0.1:{gone.port}/"})
    async with Listener() as canary, Listener(redirect(f"http://[::1]:{canary.port}/")) as page:
        assert "not called" in await fetch().ainvoke({"url": f"http://127.0.0.1:{page.port}/"})
        assert canary.hits == 0
    assert build(ToolContext(ToolSettings())) is None
