"""Documents to passages: each an exact span of the document's text, cut where a reader would.

What does not live here: headings and pages, which come with the sections.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from motet.retrieval.base import LoadedDocument

_ENDS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\n\s*\n",  # paragraphs
        r"\n+",  # lines
        r"[。！？!?…]+[”’」』）)\]]*|\.[”’)\]]*\s",  # sentences
        r"[；;：:]",  # clauses
        r"[，,、]",
        r"\s+",  # words
    )
)
"""Where text may be cut, best first; a passage ends after the match."""

MAX_COMBINING = 30
"""A longer run of combining characters may be cut: no text has one (Unicode's Stream-Safe Text Format, UAX #15)."""

_JOINER = "\u200d"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage before it is stored: `text == document.text[start:end]`."""

    text: str
    start: int
    end: int
    heading: str
    page: int | None


def split(document: LoadedDocument, *, width: int, overlap: int) -> list[Chunk]:
    """Cut a document into passages.

    A passage never crosses a section's end. It has neither space at its ends nor half a character (a letter and
    its accents, joined emoji, a flag).

    Args:
        document: What a loader returned.
        width: Longest passage, in columns: a CJK character takes two.
        overlap: How much of a passage's end the next one may repeat, in columns; whole sentences or words only.

    Returns:
        The passages in the order of the text; none for text that is all space.
    """
    return [
        Chunk(
            section.text[begin:end], section.start + begin, section.start + end, section.heading, section.page
        )
        for section in document.sections
        for begin, end in spans(section.text, width=width, overlap=overlap)
    ]


def spans(text: str, *, width: int, overlap: int) -> list[tuple[int, int]]:
    """Return `(begin, end)` of each passage of one section's text."""
    widths = _widths(text)
    pieces = _pieces(text, widths, (0, len(text)), width, 0)
    trimmed = (_trim(text, span) for span in _merge(pieces, widths, width, overlap))
    return [(begin, end) for begin, end in trimmed if begin < end]


def is_boundary(text: str, at: int) -> bool:
    """Say whether text may be cut before the character at `at` without breaking one that a reader sees."""
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if after < "\u0300":
        return before != _JOINER
    joined = (
        before == _JOINER
        or after in "\u200c\u200d"
        or unicodedata.category(after).startswith("M")
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\u1160" <= after <= "\u11ff"  # the inner parts of a Hangul syllable
        or "\udc00" <= after <= "\udfff"
        or (_is_flag_half(after) and _is_inside_flag(text, at))
    )
    return not joined


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_inside_flag(text: str, at: int) -> bool:
    """Say whether the half flags right before `at` are an odd number; a run is looked back on for a while only."""
    start = at
    while start > max(0, at - 4 * MAX_COMBINING) and _is_flag_half(text[start - 1]):
        start -= 1
    return (at - start) % 2 == 1


def _widths(text: str) -> Sequence[int]:
    """Return the width of `text[:n]` for every n."""
    if text.isascii():
        return range(len(text) + 1)
    wide = (2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return array("Q", accumulate(wide, initial=0))


def _pieces(
    text: str, widths: Sequence[int], span: tuple[int, int], width: int, level: int
) -> Iterator[tuple[int, int]]:
    """Yield pieces that are narrow enough, cut at the best ends that make them so."""
    begin, end = span
    if widths[end] - widths[begin] <= width:
        yield span
        return
    if level == len(_ENDS):
        yield from _hard_cut(text, widths, span, width)
        return
    for match in _ENDS[level].finditer(text, begin, end):
        if match.end() < end and is_boundary(text, match.end()):
            yield from _pieces(text, widths, (begin, match.end()), width, level + 1)
            begin = match.end()
    yield from _pieces(text, widths, (begin, end), width, level + 1)


def _hard_cut(
    text: str, widths: Sequence[int], span: tuple[int, int], width: int
) -> Iterator[tuple[int, int]]:
    """Cut text that has no end at all, a long address or a run of characters."""
    begin, end = span
    while begin < end:
        stop = max(begin + 1, bisect_right(widths, widths[begin] + width, begin + 1, end + 1) - 1)
        lowest = max(begin + 1, stop - MAX_COMBINING)
        cut = next((at for at in range(stop, lowest - 1, -1) if is_boundary(text, at)), stop)
        yield begin, cut
        begin = cut


def _merge(
    pieces: Iterable[tuple[int, int]], widths: Sequence[int], width: int, overlap: int
) -> Iterator[tuple[int, int]]:
    """Join neighbouring pieces up to the width; begin the next passage with the last pieces of the one before."""
    window: deque[tuple[int, int]] = deque()
    for begin, end in pieces:
        if window and widths[end] - widths[window[0][0]] > width:
            yield window[0][0], window[-1][1]
            while window and (
                widths[begin] - widths[window[0][0]] > overlap or widths[end] - widths[window[0][0]] > width
            ):
                window.popleft()
        window.append((begin, end))
    if window:
        yield window[0][0], window[-1][1]


def _trim(text: str, span: tuple[int, int]) -> tuple[int, int]:
    begin, end = span
    while begin < end and text[begin].isspace():
        begin += 1
    while end > begin and text[end - 1].isspace():
        end -= 1
    return begin, end
