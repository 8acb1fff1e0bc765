"""Citations: only those that point to a passage of this run stay, and an answer without any gets its sources.

A citation is `[n]` with n from 1 to the number of passages; `[1, 2]`, `［1］` and `【1】` are read too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from motet.agents.claims import DOUBT, Claims, last_claim
from motet.agents.figures import figures
from motet.agents.unanswered import UNSUPPORTED, language_of, tells_nothing
from motet.storage.search import terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.events import Passage

_OPEN, _CLOSE = "[［【", "]］】"
_LONGEST = 24
_MARK = re.compile(
    rf"\s?[{re.escape(_OPEN)}]\s*(\d{{1,3}}(?:\s*[,，、;]\s*\d{{1,3}})*)\s*[{re.escape(_CLOSE)}](?!\()"
)

_PLAIN = re.compile(r"(?P<blank>\s?)(?P<mark>\[(?P<number>\d{1,3})\])(?!\()")

SUPPORT = 0.45
"""Share of an answer's terms that a passage must hold to be named as its source."""

TOLD = 0.8
"""Share of the terms of what was noted that a text must hold to tell it."""


class CitationFilter:
    """Takes citations of nothing out of a text that comes in pieces, and doubts those that do not bear out their claim.

    A citation of a passage that does not have the claim's figures becomes that of one that has them, and `[?]` where
    none has, or where the claim names what stands in none. That the documents do not say something has no source.

    An answer that is `doubted` beforehand is called so, unless it says itself that the documents do not say it.

    `feed` may hold back the last few characters, in case they are the beginning of a citation; `finish` gives them,
    and the sources of a text that cited none.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        noted: str = "",
        given: str = "",
        *,
        asked: str = "",
        sources: Mapping[str, Sequence[int]] | None = None,
        names_sources: bool = True,
        doubted: bool = False,
    ) -> None:
        self._passages = passages
        self._names_sources = names_sources
        self._doubted = doubted
        self._claims = Claims(passages, given, asked, noted)
        self._noted, self._sources = noted, sources
        self._held = ""
        self._said = ""
        self._moved = ""  # what stands where another citation stood

    def feed(self, text: str) -> str:
        """Return what of the text so far may be shown."""
        self._held += text
        opened = max(self._held.rfind(mark) for mark in _OPEN)
        closed = max(self._held.rfind(mark) for mark in _CLOSE)
        # A mark and the blank before it go together, so a blank at the end waits for what follows.
        keep = len(self._held)
        if opened > closed and keep - opened <= _LONGEST:
            keep = opened
        elif closed == keep - 1:
            keep = opened if opened >= 0 else keep  # "](" would be a link: wait for one more character
        if keep and self._held[keep - 1].isspace():
            keep -= 1
        return self._show(keep)

    def finish(self) -> str:
        """Return the rest, and sources when the text named none."""
        rest = self._show(len(self._held))
        if tells_nothing(self._said):
            return rest
        numbers = cited(self._said, len(self._passages))
        found = numbers
        if not numbers and DOUBT not in self._said and self._names_sources:
            found = supporting(self._said, self._passages, self._noted, self._sources)
        if self._is_unsupported(found):
            return f"{rest} {UNSUPPORTED[language_of(self._said)]}"
        if numbers or not found:
            return rest
        return f"{rest} " + "".join(f"[{number}]" for number in found)

    def _is_unsupported(self, found: Sequence[int]) -> bool:
        """Say whether the whole text is to be doubted, which rests on these passages."""
        if self._doubted:
            return True
        if not found:
            # It cites, and none of it stands in what was found; or it cites nothing, and its figures stand nowhere.
            nowhere = self._names_sources and bool(self._passages) and self._claims.is_made_up(self._said, ())
            return DOUBT in self._said or nowhere
        if self._claims.tells_else(self._said):
            return True
        # Where no citation stands behind its claim, nothing was held against any yet.
        unjudged = not cited(self._said, len(self._passages)) or _PLAIN.match(self._said) is not None
        return unjudged and self._claims.is_made_up(self._said, found)

    def _show(self, length: int) -> str:
        valid = keep_valid(self._held[:length], len(self._passages))
        self._held = self._held[length:]
        before = len(self._said)
        at = 0
        for mark in _PLAIN.finditer(valid):
            self._said += valid[at : mark.start()]
            self._cite(mark)
            at = mark.end()
        self._said += valid[at:]
        return self._said[before:]

    def _cite(self, mark: re.Match[str]) -> None:
        """Say a citation as its claim allows; one that stands there already is not said twice."""
        if tells_nothing(last_claim(self._said)):
            return
        number = self._claims.source(self._said, int(mark["number"]))
        told = f"[{number}]" if number else DOUBT
        moved = told != mark["mark"]
        if (moved or told == self._moved) and self._said.endswith(told):
            return
        self._moved = told if moved else ""
        self._said += mark["blank"] + told


def keep_valid(text: str, passages: int) -> str:
    """Return the text with every citation in the form `[n]`, and those that point to no passage removed."""

    def mend(match: re.Match[str]) -> str:
        numbers = [int(n) for n in re.findall(r"\d+", match.group(1))]
        kept = "".join(f"[{n}]" for n in dict.fromkeys(numbers) if 1 <= n <= passages)
        blank = match.group(0)[0] if match.group(0)[0].isspace() else ""
        return blank + kept if kept else ""

    return _MARK.sub(mend, text)


def cited(text: str, passages: int) -> list[int]:
    """Return the numbers that a text cites and that point to a passage, in order, each once."""
    found = (int(n) for match in _MARK.finditer(text) for n in re.findall(r"\d+", match.group(1)))
    return list(dict.fromkeys(n for n in found if 1 <= n <= passages))


def supporting(
    text: str,
    passages: Sequence[Passage],
    noted: str = "",
    sources: Mapping[str, Sequence[int]] | None = None,
) -> list[int]:
    """Return the numbers of the passages that a text without citations was plainly taken from.

    One that holds about half of its words, or a few of them and a number of it. A text that tells a result of what
    was noted (`noted` has its figure) rests on the passages that hold the noted figures too, and one that tells what
    was noted on those that it was noted from (`sources` has their numbers). Used with models too small to cite; []
    when nothing supports the text, as when it says that the documents do not have the answer.
    """
    words = set(terms(text))
    numbers = {number for number in figures(text) if len(number) > 1}
    results = {number for number in figures(noted) if len(number) > 1}
    worked_out = results if numbers & results else set[str]()
    if not words:
        return []
    told = {number for note, held in (sources or {}).items() if _tells(words, note) for number in held}
    found: list[int] = []
    for number, passage in enumerate(passages, start=1):
        has, held = set(terms(passage.text)), figures(passage.text)
        shared = len(words & has) / len(words)
        few = shared >= SUPPORT / 2 and bool(numbers & held)
        if number in told or shared >= SUPPORT or worked_out & held or few:
            found.append(number)
    return found[:3]


def _tells(words: set[str], note: str) -> bool:
    noted = set(terms(note))
    return bool(noted) and len(noted & words) >= TOLD * len(noted)
