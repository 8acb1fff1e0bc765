"""A passage's statements: its sentences, and the rows of its tables with the heads of their columns.

What does not live here: which of them matter (`search`). A row alone says little to a small model: `Tarrow | 60 | 90`
becomes `Tarrow: pallet 60, chilled pallet 90`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from motet.storage.search import cjk_share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SENTENCE_END = re.compile(r"(?<=[。！？])[”’」』）)]*|(?<=[.!?])\s+(?=[\"“*'(]?[A-Z])")
_RULE = re.compile(r"[\s|:+-]+")
_FIGURE = r"\s+[\d.,]*\d%?"


def statements(text: str) -> list[str]:
    """Return what a passage states, in its order.

    Args:
        text: Markdown or plain text. A table is rows of `|` cells under a row of heads; or, as PDF pages give it, at
            least two lines that end in figures under a line with a word for each of their columns.

    Returns:
        Sentences and rows (`first cell: head cell, head cell`), none of them blank; [] for blank text.
    """
    found: list[str] = []
    prose: list[str] = []
    lines = [line.strip() for line in text.splitlines()]
    at = 0
    while at < len(lines):
        rows, after = _table(lines, at)
        if rows or not lines[at]:
            found += _sentences(prose)
            prose = []
        if not rows:
            prose.append(lines[at])
        found += rows
        at = after
    return [statement for statement in [*found, *_sentences(prose)] if statement]


def _table(lines: Sequence[str], at: int) -> tuple[list[str], int]:
    """Return the rows of the table that begins at a line, and the line after it; no rows where none begins."""
    end = at
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    if end > at:
        cells = [_cells(line) for line in lines[at:end] if not _RULE.fullmatch(line)]
        return [_row(cells[0], row) for row in cells[1:]] if len(cells) > 1 else list(lines[at:end]), end
    columns = len(lines[at].split()) - 1
    row = re.compile(rf"(?P<first>.*\S)(?P<rest>(?:{_FIGURE}){{{columns}}})")
    matches = list(_matching(row, lines[at + 1 :])) if columns > 0 else []
    if len(matches) < 2:
        return [], at + 1
    heads = lines[at].split()
    return [_row(heads, [m["first"], *m["rest"].split()]) for m in matches], at + 1 + len(matches)


def _matching(pattern: re.Pattern[str], lines: Sequence[str]) -> Iterator[re.Match[str]]:
    for line in lines:
        match = pattern.fullmatch(line)
        if match is None:
            return
        yield match


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _row(heads: Sequence[str], cells: Sequence[str]) -> str:
    pairs = [f"{head} {cell}".strip() for head, cell in zip(heads[1:], cells[1:], strict=False) if cell]
    wide = cjk_share(" ".join([*heads, *cells])) > 0.2
    return f"{cells[0]}{'：' if wide else ': '}{('，' if wide else ', ').join(pairs)}" if pairs else cells[0]


def _sentences(lines: Sequence[str]) -> list[str]:
    """Return the sentences of lines that belong together; a line's end inside Chinese text is no space."""
    text = ""
    for line in lines:
        joined = not text or not line or (cjk_share(text[-1]) and cjk_share(line[0]))
        text += line if joined else f" {line}"
    return [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence.strip()]
