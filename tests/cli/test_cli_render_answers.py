"""The answer: whole, raw, and as markdown on a screen."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cli_story import (
    ANSWER,
    FakeScreen,
    answered,
    asked,
    broken_off,
    cancelled,
    deltas,
    failed,
    record,
    whole,
)
from rich.console import Console
from rich.text import Text

from motet.cli.render.answers import RawAnswer, ScreenAnswer, WholeAnswer
from motet.cli.render.notes import ScreenNotes
from motet.cli.screen.base import render

if TYPE_CHECKING:
    from motet import events
    from motet.cli.render.base import Renderer

LIST = "[1] Battery handbook, p. 3 — docs/battery.md\n"


def feed(renderer: Renderer, story: list[events.Event]) -> None:
    for recorded in record(story):
        renderer.show(recorded)
    renderer.close()


def whole_text(story: list[events.Event]) -> str:
    written: list[str] = []
    feed(WholeAnswer(written.append), story)
    return "".join(written)


def raw_text(story: list[events.Event]) -> str:
    stream = io.StringIO()
    feed(RawAnswer(stream), story)
    return stream.getvalue()


def screen_text(story: list[events.Event], width: int = 100) -> str:
    screen = FakeScreen(width)
    feed(ScreenAnswer(screen), story)
    assert screen.painted() == ""
    return screen.text


def test_a_pipe_gets_the_answer_and_its_citations_alone() -> None:
    assert whole_text(whole()) == f"{ANSWER}\n{LIST}"


def test_a_pipe_gets_nothing_of_an_answer_that_broke_off() -> None:
    assert whole_text(failed()) == ""
    assert whole_text(cancelled()) == ""
    assert whole_text(broken_off()) == "Whole answer.\n\nSecond one.\n"


def test_what_an_agent_says_before_it_calls_a_tool_is_not_the_answer() -> None:
    story = [*asked(), *answered("Let me see.", "m0"), *answered(ANSWER)]
    assert whole_text(story) == f"{ANSWER}\n{LIST}"


def test_raw_text_comes_as_it_is_written() -> None:
    stream = io.StringIO()
    answer = RawAnswer(stream)
    answer.show(record(deltas("Half", size=9))[0])
    assert stream.getvalue() == "Half"
    assert raw_text(whole()) == f"{ANSWER.rstrip()}\n\n{LIST}"


def test_raw_text_that_broke_off_ends_its_line_and_begins_again() -> None:
    assert raw_text(broken_off()) == "First paragraph.\n\nHalf a sec\nWhole answer.\n\nSecond one.\n"
    assert raw_text(cancelled()) == "Half an ans\n"


def test_raw_text_without_a_stream_is_written_once() -> None:
    assert raw_text([*asked(), *answered("All at once.")]) == f"All at once.\n\n{LIST}"


def test_markdown_is_printed_block_by_block() -> None:
    screen = FakeScreen()
    answer = ScreenAnswer(screen)
    for recorded in record(deltas("One **bold** par.\n\nTwo is not", size=4)):
        answer.show(recorded)
    assert screen.text == "\nOne bold par.\n"
    assert screen.painted() == "\nTwo is not"
    text = screen_text(whole())
    assert text == f"\nThirty batteries hold 360 kWh [1].\n\n • 12 kWh each\n • 30 of them\n\n{LIST}"


def test_no_block_is_printed_twice() -> None:
    text = "".join(f"Paragraph number {n}.\n\n" for n in range(30))
    shown = screen_text([*asked(), *deltas(text, size=3), *answered(text)])
    assert all(shown.count(f"number {n}.") == 1 for n in range(30))


def test_a_run_that_is_stopped_keeps_its_text() -> None:
    assert screen_text(cancelled()) == "\nHalf an ans\n"


def test_unfinished_text_is_void_after_a_crash() -> None:
    shown = screen_text(broken_off())
    assert shown == "\nFirst paragraph.\n\nWhole answer.\n\nSecond one.\n"


def test_an_answer_that_was_corrected_is_shown_as_it_is_on_record() -> None:
    streamed = "It is so [9].\n\nMore.\n\nEnd."
    final = "It is so.\n\nMore.\n\nEnd."
    shown = screen_text([*asked(), *deltas(streamed), *answered(final)])
    assert shown.index("[9]") < shown.index("corrected") < shown.rindex("It is so.")
    assert shown.count("End.") == 1


def test_a_correction_of_what_is_not_printed_yet_goes_unnoticed() -> None:
    shown = screen_text([*asked(), *deltas("It is so [9]."), *answered("It is so.")])
    assert shown == f"\nIt is so.\n\n{LIST}"


def test_two_messages_stay_apart() -> None:
    story = [*asked(), *deltas("I look.", "m0"), *deltas("Found.", "m1"), *answered("Found.", "m1")]
    assert screen_text(story) == f"\nI look.\n\nFound.\n\n{LIST}"
    assert raw_text(story) == f"I look.\nFound.\n\n{LIST}"


def test_chinese_wraps_at_forty_columns() -> None:
    text = "根据手册，每块电池的容量是十二千瓦时，因此三十块电池一共可以储存三百六十千瓦时的电能。"
    rows = screen_text([*asked(), *deltas(text), *answered(text)], width=40).splitlines()
    assert max(len(row) for row in rows[1:4]) == 20
    assert not any(row.startswith(("，", "。")) for row in rows)


def test_what_was_written_stands_above_how_the_run_ended() -> None:
    screen = FakeScreen()
    answer, notes = ScreenAnswer(screen), ScreenNotes(screen)
    for recorded in record(cancelled()):
        answer.show(recorded)
        notes.show(recorded)
    assert screen.kept[0] == "\nHalf an ans\n"
    assert screen.kept[1].endswith(" s\n")


def test_spaces_around_a_text_are_no_correction() -> None:
    for streamed, final in (
        ("\n\nA text.\n\n- one\n", "A text.\n\n- one"),
        ("A text.\n\n", "A text.\n\nMore."),
    ):
        story = [*asked(), *deltas(streamed), *answered(final)]
        assert raw_text(story).strip() == f"{final}\n\n{LIST}".strip()
        assert "corrected" not in screen_text(story)
        assert screen_text(story).count("A text.") == 1


def test_an_answer_does_not_steer_the_terminal() -> None:
    story = deltas("a\x1b]0;t\x07b\u202e.\n", size=2)
    assert "a]0;tb." in raw_text(story)
    screen = io.StringIO()
    shown = Console(file=screen, force_terminal=True, width=60, color_system="truecolor")
    assert "\x1b]" not in render(shown, [Text("a\x1b]0;t\x07b", style="bold")], 60)
