"""More sources of web search: their wire, their order, and what becomes of one that refuses or fails."""

import json
from typing import Any

import pytest
from ddgs.exceptions import DDGSException
from langchain_core.tools import BaseTool
from listener import Answer, Listener, answer, egress

from motet.errors import SettingInvalid
from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.search_sources import read_sources
from motet.tools.web_search import build

FOUND = {"results": [{"title": "经文歌", "url": "https://example.org/1", "content": "中世纪"}, "odd"]}
WIKI = {
    "query": {"search": [{"title": "Motet form", "snippet": "A <span class='x'>motet</span> &amp; more"}]}
}


def as_json(value: Any, **more: str) -> bytes:
    return answer(json.dumps(value).encode(), content_type="application/json", **more)


def tool(order: str, engines: Any = None, **searches: Any) -> BaseTool:
    context = ToolContext(
        ToolSettings(search_sources=order), egress=egress(80, allow="127.0.0.1"), searches=searches
    )
    made = build(context, search=engines, pause_s=0.001)
    assert made is not None
    return made


async def test_a_searxng_server_is_asked_in_the_questions_language() -> None:
    async with Listener(as_json(FOUND)) as server:
        made = tool("own", own={"kind": "searxng", "url": f"http://127.0.0.1:{server.port}/search"})
        assert await made.ainvoke({"query": "经文歌 起源"}) == "1. 经文歌\nhttps://example.org/1\n中世纪"
    path = server.seen[0][1]
    assert path.startswith("/search?q=%E7%BB%8F")
    assert "format=json" in path
    assert "language=zh" in path


async def test_a_wikis_snippets_are_text_and_its_links_lead_to_pages() -> None:
    async with Listener(as_json(WIKI)) as server:
        made = tool("wiki", wiki={"kind": "wikipedia", "url": f"http://127.0.0.1:{server.port}/w/api.php"})
        shown = await made.ainvoke({"query": "motet"})
    assert shown == f"1. Motet form\nhttp://127.0.0.1:{server.port}/wiki/Motet_form\nA motet & more"


async def test_the_next_source_is_asked_where_one_fails_or_finds_nothing() -> None:
    def unreachable(*_: Any, **__: Any) -> Any:
        raise DDGSException("DNSError")

    async with Listener(as_json({"results": []})) as empty, Listener(as_json(FOUND)) as server:
        entries = {
            name: {"kind": "searxng", "url": f"http://127.0.0.1:{one.port}/"}
            for name, one in (("empty", empty), ("own", server))
        }
        assert "经文歌" in await tool("ddgs empty own", unreachable, **entries).ainvoke({"query": "x"})
        assert "found nothing" in await tool("ddgs empty", unreachable, **entries).ainvoke({"query": "x"})


def busy_first(times: int, **headers: str) -> Answer:
    left = [times]

    def reply(*_: Any) -> bytes:
        left[0] -= 1
        return answer(b"", status="429 Too Many Requests", **headers) if left[0] >= 0 else as_json(FOUND)

    return reply


@pytest.mark.parametrize(
    ("times", "headers", "hits", "said"),
    [
        (2, {"retry_after": "0"}, 3, "经文歌"),
        (3, {}, 3, "refuses more questions"),
        (1, {"retry_after": "3600"}, 1, "refuses more questions"),  # it is not waited for that long
    ],
)
async def test_a_source_that_refuses_is_given_time(
    times: int, headers: dict[str, str], hits: int, said: str
) -> None:
    async with Listener(busy_first(times, **headers)) as server:
        made = tool("own", own={"kind": "searxng", "url": f"http://127.0.0.1:{server.port}/"})
        assert said in await made.ainvoke({"query": "x"})
    assert server.hits == hits


@pytest.mark.parametrize(
    "reply", [answer(b"<html>", content_type="text/html"), as_json([1]), answer(b"", status="500 No")]
)
async def test_what_is_no_answer_is_a_failure(reply: bytes) -> None:
    async with Listener(reply) as server:
        made = tool("own", own={"kind": "searxng", "url": f"http://127.0.0.1:{server.port}/"})
        assert "cannot be reached" in await made.ainvoke({"query": "x"})


@pytest.mark.parametrize(
    ("order", "entry", "said"),
    [
        ("owm", {"kind": "searxng", "url": "https://x"}, "Did you mean 'own'"),
        ("own", {"kind": "searx", "url": "https://x"}, "Did you mean 'searxng'"),
        ("own", {"kind": "searxng"}, "needs its url"),
        ("own", {"kind": "wikipedia", "key": "x"}, "'key' is unknown"),
    ],
)
def test_sources_that_cannot_be_read(order: str, entry: Any, said: str) -> None:
    with pytest.raises(SettingInvalid, match=said):
        read_sources(order, {"own": entry}, egress(80))
