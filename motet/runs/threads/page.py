"""A conversation as one HTML page that needs nothing else: no script, no picture, no address of another machine.

What does not live here: the other forms (`transfer`).
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt

from motet.runs.threads.transfer import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

    from motet.events import Passage
    from motet.runs.request import MessageRecord, ThreadRecord

_STYLE = """
:root { color-scheme: light dark }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif }
article { margin: 1.5rem 0 } h2 { font-size: 1rem; margin: 0 }
.user h2 { color: #2a6fb0 } pre { overflow-x: auto; padding: .6rem; border: 1px solid #8884 }
table { border-collapse: collapse } td, th { border: 1px solid #8886; padding: .2rem .6rem }
ol.sources { font-size: .9rem; opacity: .85 } details p { white-space: pre-wrap }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Whatever an answer holds, the page loads nothing and runs nothing."""


def to_html(thread: ThreadRecord, messages: Sequence[MessageRecord]) -> Iterator[str]:
    """Yield a conversation as an HTML page. Answers are markdown; HTML in them is text, and pictures are links."""
    title = html.escape(thread.title or thread.thread_id)
    yield (
        f'<!doctype html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    )
    markdown = _markdown()
    for message in messages:
        who = html.escape(ROLES.get(message.role, message.role.capitalize()))
        role = html.escape(message.role, quote=True)
        yield f'<article class="{role}">\n<h2>{who}</h2>\n{markdown.render(message.text)}'
        yield from _sources(message.citations)
        yield "</article>\n"
    yield "</body>\n</html>\n"


def _sources(passages: Sequence[Passage]) -> Iterator[str]:
    """Yield the passages that an answer cites, each with its text as it was then."""
    if not passages:
        return
    yield '<ol class="sources">\n'
    for passage in sorted(passages, key=lambda p: p.number or 0):
        page = f", p. {passage.page}" if passage.page is not None else ""
        where = html.escape(f"{passage.title or passage.source}{page} ({passage.source})")
        text = html.escape(passage.text)
        yield f'<li value="{passage.number or 0}"><details><summary>{where}</summary><p>{text}</p></details></li>\n'
    yield "</ol>\n"


def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.add_render_rule("image", _as_link)
    return made


def _as_link(_renderer: Any, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    token = tokens[index]
    target = html.escape(str(token.attrs.get("src", "")), quote=True)
    return f'<a href="{target}">{html.escape(token.content) or target}</a>'
