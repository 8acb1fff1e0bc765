"""What is told about the work: as plain text, and on a screen."""

from __future__ import annotations

import io
from typing import get_args

import pytest
from cli_story import PASSAGE, PLAN, FakeScreen, asked, broken_off, cancelled, record, whole, work

from motet import events
from motet.cli.render.narrator import Narrator
from motet.cli.render.notes import PlainNotes, ScreenNotes


def plain(story: list[events.Event]) -> str:
    stream = io.StringIO()
    notes = PlainNotes(stream)
    for recorded in record(story):
        notes.show(recorded)
    notes.close()
    return stream.getvalue()


def test_plain_notes_tell_the_whole_story() -> None:
    assert plain(whole()) == (
        "plan: 2 steps\n"
        "○ 1 retriever: Find the capacity\n"
        "○ 2 worker: Multiply it (after 1)\n"
        "▸ 1 retriever: Find the capacity\n"
        "  search “battery capacity” → 1 passage: Battery handbook › 容量, p. 3\n"
        "✓ 1 retriever: Find the capacity (1.0 s)\n"
        "  → 12 kWh each\n"
        "▸ 2 worker: Multiply it\n"
        '  calculator(expression="12*30") → 360\n'
        "✓ 2 worker: Multiply it (2.0 s)\n"
        "  → 360 kWh\n"
        "[1] “每块电池的容量是 12 千瓦时。”\n"
        "12 s · 1,000 tokens in, 50 out · 25.0 tokens/s\n"
    )


def test_a_tool_call_is_one_line_whatever_it_returns() -> None:
    started = events.ToolStarted(tool_call_id="c", name="read_file", arguments={"path": "a\nb", "n": 1})
    ended = events.ToolCompleted(tool_call_id="c", name="read_file", content="x\n" * 500, status="error")
    lines = plain([started, ended]).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith('  read_file(path="a\\nb", n=1) → failed: x x x')
    assert len(lines[0]) < 160


def test_a_call_is_shown_with_the_arguments_that_it_was_made_with() -> None:
    """Also where another run asked for it, or a person changed them."""
    ended = events.ToolCompleted(tool_call_id="c", name="pay", content="paid", arguments={"to": "李", "n": 7})
    assert plain([ended]) == '  pay(to="李", n=7) → paid\n'
    started = events.ToolStarted(tool_call_id="c", name="pay", arguments={"to": "李", "n": 9})
    assert plain([started, ended]) == '  pay(to="李", n=7) → paid\n'


def test_a_run_that_began_again_says_so() -> None:
    assert "attempt 2" in plain(broken_off())
    assert "attempt" not in plain(whole())


def test_on_a_screen_each_step_is_kept_once_and_the_rest_is_live() -> None:
    screen = FakeScreen()
    notes = ScreenNotes(screen)
    story = record(whole())
    for recorded in story[:4]:
        notes.show(recorded)
    live = screen.painted().splitlines()
    assert live[:2] == ["○ 1 retriever: Find the capacity", "○ 2 worker: Multiply it (after 1)"]
    for recorded in story[4:9]:
        notes.show(recorded)
    assert "▸ 2 worker: Multiply it" in screen.painted()
    assert 'calculator(expression="12*30") …' in screen.painted()
    assert "1 retriever" not in screen.painted()
    for recorded in story[9:]:
        notes.show(recorded)
    assert screen.painted() == ""
    assert screen.text.count("Find the capacity") == 1
    assert screen.text.count("Multiply it") == 1


def test_steps_that_were_not_done_are_kept_when_a_run_stops() -> None:
    screen = FakeScreen()
    notes = ScreenNotes(screen)
    for recorded in record([*work()[:2], *cancelled()[-1:]]):
        notes.show(recorded)
    assert screen.painted() == ""
    assert "○ 1 retriever: Find the capacity" in screen.text
    assert "○ 2 worker: Multiply it" in screen.text


