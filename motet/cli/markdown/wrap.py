"""Break lines of mixed Chinese and English text where a reader expects it.

Between two Chinese characters a line may break; closing punctuation never begins a line and opening punctuation
never ends one. Latin words break at spaces. Widths are terminal cells.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells

if TYPE_CHECKING:
    from rich.text import Text

_CJK = (
    "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # punctuation, kana, ideographs
    "\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"  # hangul, compatibility, full width, rare
)
_OPENING = "（《「『【〈〔［｛“‘"
_CLOSING = "，。、；：？！）》」』】〉〕］｝”’…—～·%％"
_PIECE = re.compile(
    rf"\s*[{_OPENING}]*(?:[{_CJK}](?<![{_OPENING}])|[^\s{_CJK}{_OPENING}]+|[{_OPENING}]+)[{_CLOSING}]*\s*|\s+"
)


def wrap(text: Text, width: int) -> list[Text]:
    """Return a text's lines, each at most `width` cells wide (1 or more), styles kept, no spaces at the ends."""
    lines: list[Text] = []
    for paragraph in text.split(allow_blank=True):
        for line in paragraph.divide(breaks(paragraph.plain, width)):
            line.rstrip()
            lines.append(line)
    return lines


def breaks(text: str, width: int) -> list[int]:
    """Return the offsets at which one line of text is to be broken to fit into `width` cells."""
    offsets: list[int] = []
    column = 0
    for piece in _PIECE.finditer(text):
        word = piece.group()
        bare = word.rstrip()
        needed = cell_len(bare)
        if column and column + needed > width:
            offsets.append(piece.start())
            column = 0
        if needed > width:
            *full, last = chop_cells(bare, width)
            at = piece.start()
            for part in full:
                at += len(part)
                offsets.append(at)
            column = cell_len(last) + cell_len(word[len(bare) :])
        else:
            column += cell_len(word)
    return offsets
