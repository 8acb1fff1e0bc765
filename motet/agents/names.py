"""Names in what a model says: which of them stand in no text that it was shown, nor in what was asked.

What does not live here: figures (`figures`), and what follows from a name that stands nowhere (`claims`, `retriever`).
A name may be translated or spelt in another script, so a text is held against texts of its own language alone.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from motet.agents.figures import figures_in_words
from motet.storage.content_words import may_be_english, without_function_words
from motet.storage.search import is_cjk, terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

INFLECTION = 3
"""Letters that a name may have more or less than it has elsewhere: `Solbergs`, `Lysneser`."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_BEGINS = re.compile(r"(?:^|[.!?:;\n。！？：])[\s\"'“‘(（*_-]*$")
_POSSESSIVE = re.compile(r"['’]s?$")
_DOTTED = re.compile(r"([\u3400-\u9fff]{1,2})[·•‧・]([\u3400-\u9fff]{1,2})")
_MONTHS = "january february march april may june july august september october november december"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_CALENDAR = frozenset([*_MONTHS.split(), *_DAYS.split(), *(f"{day}s" for day in _DAYS.split())])
_TITLED = "mr mrs ms dr sir lady captain chairman chairwoman chair director founder president professor manager member"
_TITLES = frozenset([*_TITLED.split(), "chief", "engineer", "doctor", "king", "queen", "saint"])
_WHO = re.compile(r"\b(?:who|whom|whose|name|named|called)\b", re.IGNORECASE)
_ASKS_FOR_NAME = re.compile(r"谁|哪位|哪一位|何人|什么人|叫什么|什么名字|哪家|哪个(?:公司|单位|人)")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_JOINS = re.compile(r"[的了是由为叫被让和与在及]")
_DENIES = re.compile(r"没|未|无|不")


def unknown_names(said: str, texts: Iterable[str], given: str = "") -> list[str]:
    """Return the names in a text that stand in no other.

    A name is a word of letters with a capital that does not begin a sentence, or begins one before another such word
    where it was asked who (`John Smith does`, but not `Captain Smith does`), and Chinese on both sides of a middle dot
    (`约翰·史密斯`). Names of months and days are none, since dates are written in many ways.

    Args:
        said: What was said.
        texts: Where its names may stand, in the language of `said`: the caller sees to that.
        given: What else may be named: what was asked.

    Returns:
        Words as they are written, or `左·右` of a name with a dot, in their order; [] when all are known.
    """
    corpus = [*texts, given]
    known = {term for text in corpus for term in terms(text)}
    unknown = [
        word
        for word in _capitalised(said, whole=_WHO.search(given) is not None)
        if not _is_known(word, known)
    ]
    for left, right in _DOTTED.findall(said):
        if not any(left in text and right in text for text in corpus):
            unknown.append(f"{left}·{right}")
    return unknown


def names_nobody(said: str, texts: Iterable[str], given: str) -> bool:
    """Say whether a Chinese sentence should give a name and gives none that stands in a text.

    Nothing marks a name in Chinese. But where a question asks for one (`谁`, `哪家`), what the answer adds to the
    question's words holds the name; when no pair of its characters stands in any text, the name was made up. A
    sentence that denies something is not judged.

    Args:
        said: One claim of an answer.
        texts: Where the name may stand, in Chinese.
        given: What was asked.
    """
    if not is_cjk(said) or not _ASKS_FOR_NAME.search(given) or _DENIES.search(said):
        return False
    added = {pair for piece in _added(said, given) for pair in terms(piece) if len(pair) > 1}
    return bool(added) and not any(added & set(terms(text)) for text in texts)


def are_written_alike(said: str, text: str) -> bool:
    """Say whether names in a text can be told as in another: Chinese, or both in English.

    Other languages write more than names with a capital, as German does, and translate names.
    """
    return is_cjk(said) or (may_be_english(said) and may_be_english(text))


def names_strangers(said: str, texts: Sequence[str], given: str, asked: str) -> bool:
    """Say whether a text names what stands in no other: `unknown_names`, or in its own script `names_nobody`."""
    same = [text for text in texts if is_cjk(text) == is_cjk(said)]
    return bool(unknown_names(said, texts, given)) or names_nobody(said, same, asked)


def _added(said: str, given: str) -> list[str]:
    """Return the pieces of a Chinese sentence that neither are in a question nor join its words."""
    asked = set(terms(given))
    kept = list(said)
    for at in range(len(said) - 1):
        if said[at : at + 2] in asked:
            kept[at : at + 2] = "  "
    return [piece for run in _HAN.findall("".join(kept)) for piece in _JOINS.split(run) if len(piece) > 1]


def _capitalised(text: str, *, whole: bool) -> list[str]:
    """Return the words of a text that are written as names; `whole` with those that begin a sentence as a name does."""
    words = [word for word in _WORD.finditer(text) if _is_name(word.group())]
    found: list[str] = []
    for word, after in zip_longest(words, words[1:]):
        begins = _BEGINS.search(text[: word.start()]) is not None
        adjoins = after is not None and text[word.end() : after.start()] == " "
        if not begins or (whole and adjoins and word.group().casefold() not in _TITLES):
            found.append(word.group())
    return found


def _is_name(word: str) -> bool:
    plain = _POSSESSIVE.sub("", word)
    return (
        len(plain) > 1
        and plain[0].isupper()
        and any(letter.islower() for letter in plain)
        and plain.casefold() not in _CALENDAR
        and not figures_in_words(plain)
        and bool(without_function_words(plain).strip())
    )


def _is_known(word: str, known: set[str]) -> bool:
    *parts, whole = terms(_POSSESSIVE.sub("", word))
    return any(_are_one(whole, other) for other in known) or (
        bool(parts) and all(any(_are_one(part, other) for other in known) for part in parts)
    )


def _are_one(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return one == other or (
        len(short) > INFLECTION and len(long) - len(short) <= INFLECTION and long.startswith(short)
    )
