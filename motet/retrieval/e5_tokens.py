"""Text to the numbers of its pieces, as the local embedding model was taught: SentencePiece's unigram pieces.

What does not live here: the model (`e5`), and reading its file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SPACE = "\u2581"
"""What stands for a space inside pieces."""
_SPACES = re.compile("  +")
_WORD = re.compile(f"{_SPACE}[^{_SPACE}]*")

MAX_WORDS, MAX_WORD_CHARS = 20_000, 24
"""Words whose pieces are kept, and how long they may be: a sentence without spaces does not come again."""


@dataclass(slots=True)
class Tokenizer:
    """The pieces and how to choose among them."""

    pieces: Mapping[str, tuple[int, float]]
    """By a piece's text: its number and the logarithm of its probability."""
    normal: Mapping[int, str]
    """What becomes of a character before it is looked up, as `str.translate` takes it."""
    unknown: int
    unknown_score: float
    longest: dict[str, int] = field(init=False, default_factory=dict[str, int])
    """By a piece's first two characters: how long pieces that begin so may be."""
    _known: Callable[[str], tuple[int, ...]] = field(init=False)
    """The pieces of a word, kept for the next time."""

    def __post_init__(self) -> None:
        self._known = lru_cache(MAX_WORDS)(self._likeliest)
        longest = self.longest
        for piece in self.pieces:
            begin = piece[:2]
            if len(piece) > longest.get(begin, 0):
                longest[begin] = len(piece)

    def numbers(self, text: str) -> list[int]:
        """Return the numbers of the likeliest pieces of a text, in order; never empty.

        No piece has a space but at its beginning, so that each word has its own likeliest pieces.
        """
        text = _SPACES.sub(" ", text.translate(self.normal))
        text = (text if text.startswith(" ") else f" {text}").replace(" ", _SPACE)
        found: list[int] = []
        for word in _WORD.findall(text):
            found += self._known(word) if len(word) <= MAX_WORD_CHARS else self._likeliest(word)
        return found

    def _likeliest(self, text: str) -> tuple[int, ...]:
        """Return the numbers of the likeliest pieces of a text without a space inside, in order (Viterbi).

        Source: T. Kudo, "Subword Regularization", ACL 2018, section 3.2.
        """
        best = [0.0] + [-1e30] * len(text)
        chosen = [(0, self.unknown)] * (len(text) + 1)
        find, longest = self.pieces.get, self.longest.get
        for start, score in enumerate(best[:-1]):
            score = best[start]  # noqa: PLW2901  # it was written since the copy
            if score + self.unknown_score > best[start + 1]:
                best[start + 1], chosen[start + 1] = score + self.unknown_score, (start, self.unknown)
            last = start + longest(text[start : start + 2], 1)
            for end in range(start + 1, min(last, len(text)) + 1):
                piece = find(text[start:end])
                if piece is not None and score + piece[1] > best[end]:
                    best[end], chosen[end] = score + piece[1], (start, piece[0])
        found: list[int] = []
        at = len(text)
        while at:
            at, number = chosen[at]
            found.append(number)
        return tuple(found[::-1])
