"""Turn a run's events into lines about the work: the plan, its steps, tool calls, passages, notices, the cost.

What does not live here: the answer (`answers`), and where and in which colours lines are shown (`notes`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, assert_never

from motet import events
from motet.cli.markdown.lines import unsteering
from motet.cli.render import wording
from motet.cli.render.outcome import Outcome

if TYPE_CHECKING:
    from motet.events import Event, PlanStep, Recorded, StepStatus

Kind = Literal["plan", "step", "done", "failed", "tool", "passage", "notice", "warning", "cost"]

MARKS: dict[StepStatus, str] = {"pending": "○", "running": "▸", "done": "✓", "failed": "✗", "skipped": "–"}

RESULT_CELLS = 80
QUOTE_CELLS = 120


@dataclass(frozen=True, slots=True)
class Line:
    """One line about the work."""

    kind: Kind
    text: str


class Narrator:
    """Tells a run's events as lines. The next run of a thread may follow without ado.

    With `whole_plan` a plan is told as a checklist when it is made, and each step when it begins and ends. Without
    it a step is told when it ends only: whoever shows `plan` live needs no more.
    """

    def __init__(self, *, whole_plan: bool) -> None:
        self._whole_plan = whole_plan
        self._outcome = Outcome()
        self._begun: dict[int, float] = {}
        self._told: list[PlanStep] = []
        self.plan: list[PlanStep] = []
        """The steps that have not ended, as they stand now."""
        self.calls: dict[str, tuple[events.ToolStarted, float]] = {}
        """Tool calls that have not ended, each with the time of its start."""

    def tell(self, recorded: Recorded) -> list[Line]:
        """Return the lines that an event is worth: often none."""
        if isinstance(recorded.event, events.RunAccepted):
            self._forget()
        self._outcome.add(recorded)
        # What tools found and others wrote stands in them: nothing of it is to steer a terminal.
        return [replace(line, text=unsteering(line.text)) for line in self._tell(recorded.event, recorded.at)]

    def since(self, step_id: int) -> float | None:
        """Return when a step began, in unix seconds; None when it has not."""
        return self._begun.get(step_id)

    def _forget(self) -> None:
        self._outcome = Outcome()
        self._begun.clear()
        self._told = []
        self.plan = []
        self.calls.clear()

    def _tell(self, event: Event, at: float) -> list[Line]:  # noqa: C901, PLR0912  # a branch per event
        match event:
            case events.RunStarted(attempt=attempt):
                return self._start(attempt)
            case events.RunRetrying() | events.MessageSuperseded():
                return [Line("warning", _again(event))]
            case events.PlanUpdated():
                return self._take_plan(event)
            case events.StepStarted():
                return self._start_step(event, at)
            case events.StepCompleted():
                return self._end_step(event, at)
            case events.ToolStarted(tool_call_id=tool_call_id):
                self.calls[tool_call_id] = event, at
                return []
            case events.ToolCompleted():
                return [self._end_call(event)]
            case events.RetrievalCompleted(query=query, passages=passages):
                return [Line("tool", f"  search {_quoted(query)} → {_found(passages)}")]
            case events.MessageCompleted(role="assistant", citations=cited):
                return [_quote(passage) for passage in sorted(cited, key=lambda p: p.number or 0)]
            case events.MemoryWritten(text=text, before=before):
                was = f" (before: {wording.clip(before, QUOTE_CELLS)})" if before else ""
                return [Line("notice", f"remembered: {wording.clip(text, QUOTE_CELLS)}{was}")]
            case events.Notice(text=text, level=level):
                return [Line("warning" if level == "warning" else "notice", text)]
            case events.EventsRemoved(first_seq=first, last_seq=last, why=why):
                gone = f"events {first} to {last} were removed by age"
                return [Line("notice", gone)] if why == "expired" else []
            case events.Custom(data=data):
                return [Line("notice", wording.clip(str(data), QUOTE_CELLS))]
            case events.InterruptRequested():
                asked = wording.clip(wording.question(event), QUOTE_CELLS)
                return [Line("warning", f"waits for an answer: {asked}")]
            case (
                events.RunCompleted()
                | events.RunFailed()
                | events.RunCancelledEvent()
                | events.RunInterrupted()
            ):
                return self._end()
            case events.RunAccepted() | events.MessageDelta() | events.MessageCompleted():
                return []
            case events.Usage() | events.StreamPart():
                return []
            case _:
                assert_never(event)

    def _start(self, attempt: int) -> list[Line]:
        self.calls.clear()
        if attempt == 1:
            return []
        return [
            Line(
                "warning",
                f"taken up again after it broke off (attempt {attempt}); unfinished text above is void",
            )
        ]

    def _take_plan(self, event: events.PlanUpdated) -> list[Line]:
        """Tell a plan that is new or was changed; the same one again only says how far its steps are."""
        left = [step for step in event.steps if step.status in ("pending", "running")]
        self.plan = [_as(step, "running") if step.step_id in self._begun else step for step in left]
        told, self._told = self._told, [_as(step, "pending") for step in event.steps]
        if told == self._told:
            return []
        changed = (
            f" changed: {event.reason}" if event.reason else f": {wording.count(len(event.steps), 'step')}"
        )
        steps = [Line("step", describe(step)) for step in event.steps] if self._whole_plan else []
        return [Line("plan", f"plan{changed}"), *steps]

    def _start_step(self, event: events.StepStarted, at: float) -> list[Line]:
        self._begun[event.step_id] = at
        self.plan = [_as(step, "running") if step.step_id == event.step_id else step for step in self.plan]
        return (
            [Line("step", _step("running", event.step_id, event.agent, event.task))]
            if self._whole_plan
            else []
        )

    def _end_step(self, event: events.StepCompleted, at: float) -> list[Line]:
        step = next((step for step in self.plan if step.step_id == event.step_id), None)
        self.plan = [other for other in self.plan if other is not step]
        said = (
            _step(event.status, event.step_id, step.agent, step.task)
            if step
            else _step(event.status, event.step_id)
        )
        took = (
            f" ({wording.duration(at - self._begun.pop(event.step_id))})"
            if event.step_id in self._begun
            else ""
        )
        kind: Kind = "failed" if event.status == "failed" else "done"
        result = (
            [Line("passage", f"  → {wording.clip(event.result, RESULT_CELLS)}")]
            if event.result.strip()
            else []
        )
        return [Line(kind, said + took), *result]

    def _end_call(self, event: events.ToolCompleted) -> Line:
        started, _ = self.calls.pop(event.tool_call_id, (None, 0.0))
        begun = started.arguments if started else {}
        said = wording.call(event.name, begun if event.arguments is None else event.arguments)
        failed = event.status == "error"
        result = wording.clip(event.content, RESULT_CELLS) or "nothing"
        return Line("failed" if failed else "tool", f"  {said} → {'failed: ' if failed else ''}{result}")

    def _end(self) -> list[Line]:
        left = (
            [] if self._whole_plan else [Line("step", describe(_as(step, "pending"))) for step in self.plan]
        )
        cost = Line("cost", self._cost())
        self._forget()
        return [*left, cost]

    def _cost(self) -> str:
        run = self._outcome
        parts = [wording.duration(run.duration_s)]
        if run.model_calls:
            parts.append(f"{run.input_tokens:,} tokens in, {run.output_tokens:,} out")
        if run.output_tokens and run.model_s:
            parts.append(f"{run.output_tokens / run.model_s:.1f} tokens/s")
        return " · ".join(parts)


def describe(step: PlanStep) -> str:
    """Return a step as a line of a checklist: `○ 2 worker: what to do (after 1)`."""
    after = f" (after {', '.join(map(str, step.depends_on))})" if step.depends_on else ""
    return _step(step.status, step.step_id, step.agent, step.task) + after


def _step(status: StepStatus, step_id: int, agent: str = "", task: str = "") -> str:
    what = f" {agent}: {' '.join(task.split())}" if agent else " step"
    return f"{MARKS[status]} {step_id}{what}"


def _as(step: PlanStep, status: StepStatus) -> PlanStep:
    return step.model_copy(update={"status": status})


def _quoted(text: str) -> str:
    return f"“{wording.clip(text, 48)}”"


def _found(passages: list[events.Passage]) -> str:
    places = list(dict.fromkeys(wording.place(passage) for passage in passages))
    where = f": {wording.clip('; '.join(places), RESULT_CELLS)}" if places else ""
    return wording.count(len(passages), "passage") + where


def _quote(passage: events.Passage) -> Line:
    return Line("passage", f"[{passage.number}] “{wording.clip(passage.text, QUOTE_CELLS)}”")


def _again(event: events.RunRetrying | events.MessageSuperseded) -> str:
    if isinstance(event, events.MessageSuperseded):
        return f"{event.reason} It is written anew; unfinished text above is void.".strip()
    when = f"in {wording.duration(event.delay_s)} (retry {event.retry})"
    return f"{event.error.get('message', '')} Trying again {when}; unfinished text above is void."
