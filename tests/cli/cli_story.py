"""A run as the log would tell it, for tests of everything that shows runs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from motet.cli.screen.base import Live, render
from motet.events import (
    Event,
    MessageCompleted,
    MessageDelta,
    Passage,
    PlanStep,
    PlanUpdated,
    Recorded,
    RetrievalCompleted,
    RunAccepted,
    RunCancelledEvent,
    RunCompleted,
    RunFailed,
    RunStarted,
    StepCompleted,
    StepStarted,
    ToolCompleted,
    ToolStarted,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from rich.console import RenderableType

    from motet.cli.screen.base import Painter

PASSAGE = Passage(
    passage_id="p1",
    text="每块电池的容量是 12 千瓦时。",
    source="docs/battery.md",
    title="Battery handbook",
    heading="Battery handbook › 容量",
    page=3,
    number=1,
)

ANSWER = "Thirty batteries hold **360 kWh** [1].\n\n- 12 kWh each\n- 30 of them\n"

PLAN = [
    PlanStep(step_id=1, agent="retriever", task="Find the capacity"),
    PlanStep(step_id=2, agent="worker", task="Multiply it", depends_on=[1]),
]


def asked(text: str = "How much do thirty batteries hold?") -> list[Event]:
    message = {"type": "human", "id": "m1", "content": text}
    return [
        RunAccepted(graph="ensemble", input={"messages": [message]}),
        MessageCompleted(message_id="m1", role="user", text=text),
    ]


def deltas(text: str, message_id: str = "m2", size: int = 7) -> list[Event]:
    return [
        MessageDelta(message_id=message_id, text=text[at : at + size]) for at in range(0, len(text), size)
    ]


def work() -> list[Event]:
    return [
        PlanUpdated(steps=PLAN),
        StepStarted(step_id=1, agent="retriever", task="Find the capacity"),
        RetrievalCompleted(query="battery capacity", passages=[PASSAGE]),
        StepCompleted(step_id=1, status="done", result="12 kWh each"),
        StepStarted(step_id=2, agent="worker", task="Multiply it"),
        ToolStarted(tool_call_id="c1", name="calculator", arguments={"expression": "12*30"}),
        ToolCompleted(tool_call_id="c1", name="calculator", content="360"),
        Usage(model="scripted:x", input_tokens=1000, output_tokens=50, duration_s=2.0),
        StepCompleted(step_id=2, status="done", result="360 kWh"),
    ]


def answered(text: str = ANSWER, message_id: str = "m2") -> list[Event]:
    return [MessageCompleted(message_id=message_id, role="assistant", text=text, citations=[PASSAGE])]


def whole() -> list[Event]:
    return [*asked(), RunStarted(attempt=1), *work(), *deltas(ANSWER), *answered(), RunCompleted(output={})]


def failed(code: str = "model_unavailable", message: str = "The model does not answer.") -> list[Event]:
    error = {"code": code, "message": message, "fields": {}}
    return [*asked(), RunStarted(attempt=1), *deltas("Half an ans"), RunFailed(error=error)]


def cancelled() -> list[Event]:
    return [*asked(), RunStarted(attempt=1), *deltas("Half an ans"), RunCancelledEvent(reason="stopped")]


def broken_off() -> list[Event]:
    """A worker dies in the middle of the answer, another one begins again."""
    return [
        *asked(),
        RunStarted(attempt=1),
        *deltas("First paragraph.\n\nHalf a sec", "m2"),
        RunStarted(attempt=2),
        *deltas("Whole answer.\n\nSecond one.", "m3"),
        MessageCompleted(message_id="m3", role="assistant", text="Whole answer.\n\nSecond one."),
        RunCompleted(output={}),
    ]


def record(events: Iterable[Event], *, run_id: str = "run-1", thread_id: str = "thread-1") -> list[Recorded]:
    """Number events as the log does, half a second apart."""
    return [
        Recorded(run_id=run_id, thread_id=thread_id, seq=seq, at=1_700_000_000 + seq / 2, event=event)
        for seq, event in enumerate(events, 1)
    ]


class FakeScreen:
    """Keeps what stays as text, and paints the live part when asked."""

    def __init__(self, width: int = 100) -> None:
        self.kept: list[str] = []
        self._console = Console(width=width, color_system=None, file=io.StringIO())
        self._live = Live()

    def note(self, *lines: RenderableType) -> None:
        self.kept.append(render(self._console, lines, self._console.width))

    def answer(self, block: RenderableType) -> None:
        self.kept.append("\n" + render(self._console, [block], self._console.width))

    def live(self, slot: str, paint: Painter | None) -> None:
        self._live.set(slot, paint)

    def refresh(self) -> None:
        pass

    @property
    def text(self) -> str:
        return "".join(self.kept)

    def painted(self, rows: int = 12) -> str:
        lines = self._live.lines(self._console, self._console.width, rows)
        return "\n".join("".join(segment.text for segment in line) for line in lines)


class StoryLog:
    """A log that holds one story a run."""

    def __init__(self, **stories: list[Event]) -> None:
        self._stories = {run_id.replace("_", "-"): events for run_id, events in stories.items()}

    async def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Recorded]:
        for recorded in record(self._stories[run_id], run_id=run_id)[after:]:
            yield recorded
