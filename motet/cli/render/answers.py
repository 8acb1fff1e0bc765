"""Show the answer, and nothing else: whole at the end, as raw text while it comes, or as markdown on a screen.

What does not live here: what is told about the work (`notes`), and the machine's forms (`jsonl`, `summary`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Group
from rich.text import Text

from motet.cli.markdown.blocks import BlockSplitter
from motet.cli.markdown.lines import Hanging, unsteering
from motet.cli.markdown.paint import Block
from motet.cli.render import wording
from motet.cli.render.outcome import Outcome
from motet.events import TERMINAL, MessageCompleted, MessageDelta, MessageSuperseded, RunStarted

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from motet.cli.screen.base import Screen
    from motet.events import Recorded


class WholeAnswer:
    """Hands over the answer with its citations when the run ends: what a pipe or a file gets."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._outcome = Outcome()

    def show(self, recorded: Recorded) -> None:
        """Take a run's next event."""
        self._outcome.add(recorded)

    def close(self) -> None:
        """Hand over the answer. A run without one hands over nothing."""
        text = wording.answer_text(self._outcome.answer, self._outcome.citations)
        self._outcome = Outcome()
        if text:
            self._write(text)


class RawAnswer:
    """Writes the answer's text as it comes, with no codes: a terminal that wants plain text.

    What was written cannot be taken back: when the finished text is another one, it is written again below.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._message_id = ""
        self._written = ""

    def show(self, recorded: Recorded) -> None:
        """Take a run's next event."""
        match recorded.event:
            case RunStarted() | MessageSuperseded():
                self._break_off()
            case MessageDelta(message_id=message_id, text=text):
                if message_id != self._message_id:
                    self._break_off()
                    self._message_id = message_id
                self._write(text)
            case MessageCompleted(role="assistant") as message:
                self._complete(message)
            case event if event.type in TERMINAL:
                self._break_off()
            case _:
                pass

    def close(self) -> None:
        """End the line of a text that broke off."""
        self._break_off()

    def _complete(self, message: MessageCompleted) -> None:
        rest = _rest(message.text, self._written)
        if message.message_id != self._message_id or rest is None:
            self._break_off()
            rest = message.text.strip()
        below = "".join(f"{line}\n" for line in wording.citations(message.citations))
        if rest:
            self._write(rest)
        self._end_line()
        if below:
            self._stream.write(f"\n{below}")
            self._stream.flush()
        self._message_id, self._written = "", ""

    def _break_off(self) -> None:
        self._end_line()
        self._message_id, self._written = "", ""

    def _end_line(self) -> None:
        if self._written and not self._written.endswith("\n"):
            self._write("\n")

    def _write(self, text: str) -> None:
        self._written += text
        self._stream.write(unsteering(text))
        self._stream.flush()


class ScreenAnswer:
    """Shows the answer as markdown: each finished block is printed once, the unfinished one is in the live part.

    When the finished text is not the one that was streamed, the blocks that differ are void and the text is
    printed again below; so the last answer on the screen is always the one on record.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._message_id = ""
        self._printed = ""
        self._splitter = BlockSplitter()

    def show(self, recorded: Recorded) -> None:
        """Take a run's next event."""
        match recorded.event:
            case RunStarted() | MessageSuperseded():
                self._begin("")
            case MessageDelta(message_id=message_id, text=text):
                if message_id != self._message_id:
                    self.keep_partial()
                    self._begin(message_id)
                self._print(self._splitter.feed(text))
                self._screen.live("answer", self._tail)
            case MessageCompleted(role="assistant") as message:
                self._complete(message)
            case event if event.type in TERMINAL:
                self.keep_partial()
            case _:
                pass

    def close(self) -> None:
        """Print what is left of a text that broke off."""
        self.keep_partial()
        self._begin("")
        self._screen.refresh()

    def keep_partial(self) -> None:
        """Print the unfinished block as it is: the run was stopped, and what it wrote stays on the screen."""
        self._screen.live("answer", None)
        self._print(self._splitter.flush())

    def _begin(self, message_id: str) -> None:
        self._screen.live("answer", None)
        self._message_id, self._printed, self._splitter = message_id, "", BlockSplitter()

    def _tail(self) -> RenderableType | None:
        window = self._splitter.window()
        return Block(window) if window.strip() else None

    def _print(self, blocks: list[str]) -> None:
        for block in blocks:
            self._printed += block
            if block.strip():
                self._screen.answer(Block(block))

    def _complete(self, message: MessageCompleted) -> None:
        if message.message_id != self._message_id:
            self.keep_partial()
            self._begin(message.message_id)
        rest = _rest(message.text, self._printed)
        if rest is None:
            rest = message.text
            self._screen.answer(Text("The answer was corrected after it was written:", style="yellow"))
        splitter = BlockSplitter()
        self._screen.live("answer", None)
        self._print(splitter.feed(rest) + splitter.flush())
        below = [Hanging(line, "dim") for line in wording.citations(message.citations)]
        if below:
            self._screen.answer(Group(*below))
        self._begin("")


def _rest(text: str, shown: str) -> str | None:
    """Return what is left to show of a text; None when something else was shown. Spaces around do not count."""
    text, begun = text.strip(), shown.lstrip()
    if text.startswith(begun):
        return text[len(begun) :]
    return text[len(begun.rstrip()) :].lstrip() if text.startswith(begun.rstrip()) else None
