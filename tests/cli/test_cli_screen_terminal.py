"""The screen on a terminal, seen through a small terminal emulator."""

from __future__ import annotations

import io
import re

from cli_story import answered, asked, deltas, record, whole
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from motet.cli.render.answers import ScreenAnswer
from motet.cli.render.notes import ScreenNotes
from motet.cli.screen.base import LIVE_ROWS, Spacing
from motet.cli.screen.terminal import TerminalScreen

CODE = re.compile(r"\x1b\[(\d*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n])")


class Emulator(io.StringIO):
    """Keeps rows as a terminal of a width does, and counts bytes that it was sent."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.rows: list[str] = [""]
        self.row = 0
        self.column = 0
        self.writes = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self.writes += 1
        for number, letter, back, down, character in CODE.findall(text):
            if letter == "A":
                self.row -= int(number or 1)
                assert self.row >= 0
            elif letter == "K":
                assert number == "2"
                self.rows[self.row] = ""
            elif back:
                self.column = 0
            elif down:
                self._down()
            elif character:
                self._put(character)
        return len(text)

    def _down(self) -> None:
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.rows):
            self.rows.append("")

    def _put(self, character: str) -> None:
        if cell_len(self.rows[self.row]) + cell_len(character) > self.width:
            self._down()
        row = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = row[: self.column] + character + row[self.column + 1 :]
        self.column += 1

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows).strip("\n")


def terminal(width: int = 60, height: int = 24) -> tuple[Emulator, TerminalScreen]:
    emulator = Emulator(width)
    console = Console(
        file=emulator, width=width, height=height, color_system=None, force_terminal=True, markup=False
    )
    return emulator, TerminalScreen(console, console)


def test_what_stays_is_above_what_is_live() -> None:
    emulator, screen = terminal()
    screen.live("doing", lambda: Text("working"))
    screen.refresh()
    screen.note(Text("first"))
    screen.note(Text("second"))
    assert emulator.text == "first\nsecond\nworking"
    screen.close()
    screen.close()
    assert emulator.text == "first\nsecond"


def test_the_live_part_is_painted_again_only_when_it_changed() -> None:
    emulator, screen = terminal()
    screen.live("doing", lambda: Text("the same"))
    screen.refresh()
    before = emulator.writes
    for _ in range(50):
        screen.refresh()
    assert emulator.writes == before


def test_an_empty_live_part_writes_nothing() -> None:
    emulator, screen = terminal()
    for _ in range(3):
        screen.refresh()
    assert emulator.writes == 0


def test_a_long_live_part_is_capped_at_its_end() -> None:
    emulator, screen = terminal()
    screen.live("answer", lambda: Text("\n".join(f"line {n}" for n in range(100))))
    screen.live("doing", lambda: Text("working"))
    screen.refresh()
    rows = emulator.text.splitlines()
    assert len(rows) == LIVE_ROWS
    assert rows[-3:] == ["line 99", "", "working"]


def test_a_low_terminal_leaves_room() -> None:
    emulator, screen = terminal(height=5)
    screen.live("answer", lambda: Text("\n".join(f"line {n}" for n in range(100))))
    screen.refresh()
    assert emulator.text == "line 97\nline 98\nline 99"


def test_a_narrower_terminal_is_wiped_whole() -> None:
    emulator = Emulator(40)
    console = Console(file=emulator, width=40, height=24, color_system=None, force_terminal=True)
    screen = TerminalScreen(console, console)
    screen.live("doing", lambda: Text("x" * 38))
    screen.refresh()
    console.width, emulator.width = 20, 20  # the terminal wraps what is there into two rows
    emulator.rows, emulator.row, emulator.column = ["x" * 20, "x" * 18], 1, 18
    screen.close()
    assert emulator.text == ""


def test_a_streamed_answer_leaves_only_the_answer() -> None:
    text = "第一段，说明电池的容量。\n\n```python\nprint(12 * 30)\n```\n\n- one\n- two\n\nThe end.\n"
    for width in (40, 100):
        emulator, screen = terminal(width)
        answer, notes = ScreenAnswer(screen), ScreenNotes(screen)
        for recorded in record([*asked(), *deltas(text, size=1), *answered(text), whole()[-1]]):
            answer.show(recorded)
            notes.show(recorded)
            screen.refresh()
        answer.close()
        notes.close()
        screen.close()
        shown = emulator.text
        for piece in (
            "第一段，说明电池的容量。",
            "print(12 * 30)",
            "• one",
            "• two",
            "The end.",
            "[1] Battery",
        ):
            assert shown.count(piece) == 1, (width, piece, shown)
        assert "⠋" not in shown


def test_answers_and_notes_may_go_to_different_places() -> None:
    emulator, pipe = Emulator(60), io.StringIO()
    console = Console(file=emulator, width=60, height=24, color_system=None, force_terminal=True)
    screen = TerminalScreen(Console(file=pipe, width=60), console)
    screen.live("doing", lambda: Text("working"))
    screen.note(Text("a note"))
    screen.answer(Text("the answer"))
    screen.close()
    assert emulator.text == "a note"
    assert pipe.getvalue() == "\nthe answer\n"


def test_blank_lines_are_around_answers_only() -> None:
    spacing = Spacing()
    kinds = ("note", "note", "answer", "answer", "note")
    assert [spacing.before(kind) for kind in kinds] == ["", "", "\n", "\n", "\n"]
