"""A conversation as an HTML page: whatever it holds, the page loads nothing and runs nothing."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from motet.events import Passage
from motet.runs.request import MessageRecord, ThreadRecord
from motet.runs.threads.export import FORMS, Form, export_text

NASTY = (
    "# Title\n\n<script>alert(1)</script> <img src=x onerror=alert(1)>\n\n![p](http://h.test/a.png)\n\n"
    '[l](javascript:alert(1)) [ok](https://h.test/) `</pre>`\n\n| a | b |\n|---|---|\n| 一 | "2" |\n'
)


class Page(HTMLParser):
    """Keeps the tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(text: str, **message: Any) -> Page:
    thread = ThreadRecord(
        thread_id="t",
        title="<i>题</i>",
        graph="chat",
        metadata={},
        created_at=0,
        updated_at=0,
        messages=1,
        status="idle",
    )
    record = MessageRecord(
        seq=1, message_id="m", run_id="r", role="assistant", text=text, citations=[], created_at=0
    )
    return Page(export_text(Form.HTML, thread, [record.model_copy(update=message)]))


def test_what_an_answer_holds_is_text() -> None:
    page = _page(NASTY)
    assert not {"script", "img", "i", "iframe", "link"} & set(page.tags)
    assert not {"onerror", "src"} & page.names
    assert page.links == ["http://h.test/a.png", "https://h.test/"]
    assert "<script>alert(1)</script>" in page.text
    assert "<i>题</i>" in page.text
    assert page.tags.count("td") == 2


def test_sources_stand_below_with_their_text() -> None:
    passage = Passage(passage_id="p", text="<b>quoted</b>", source="a.md", title="A", page=3, number=2)
    page = _page("See [2].", citations=[passage])
    assert "A, p. 3 (a.md)" in page.text
    assert "<b>quoted</b>" in page.text


def test_every_ending_names_a_form() -> None:
    assert set(FORMS.values()) == set(Form) - {Form.SFT}
