"""Claims: whether what an answer says before a citation is borne out by the passages, as far as plain means can tell.

What does not live here: taking citations out of a text (`citations`). A figure or a name that stands nowhere, and a
sentence that shares no word with any passage, are found; a sentence that turns a passage's meaning round is not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from motet.agents.figures import all_figures, figures
from motet.agents.measures import answers_otherwise, currencies, pays_otherwise
from motet.agents.names import are_written_alike, names_strangers
from motet.retrieval.render import whole_text
from motet.storage.content_words import content_words
from motet.storage.search import is_cjk, terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.events import Passage

DOUBT = "[?]"
"""Stands where an answer cites a passage for what none of them says."""

MIN_TERMS = 5
"""A claim without figures that is shorter than this is not judged by its words."""

SHARED = 0.45
"""Share of a claim's terms that another passage must hold to be named instead."""

_MARK = re.compile(r"\[(?:\d{1,3}|\?)\]")
_LAST_MARK = re.compile(r"\[(?:\d{1,3}|\?)\]$")
_STOPS = "。．.！？!?"
_END = re.compile(r"[。！？!?\n]|\.\s")


class Claims:
    """Judges the claims of one answer.

    Args:
        passages: What may be cited; number n is the n-th of them.
        given: What may be said without a passage: what was asked, and what tools gave.
        asked: The question alone, where it is known: it says whether a name is asked for, or which quantity.
        noted: What the steps found. Its figures need no passage where none has them: they were worked out.
    """

    def __init__(
        self, passages: Sequence[Passage], given: str = "", asked: str = "", noted: str = ""
    ) -> None:
        self._texts = [whole_text(passage) for passage in passages]
        self._held = [all_figures(text) for text in self._texts]
        self._words = [set(terms(text)) for text in self._texts]
        anywhere = set[str]().union(*self._held)
        self._given = all_figures(f"{given} {asked}") | (all_figures(noted) - anywhere)
        self._told = f"{given} {asked} {noted}"
        self._asked = asked
        self._currencies = currencies(" ".join([given, asked, *self._texts]))

    def source(self, said: str, number: int) -> int:
        """Return which passage the last claim of a text should cite: the one it names, a better one, or 0 for none."""
        claim = last_claim(said)
        if self._names_strangers(claim, number) or pays_otherwise(claim, self._currencies):
            return 0
        stated = {figure for figure in figures(claim) if len(figure) > 1}
        asked = {figure for figure in stated if not _is_in(figure, self._given)}
        if asked:
            return self._by_figures(asked, claim, number)
        return number if stated else self._by_words(claim, number)

    def is_made_up(self, text: str, numbers: Sequence[int]) -> bool:
        """Say whether a text states what is in no passage, though it would rest on some of them.

        A figure of two digits or more counts, and a name; one that may be translated does not.
        """
        anywhere = self._given.union(*self._held)
        stated = {figure for figure in figures(_MARK.sub(" ", text)) if len(figure) > 1}
        return (
            any(not _is_in(figure, anywhere) for figure in stated)
            or any(self._names_strangers(text, number) for number in numbers)
            or pays_otherwise(text, self._currencies)
        )

    def _names_strangers(self, claim: str, number: int) -> bool:
        """Say whether a claim names what stands nowhere.

        It is not told where its passage is in another language, nor of languages that write more than names with a
        capital, as German does.
        """
        text = self._texts[number - 1]
        if is_cjk(claim) != is_cjk(text) or not are_written_alike(claim, text):
            return False
        return names_strangers(claim, self._texts, self._told, self._asked)

    def tells_else(self, text: str) -> bool:
        """Say whether a whole answer gives quantities, and none of a kind that was asked for."""
        return answers_otherwise(text, self._asked)

    def _by_figures(self, asked: set[str], claim: str, number: int) -> int:
        anywhere = set[str]().union(*self._held)
        if any(not _is_in(figure, anywhere) for figure in asked):
            return 0
        counts = [sum(_is_in(figure, held) for figure in asked) for held in self._held]
        words = set(terms(content_words(claim)))
        near = len(words & self._words[number - 1]) >= SHARED * len(words)  # for the rest of what it says
        return number if counts[number - 1] or near else counts.index(max(counts)) + 1

    def _by_words(self, claim: str, number: int) -> int:
        words = set(terms(content_words(claim)))
        text = self._texts[number - 1]
        if len(words) < MIN_TERMS or words & self._words[number - 1] or is_cjk(claim) != is_cjk(text):
            return number
        shares = [len(words & held) / len(words) for held in self._words]
        best = max(range(len(shares)), key=lambda at: shares[at])
        if shares[best] >= SHARED:
            return best + 1
        other_language = any(is_cjk(claim) != is_cjk(text) for text in self._texts)
        return number if other_language else 0


def last_claim(said: str) -> str:
    """Return what a citation at the end of a text is for: from the citation or the sentence before it on."""
    bare = said.rstrip().rstrip(_STOPS)
    while (at := _LAST_MARK.search(bare)) is not None:
        bare = bare[: at.start()].rstrip().rstrip(_STOPS)
    begun = max((match.end() for match in (*_MARK.finditer(bare), *_END.finditer(bare))), default=0)
    return bare[begun:]


def _is_in(figure: str, held: set[str]) -> bool:
    """Say whether a figure is held, as it is or rounded to whole numbers."""
    if figure in held:
        return True
    whole = figure.isdigit()
    return whole and any("." in other and round(float(other)) == int(figure) for other in held)
