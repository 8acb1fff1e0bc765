"""Cut a stream of markdown into finished blocks, so that each is rendered once and never again.

What does not live here: rendering (`paint`). The splitter reads lines, not inline markup. Where it is in doubt it
keeps text together: a block that is too large is still right, one that is cut too early is not.

Source: CommonMark 0.31, the block structure (4.5 fenced code, 4.8 paragraphs, 5.2 list items).
"""

from __future__ import annotations

import re

_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})(?P<info>.*)")
_ITEM = re.compile(r" {0,3}([-*+]|\d{1,9}[.)])(\s|$)")
_INDENTED = re.compile(r"( {2,}|\t)")

TAIL_LINES = 40
"""Lines of an unfinished block that are shown; more would not fit the live part of a screen."""


class BlockSplitter:
    """Takes text as it comes and gives back blocks as they finish.

    Nothing is lost or added: the blocks and then `tail` are the text so far, and how it was cut into pieces on the
    way in makes no difference.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._partial = ""
        self._fence = ""
        self._fence_line = ""
        self._loose = False
        self._waiting = False

    @property
    def tail(self) -> str:
        """The text that is not in a finished block yet."""
        return "".join(self._lines) + self._partial

    def feed(self, text: str) -> list[str]:
        """Take more text; return the blocks that it finished, each with the blank lines after it."""
        finished: list[str] = []
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            finished += self._take(line + "\n")
        return finished

    def flush(self) -> list[str]:
        """End the text: return the blocks that are left, if any."""
        line, self._partial = self._partial, ""
        finished = self._take(line) if line else []
        self._fence = ""
        return finished + self._finish()

    def window(self, lines: int = TAIL_LINES) -> str:
        """Return the tail as it can be shown: a long one is cut at the top, a cut fence is opened again."""
        shown = self.tail.splitlines(keepends=True)
        if len(shown) <= lines:
            return self.tail
        cut = "".join(shown[-lines:])
        return self._fence_line + cut if self._fence else cut

    def _take(self, line: str) -> list[str]:
        """Add a whole line; return the block before it when that is finished by it."""
        if self._fence:
            self._lines.append(line)
            if _closes(line, self._fence):
                self._fence = ""
            return []
        if not line.strip():
            return self._take_blank(line)
        finished: list[str] = []
        if self._waiting and not self._goes_on(line):
            finished = self._finish()
        self._waiting = False
        self._note(line)
        self._lines.append(line)
        return finished

    def _take_blank(self, line: str) -> list[str]:
        # Blank lines belong to the block before them, and what follows says whether it goes on: a paragraph
        # never does, a list or an indented block may.
        if not any(kept.strip() for kept in self._lines):
            self._lines.append(line)
            return []
        self._lines.append(line)
        self._waiting = True
        return [] if self._loose else self._finish()

    def _goes_on(self, line: str) -> bool:
        return bool(_INDENTED.match(line) or _ITEM.match(line))

    def _note(self, line: str) -> None:
        """Notice what a line begins: a fence, a list, an indented block."""
        opened = _FENCE.match(line)
        if opened and not (opened["marks"][0] == "`" and "`" in opened["info"]):
            self._fence, self._fence_line = opened["marks"], line
        if _ITEM.match(line) or _INDENTED.match(line):
            self._loose = True

    def _finish(self) -> list[str]:
        block = "".join(self._lines)
        self._lines, self._loose, self._waiting = [], False, False
        return [block] if block else []


def _closes(line: str, fence: str) -> bool:
    text = line.strip()
    return len(text) >= len(fence) and set(text) == {fence[0]} and not line.startswith("    ")
