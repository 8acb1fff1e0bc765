"""Where the values of a call's arguments come from: the user's own words, what was read, or the model.

What does not live here: what follows from it (`guard`).
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

USER = "the user's own words"
MODEL = "written by the model"

_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]")
MIN_FOUND_CHARS = 4
"""A shorter text is found inside of words everywhere: where it was read is told where it stands as a word."""
MIN_WORD_CHARS = 2
"""Most Chinese names have two or three characters, and sums of money as many digits."""
EXCERPT_CHARS = 60
"""Most of a line that is shown on either side of what was found in it."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What a run's arguments can come from."""

    said: Sequence[str] = ()
    """The user's own words, newest last."""
    offered: frozenset[str] = frozenset()
    """Links that a search offered: they can be followed as they are."""
    read: Sequence[tuple[str, str]] = ()
    """What else was read: where, and the text."""
    _folded: list[str] = field(default_factory=list[str], init=False, compare=False)

    def folded(self) -> list[str]:
        """Return the user's words as they are compared."""
        if not self._folded:
            self._folded.extend(fold(text) for text in self.said)
        return self._folded


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value comes from."""

    argument: str
    value: Any
    origin: str
    is_trusted: bool
    excerpt: str = ""
    """The line that it stands in, where it was found in one."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, for the person who is asked."""
        return {
            "argument": self.argument,
            "value": self.value,
            "origin": self.origin,
            "trusted": self.is_trusted,
            "excerpt": self.excerpt,
        }


def trace(
    arguments: Mapping[str, Any],
    texts: Texts,
    *,
    loose: Sequence[str] = (),
    offered: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> list[Origin]:
    """Return where every value of a call's arguments comes from.

    Args:
        arguments: The call's.
        texts: What they can come from.
        loose: Arguments whose words may come from anywhere in the user's words, a search's for example.
        offered: Arguments that may be a link that a search offered.
        defaults: What the tool takes for an argument that is left out; the same, said, is nothing of anybody's.

    A text is the user's where it stands in the user's words whole, letter for letter but for case, width and spaces.
    """
    found: list[Origin] = []
    for name, given in arguments.items():
        if defaults and name in defaults and defaults[name] == given:
            continue
        for path, value in _leaves(name, given):
            if name in offered and value in texts.offered:
                found.append(Origin(path, value, "a link that a search offered", is_trusted=True))
            elif _said(value, texts, loose=name in loose):
                found.append(Origin(path, value, USER, is_trusted=True, excerpt=_line_of(value, texts.said)))
            else:
                where, read = _read_in(value, texts)
                found.append(Origin(path, value, where, is_trusted=False, excerpt=_line_of(value, [read])))
    return found


def fold(text: str) -> str:
    """Return a text without what two people would write differently: width, case, spaces, quotation marks."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.translate(_QUOTES).split())


_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "「": '"', "」": '"'})


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():  # the key is somebody's too
            yield f"{path}.{key}", str(key)
            yield from _leaves(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(f"{path}[{number}]", inner)
    else:
        yield path, value


def _said(value: Any, texts: Texts, *, loose: bool) -> bool:
    if value is None or value == "":
        return True
    if isinstance(value, bool):
        return False
    text = fold(value if isinstance(value, str) else json.dumps(value))
    if not text:
        return True
    if loose:
        words = _parts(text)
        known = {part for said in texts.folded() for part in _parts(said)}
        return bool(words) and words <= known
    return any(_stands_in(text, said) for said in texts.folded())


def _stands_in(text: str, said: str) -> bool:
    """Say whether a text stands in another and does not begin or end inside of a word there."""
    place = said.find(text)
    while place >= 0:
        before, after = said[place - 1 : place], said[place + len(text) : place + len(text) + 1]
        if not (_joins(before, text[0]) or _joins(text[-1], after)):
            return True
        place = said.find(text, place + 1)
    return False


def _joins(left: str, right: str) -> bool:
    if not left or not right or _CJK.match(left) or _CJK.match(right):
        return False
    return (left.isalnum() or left == "_") and (right.isalnum() or right == "_")


def _parts(text: str) -> set[str]:
    """Return a text's words; of a run of CJK characters every pair."""
    found: set[str] = set()
    for word in _WORD.findall(text):
        if _CJK.search(word):
            found |= {word[i : i + 2] for i in range(max(len(word) - 1, 1))}
        else:
            found.add(word)
    return found


def _read_in(value: Any, texts: Texts) -> tuple[str, str]:
    """Return where a value was read, and the text."""
    text = fold(str(value))
    if len(text) >= MIN_WORD_CHARS and not isinstance(value, bool):
        is_long = len(text) >= MIN_FOUND_CHARS
        for where, read in reversed(texts.read):
            folded = fold(read)
            if text in folded if is_long else _stands_in(text, folded):
                return where, read
    return MODEL, ""


def _line_of(value: Any, texts: Sequence[str]) -> str:
    """Return the line of the newest text that a value stands in, what is around it cut off; "" for none."""
    text = fold(value if isinstance(value, str) else json.dumps(value))
    for read in reversed(texts) if text else ():
        for line in read.splitlines():
            place = fold(line).find(text)
            if place >= 0:  # folding hardly moves it
                begin = max(place - EXCERPT_CHARS, 0)
                cut = line[begin : place + len(text) + EXCERPT_CHARS]
                return ("…" if begin else "") + cut + ("…" if begin + len(cut) < len(line) else "")
    return ""
