"""Filters of a model's text as it streams: thoughts in tags are taken out of it, and it ends before a stop word.

What does not live here: the wrapper that filters any model's text (`filtered`).
"""

from __future__ import annotations

import re

_OPEN = "<think>"
_CLOSE = "</think>"
_SPACE = re.compile(r"\s*")


def held_back(text: str, word: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a word."""
    return next((n for n in range(min(len(text), len(word) - 1), 0, -1) if word.startswith(text[-n:])), 0)


class ThoughtFilter:
    """Takes `<think>…</think>` off the beginning of an answer; servers without a parser for it leave it in the text."""

    def __init__(self) -> None:
        self._state = "before"
        self._held = ""
        self._thought: list[str] = []

    def feed(self, text: str) -> str:
        """Take a piece; return what of it is answer."""
        if self._state == "answer":
            return text
        if self._state == "after":
            return self._after(text)
        self._held += text
        if self._state == "before":
            begun = _SPACE.sub("", self._held, count=1)
            if begun.startswith(_OPEN):
                self._state, self._held = "thinking", begun[len(_OPEN) :]
            elif not _OPEN.startswith(begun):
                return self._let_go()
        return self._think() if self._state == "thinking" else ""

    def thought(self) -> str:
        """Return what was thought since it was last asked."""
        text, self._thought = "".join(self._thought), []
        return text

    def finish(self) -> str:
        """Return what was held back."""
        if self._state == "thinking":
            self._thought.append(self._held)
            self._held = ""
        return self._let_go()

    def _think(self) -> str:
        thought, closed, rest = self._held.partition(_CLOSE)
        if closed:
            self._thought.append(thought)
            self._state, self._held = "after", ""
            return self._after(rest)
        keep = held_back(self._held, _CLOSE)
        cut = len(self._held) - keep
        self._thought.append(self._held[:cut])
        self._held = self._held[cut:]
        return ""

    def _after(self, text: str) -> str:
        """Leave out the space between the thoughts and the answer."""
        shown = text.lstrip()
        self._state = "answer" if shown else "after"
        return shown

    def _let_go(self) -> str:
        self._state, held, self._held = "answer", self._held, ""
        return held


class StopFilter:
    """Ends a text before the first of some words, where the server cannot."""

    def __init__(self, words: list[str]) -> None:
        self._words = [word for word in words if word]
        self._held = ""
        self._ended = False

    def feed(self, text: str) -> str:
        """Take a piece; return what of it stands before the end."""
        if self._ended:
            return ""
        whole = self._held + text
        ends = [at for word in self._words if (at := whole.find(word)) >= 0]
        if ends:
            self._ended, self._held = True, ""
            return whole[: min(ends)]
        keep = max((held_back(whole, word) for word in self._words), default=0)
        self._held = whole[len(whole) - keep :] if keep else ""
        return whole[: len(whole) - keep]

    def finish(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return held
