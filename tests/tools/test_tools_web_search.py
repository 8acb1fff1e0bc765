"""Web search: what is shown of its results, and that its failures are told and not raised."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException
from langchain_core.messages import ToolMessage

from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.web_search import build

ROWS = [
    {"title": f"Title {n}", "href": f"https://example.org/{n}", "body": "word " * 200} for n in range(1, 9)
]


class Engines:
    """Stands in for the search engines: gives answers in turn, raising those that are errors."""

    def __init__(self, *answers: Sequence[dict[str, Any]] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    def __call__(self, query: str, *, region: str, max_results: int) -> Sequence[dict[str, Any]]:
        self.asked.append((query, region))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer[:max_results]


async def _ask(
    engines: Callable[..., Sequence[dict[str, Any]]], query: str = "motet", **settings: Any
) -> ToolMessage:
    tool = build(ToolContext(ToolSettings(**settings)), search=engines, pause_s=0.01)
    assert tool is not None
    assert tool.metadata == {
        "effect": "pure",
        "class": "egress",
        "failure": "unknown",
        "loose": ["query"],
        "offers": True,
    }
    return await tool.ainvoke(
        {"type": "tool_call", "id": "1", "name": "web_search", "args": {"query": query}}
    )


async def test_results_are_numbered_and_cut() -> None:
    answer = await _ask(Engines(ROWS))
    blocks = str(answer.content).split("\n\n")
    assert answer.status == "success"
    assert [block.split("\n")[0] for block in blocks] == [f"{n}. Title {n}" for n in range(1, 6)]
    assert blocks[1].split("\n")[1] == "https://example.org/2"
    assert len(blocks[1].split("\n")[2]) == 300
    assert blocks[1].endswith("…")
    assert len(str((await _ask(Engines(ROWS), max_output_chars=500)).content)) == 500


async def test_invisible_characters_and_line_breaks_of_a_page_are_taken_out() -> None:
    row = {"title": "A\nB\x1b[31m", "href": "https://example.org", "body": "x\u200by\U000e0041z"}
    answer = await _ask(Engines([row]))
    assert answer.content == "1. A B[31m\nhttps://example.org\nxyz"


async def test_a_chinese_question_asks_in_the_chinese_region() -> None:
    engines = Engines(ROWS, ROWS)
    await _ask(engines, "经文歌 起源")
    await _ask(engines, "origin of the motet")
    assert [region for _, region in engines.asked] == ["cn-zh", "us-en"]


@pytest.mark.parametrize(
    "error",
    [
        DDGSException("DNSError: no records found"),
        TimeoutException("timed out"),
        OSError("network is unreachable"),
        ValueError("no JSON"),
        KeyError("results"),  # an engine's page looks otherwise than it did
        AttributeError("'NoneType' object has no attribute 'text'"),
    ],
)
async def test_without_a_network_it_says_so_in_one_line(error: Exception) -> None:
    engines = Engines(error)
    answer = await _ask(engines)
    assert answer.status == "error"
    assert str(answer.content).startswith("Web search cannot be reached now. Go on without it")
    assert "\n" not in str(answer.content)
    assert len(engines.asked) == 1


async def test_an_engine_that_never_answers_is_given_up() -> None:
    release = threading.Event()

    def hang(query: str, *, region: str, max_results: int) -> Sequence[dict[str, Any]]:
        release.wait(20)
        return []

    started = time.monotonic()
    try:
        answer = await _ask(hang, timeout_s=0.2)
    finally:
        release.set()
    assert answer.status == "error"
    assert "cannot be reached" in str(answer.content)
    assert time.monotonic() - started < 5


async def test_a_refusal_for_too_many_questions_is_asked_again_twice() -> None:
    busy = RatelimitException("429")
    engines = Engines(busy, busy, ROWS)
    assert (await _ask(engines)).status == "success"
    engines = Engines(busy, busy, busy, ROWS)
    answer = await _ask(engines)
    assert answer.status == "error"
    assert "refuses more questions" in str(answer.content)
    assert len(engines.asked) == 3


async def test_no_result_is_an_answer() -> None:
    answer = await _ask(Engines(DDGSException("No results found.")), "xyzzy")
    assert answer.status == "success"
    assert "'xyzzy' found nothing" in str(answer.content)


def test_the_settings_can_forbid_it() -> None:
    assert build(ToolContext(ToolSettings(web_search=False))) is None
