"""What a question asks, as words: without function words, and without the names of what it is about.

"Who is the chief executive of Corvane Ferries?" asks for a `chief executive`. A passage about Corvane Ferries that has
neither word does not say it, however near it is. Told for English alone: in Chinese nothing marks a name.

What does not live here: figures (`figures`) and claims of an answer (`claims`).
"""

from __future__ import annotations

import re

from motet.storage.content_words import content_words
from motet.storage.search import is_cjk, terms

LEAST = 2
"""Words that must all be missing: one alone is easily said otherwise (`boss`, `price`)."""

STEM = 4
"""Letters at most that forms of one English word share: `carry` and `carries`, `car` and `cars`."""

_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
_BEGINS = re.compile(r"(?:^|[.!?:\n])[\s\"'“‘(]*$")


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


def says_none(text: str, words: set[str]) -> bool:
    """Say whether a text in English has none of some asked words, in no form; False where they are too few to tell."""
    if len(words) < LEAST or is_cjk(text):
        return False
    held = set(terms(text))
    return not any(_are_forms(word, other) for word in words for other in held)


def _are_forms(one: str, other: str) -> bool:
    shared = min(len(one), len(other), STEM)
    return one == other or (shared >= STEM - 1 and one[:shared] == other[:shared])
