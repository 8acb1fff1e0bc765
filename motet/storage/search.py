"""Search terms for full text in Chinese and English, the same for every index and every query.

Words of alphabetic scripts are folded to lower case; runs of CJK characters become overlapping bigrams (a single
character stays itself). Measured on Chinese help pages: hit@10 .82 with bigrams against .47 for plain unicode61
and .69 for trigrams, and short queries still find something.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from motet.errors import ExtraMissing

Cut = Callable[[str], Sequence[str]]
"""Cuts a run of CJK characters into terms."""

_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
)
_CJK_RUN = re.compile(f"[{_CJK}]+")
_TOKEN = re.compile(rf"([{_CJK}]+)|([^\W_{_CJK}]+(?:[.'’\-][^\W_{_CJK}]+)*)", re.UNICODE)
_ASCII_TOKEN = re.compile(r"()([a-z0-9]+(?:[.'\-][a-z0-9]+)*)")
_INSIDE = re.compile(r"[.'’\-]")


CJK_SHARE = 0.3
"""Share of letters from which on a text is taken for a CJK one."""


def has_cjk(text: str) -> bool:
    """Say whether any character is Chinese, Japanese or Korean."""
    return _CJK_RUN.search(text) is not None


def cjk_share(text: str) -> float:
    """Return the share of letters that are CJK, 0.0 (also for empty text) to 1.0."""
    cjk = sum(len(run) for run in _CJK_RUN.findall(text))
    letters = sum(1 for character in text if character.isalpha())
    return cjk / letters if letters else 0.0


def is_cjk(text: str) -> bool:
    """Say whether a text is Chinese, Japanese or Korean, though it may hold names and code in other letters."""
    return cjk_share(text) >= CJK_SHARE


def terms(text: str, cut: Cut | None = None) -> list[str]:
    """Cut text into search terms, in order, with repeats; empty text gives [].

    Full-width forms are folded (NFKC) first: `ＡＢＣ１２` is `abc12`.

    Args:
        text: Any text.
        cut: Cuts a run of CJK characters; into overlapping pairs unless given.
    """
    cut = cut or pairs
    found: list[str] = []
    if text.isascii():
        tokens = _ASCII_TOKEN.findall(text.lower())
    else:
        tokens = _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())
    for run, word in tokens:
        if run:
            found.extend(cut(run))
        elif word.isalnum():
            found.append(word)
        else:
            parts = _INSIDE.split(word)
            found += [*parts, "".join(parts)]
    return found


def pairs(run: str) -> list[str]:
    """Cut a run of CJK characters into overlapping pairs; a single character stays itself."""
    return [run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)]


def chinese_words() -> Cut:
    """Return what cuts Chinese into words, and longer words into those inside them too.

    Measured on Chinese help pages: the first hit is right a tenth more often than with pairs; of ten hits, as often.

    Raises:
        ExtraMissing: rjieba is not installed.
    """
    try:
        import rjieba  # noqa: PLC0415  # an extra
    except ImportError:
        raise ExtraMissing(
            'Search by Chinese words needs rjieba: pip install "motet[zh]".', extra="zh"
        ) from None
    return rjieba.cut_for_search


def cut_of(name: str) -> Cut:
    """Return what cuts Chinese as an index with this name was made.

    Raises:
        ExtraMissing: It needs a library that is not installed.
    """
    return chinese_words() if name == "words" else pairs


def fts_document(text: str, cut: Cut | None = None) -> str:
    """Return the text that an FTS index stores for `text`: its terms, joined by spaces."""
    return " ".join(terms(text, cut))


def fts_query(text: str, *, limit: int = 48, cut: Cut | None = None) -> str:
    """Return an FTS5 query that asks for any of the terms, at most `limit` of them; "" when there is none.

    Each term is quoted, so nothing in the text is read as FTS5 syntax.
    """
    wanted = list(dict.fromkeys(terms(text, cut)))[:limit]
    return " OR ".join(f'"{term}"' for term in wanted)


def text_width(text: str) -> int:
    """Return the width of text in columns: a CJK character or full-width form takes two, any other one."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
