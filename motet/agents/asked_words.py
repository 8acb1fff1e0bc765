"""What a question asks, as words: without function words, and without the names of what it is about.

"Who is the chief executive of Corvane Ferries?" asks for a `chief executive`. A passage about Corvane Ferries that has
neither word does not say it, however near it is. In Chinese nothing marks a name: pieces of a question that stand in a
passage as they are count as names there (`科文轮渡`), and those of which it has no pair of characters as what is asked
(`总经理`).

What does not live here: figures (`figures`) and claims of an answer (`claims`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from motet.storage.content_words import content_words
from motet.storage.search import is_cjk, terms

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST = 2
"""Words that must all be missing: one alone is easily said otherwise (`boss`, `price`)."""

STEM = 4
"""Letters at most that forms of one English word share: `carry` and `carries`, `car` and `cars`."""

_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
_BEGINS = re.compile(r"(?:^|[.!?:\n])[\s\"'“‘(]*$")


_HAN = re.compile(r"[\u3400-\u9fff]+")
_JOINS = re.compile(r"[的了是由为叫被让和与在及有]|谁|哪[些个家位]?|何人|几[个种名位台只条座家]?|多少")


OPEN_EN = "who|whom|whose|what|when|where|why|how"
OPEN_ZH = "谁|什么|多少|几|怎么|怎样|如何|何时|何地|为何|多[久大高长远重宽深快厚热冷]"
"""Words that ask for what the question does not offer, in English and in Chinese, as patterns."""

EITHER_ZH = r"吗|是否|([\u3400-\u9fff])[不没]\1"
"""What asks for yes or no in Chinese, as a pattern with one group."""

_OPEN = re.compile(rf"\b(?:{OPEN_EN})\b|{OPEN_ZH}", re.IGNORECASE)
_OFFERS = re.compile(rf"\b(?:which|or|whether|if)\b|哪|还是|{EITHER_ZH}", re.IGNORECASE)
"""A question that offers what may be the answer, which then is in the question's words."""

_QUESTION = re.compile(r"[^.!?。！？\n]*[?？]")


def questions(text: str) -> str:
    """Return the sentences of a text that end with a question mark; "" where none does."""
    return " ".join(sentence.strip() for sentence in _QUESTION.findall(text))


def asked_words(question: str) -> set[str]:
    """Return the words of a question that are neither function words nor names; set() where Chinese is asked."""
    if is_cjk(question):
        return set()
    names = {
        part
        for word in _WORD.finditer(question)
        if word.group()[0].isupper() and not _BEGINS.search(question[: word.start()])
        for part in terms(word.group())
    }
    return {word for word in terms(content_words(question)) if word.isalpha() and word not in names}


def adds_nothing(said: str, question: str) -> bool:
    """Say whether a text answers an open question with nothing but the question's own words."""
    if not _OPEN.search(question) or _OFFERS.search(question):
        return False
    return not set(terms(content_words(said))) - set(terms(question))


def says_none(text: str, words: set[str]) -> bool:
    """Say whether a text in English has none of some asked words, in no form; False where they are too few to tell."""
    if len(words) < LEAST or is_cjk(text):
        return False
    held = set(terms(text))
    return not any(_are_forms(word, other) for word in words for other in held)


def _are_forms(one: str, other: str) -> bool:
    shared = min(len(one), len(other), STEM)
    return one == other or (shared >= STEM - 1 and one[:shared] == other[:shared])


def asks_missing(question: str, texts: Sequence[str]) -> bool:
    """Say whether no text has a form of a word that a question asks with; in Chinese, whether a piece is in none."""
    missing = _missing(question, texts)
    return bool(missing) and (is_cjk(question) or missing == asked_words(question))


def _missing(question: str, texts: Sequence[str]) -> set[str]:
    """Return the words or pieces of a question that no text has; set() without a text in its language."""
    same = [text for text in texts if is_cjk(text) == is_cjk(question)]
    if not same:
        return set()
    if is_cjk(question):
        return set.intersection(*(set(missing_pieces(text, question)) for text in same))
    held = {word for text in same for word in terms(text)}
    return {word for word in asked_words(question) if not any(_are_forms(word, other) for other in held)}


def lacks(text: str, question: str) -> bool:
    """Say whether a text in Chinese has what a question names, and nothing of the rest that it asks.

    The rest has three characters or more: shorter words are easily said otherwise. False where a piece of the question
    stands there in part, and where text or question is in another language.
    """
    if not is_cjk(question) or not is_cjk(text):
        return False
    missing = missing_pieces(text, question)
    named = all(piece in text for piece in _pieces(question) if piece not in missing)
    return named and sum(len(piece) - 1 for piece in missing) >= LEAST


def missing_pieces(text: str, question: str) -> list[str]:
    """Return the pieces of a Chinese question of which a text has no pair of characters."""
    held = set(terms(text))
    return [piece for piece in _pieces(question) if not held & set(terms(piece))]


def _pieces(question: str) -> list[str]:
    """Return what stands between function words in a Chinese question, two characters or more."""
    runs = _HAN.findall(content_words(question))
    return [piece for run in runs for piece in _JOINS.split(run) if len(piece) > 1]