def test_long_chinese_lines_wrap_at_forty_columns() -> None:
    screen = FakeScreen(width=40)
    notes = ScreenNotes(screen)
    step = events.PlanStep(step_id=1, agent="worker", task="计算三十块电池的总容量" * 4)
    notes.show(record([events.PlanUpdated(steps=[step])])[0])
    notes.show(record([events.StepCompleted(step_id=1, status="failed", result="找不到")])[0])
    rows = screen.text.splitlines()
    assert rows[0] == "plan: 1 step"
    assert rows[1].startswith("✗ 1 worker: 计算")
    assert rows[2].startswith("  ")
    assert all(len(row.encode("gbk", "replace")) <= 40 for row in rows)


ONE_OF_EACH: list[events.Event] = [
    events.RunAccepted(graph="g", input={}),
    events.RunStarted(attempt=2),
    events.RunRetrying(retry=1, delay_s=2.5, error={"code": "model_unavailable", "message": "Too busy."}),
    events.EventsRemoved(first_seq=3, last_seq=9, why="expired"),
    events.PlanUpdated(steps=[], reason="something was missing"),
    events.StepStarted(step_id=1, agent="a", task="t"),
    events.StepCompleted(step_id=1, status="failed", result=""),
    events.ToolStarted(tool_call_id="c", name="n", arguments={}),
    events.ToolCompleted(tool_call_id="c", name="n", content=""),
    events.RetrievalCompleted(query="", passages=[]),
    events.MessageDelta(message_id="m", text="x"),
    events.MessageCompleted(message_id="m", role="assistant", text="x", citations=[PASSAGE]),
    events.MessageSuperseded(message_id="m", reason="It broke off."),
    events.MemoryWritten(memory_id="f", text="likes tea"),
    events.Notice(text="no network", level="warning"),
    events.Usage(model="m", input_tokens=1, output_tokens=1, duration_s=0.0),
    events.Custom(data={"any": "thing"}),
    events.StreamPart(mode="values", data={"any": "thing"}),
    events.InterruptRequested(interrupt_id="i", value="really?"),
    events.RunInterrupted(),
    events.RunCompleted(output={}),
    events.RunFailed(error={"code": "bug", "message": "m"}),
    events.RunCancelledEvent(),
]


def test_the_list_of_events_is_whole() -> None:
    assert {type(event) for event in ONE_OF_EACH} == set(get_args(get_args(events.Event)[0]))


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.type)
@pytest.mark.parametrize("whole_plan", [True, False])
def test_every_event_can_be_told_alone(event: events.Event, whole_plan: bool) -> None:
    for line in Narrator(whole_plan=whole_plan).tell(record([event])[0]):
        assert line.text.strip()
        assert "\n" not in line.text


def test_a_plan_is_told_again_only_when_it_changed() -> None:
    steps = [step.model_copy(update={"status": "done"}) for step in PLAN]
    again = events.PlanUpdated(steps=[*steps[:1], PLAN[1]])
    changed = events.PlanUpdated(
        steps=[*steps[:1], PLAN[1].model_copy(update={"task": "Add it"})], reason="too large"
    )
    assert plain([events.PlanUpdated(steps=PLAN), again, again]).count("plan:") == 1
    told = plain([events.PlanUpdated(steps=PLAN), again, changed])
    assert told.splitlines()[3:] == [
        "plan changed: too large",
        "✓ 1 retriever: Find the capacity",
        "○ 2 worker: Add it (after 1)",
    ]
    screen = FakeScreen()
    notes = ScreenNotes(screen)
    for recorded in record([*asked(), events.PlanUpdated(steps=PLAN), again]):
        notes.show(recorded)
    assert "1 retriever" not in screen.painted()
    assert "○ 2 worker" in screen.painted()


STEERS = "a\x00b\x1b]0;title\x07c\x1b[2J\x9b31m\u202ed\x7f"


def test_what_a_tool_found_does_not_steer_the_terminal() -> None:
    story: list[events.Event] = [
        events.RunStarted(attempt=1),
        events.ToolStarted(tool_call_id="1", name="web_fetch", arguments={"url": STEERS}),
        events.ToolCompleted(tool_call_id="1", name="web_fetch", content=STEERS, status="success"),
    ]
    assert not set(plain(story)) & set("\x00\x1b\x07\x9b\u202e\x7f")
    assert "→ ab]0;titlec[2J31md" in plain(story)
