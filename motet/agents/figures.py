"""Figures in text: which numbers it states, which it gives in words as well, and which a calculation made up.

What does not live here: arithmetic (`tools.calculator`).
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_CJK_NUMBER = re.compile(r"[〇零一二两三四五六七八九十百千万]+")
_WORD = re.compile(r"[a-z]+")

_ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ENGLISH = {
    **{word: n for n, word in enumerate([*_ONES.split(), "eighteen", "nineteen"], start=1)},
    **{word: n * 10 for n, word in enumerate(_TENS.split(), start=2)},
    "dozen": 12,
    "hundred": 100,
    "thousand": 1000,
}

SMALL = 10
"""Whole numbers up to this one are counted, halved and averaged with by anybody."""

CONSTANTS = frozenset({12, 24, 30, 52, 60, 100, 360, 365, 1000, 3600})
"""Numbers that turn one unit into another."""


def figures(text: str) -> set[str]:
    """Return the numbers in a text as plain digits: `1,200` and `１２００` are `1200`, `3.50` is `3.5`."""
    found: set[str] = set()
    for number in _NUMBER.findall(unicodedata.normalize("NFKC", text)):
        plain = number.replace(",", "")
        found.add(plain.rstrip("0").rstrip(".") if "." in plain else plain)
    return found


def figures_in_words(text: str) -> set[str]:
    """Return the numbers that a text writes in words: `三十五` is `35`, `twenty-four` is `24` (and `20` and `4`)."""
    words = [_ENGLISH.get(word, 0) for word in _WORD.findall(text.lower())]
    found = {word for word in words if word}
    found |= {tens + ones for tens, ones in pairwise(words) if tens % 10 == 0 < ones < 10}
    found |= {_chinese(number) for number in _CJK_NUMBER.findall(text)}
    return {str(number) for number in found}


def all_figures(text: str) -> set[str]:
    """Return the numbers that a text gives in digits or in words."""
    return figures(text) | figures_in_words(text)


def made_up(expression: str, known: Iterable[str]) -> list[str]:
    """Return the numbers of a calculation that follow from nothing known, in the order of their size; [] for none.

    Known are the given figures, each as a percentage of one too, whether added or taken off (15 allows 0.15, 0.85 and
    1.15; 9 allows 0.9, as in 九折), small whole numbers, and those that turn units into each other.
    """
    given = {Decimal(figure) for figure in known} | {Decimal(n) for n in range(SMALL + 1)}
    shares = {figure / scale for figure in given for scale in (10, 100) if figure <= 100}
    allowed = given | CONSTANTS | shares | {1 - share for share in shares} | {1 + share for share in shares}
    used = {Decimal(figure) for figure in figures(expression)}
    return [f"{number:f}" for number in sorted(used - allowed)]


def _chinese(number: str) -> int:
    """Return the value of a Chinese numeral: `二十五` is 25, `三百零五` is 305, `两` is 2, `二〇二六` is 2026."""
    if not set(number) & set("十百千万"):
        return int("".join(str(_digit(letter)) for letter in number))
    total = part = digit = 0
    for letter in number:
        value = _digit(letter)
        if value >= 10_000:
            total, part, digit = (total + part + digit) * value, 0, 0
        elif value >= 10:
            part, digit = part + (digit or 1) * value, 0
        else:
            digit = value
    return total + part + digit


def _digit(letter: str) -> int:
    return 2 if letter == "两" else int(unicodedata.numeric(letter))
