"""What of a question is worth looking up as words: function words would find every document.

What does not live here: the terms themselves (`search`).
"""

from __future__ import annotations

import re

from motet.storage.search import terms

_ENGLISH_WORDS = """
a about after all also am an and any are as at be because been before being between both but by can could did do
does doing during each every few for from had has have having he her here hers him his how i if in into is it its
itself just many me more most much my no nor not of off on once only or other our out over own please same she
should so some such tell than that the their them then there these they this those through to too under until up
us very was we were what when where which while who whom why will with would you your yours
"""

# Longer words first. Inside other words most single function characters mean something else, so few are here.
_CHINESE = re.compile(
    "是不是|有没有|能不能|可不可以|是多少|有哪些|有多少|告诉我|为什么|怎么样|请问|什么|怎样|怎么|如何|多少|哪些|哪个|哪里|哪儿"
    "|几个|是否|可以|能否|我们|你们|他们|它们|这个|那个|这些|那些|一下|以及|或者|如果|因为|所以|但是|关于"
    "|(?<!目)的(?![士确])|[了吗呢吧啊呀嘛]"
)

_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_SHARED = """
a all also am an any as at be before do has he her i in is me more no of on or over so same was we will
"""
_ENGLISH_ALONE = _ENGLISH - frozenset(_SHARED.split())
"""Those that are no words of German, Dutch, French, Spanish or Italian."""

ENGLISH_SHARE = 1 / 8
"""Part of the words written small in an English text that are such."""
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?")


def content_words(question: str) -> str:
    """Return the question without English and Chinese function words; unchanged when nothing else is in it."""
    kept = without_function_words(question)
    return kept if terms(kept) else question


def may_be_english(text: str) -> bool:
    """Say whether a text in Latin letters may be English: by its small words, if it has any.

    A short English text may be taken for another language; one of another language is hardly taken for English.
    """
    small = [word for word in re.findall(r"[^\W\d_]+", text) if word.islower()]
    return len(small) < 2 or sum(word in _ENGLISH_ALONE for word in small) >= ENGLISH_SHARE * len(small)


def without_function_words(text: str) -> str:
    """Return a text without English and Chinese function words; blanks and signs alone when nothing else is in it."""
    kept = _WORD.sub(lambda m: " " if m.group().casefold() in _ENGLISH else m.group(), text)
    return _CHINESE.sub(" ", kept)
