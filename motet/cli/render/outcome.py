"""What a run came to: its events folded into one value.

What does not live here: how it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from motet import events

if TYPE_CHECKING:
    from motet.events import Passage, Recorded
    from motet.runs.request import RunStatus


@dataclass(frozen=True, slots=True)
class Spent:
    """What model calls took; sums of it add up."""

    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    model_s: float = 0.0
    cost_usd: float = 0.0
    """US dollars, as far as prices are known."""

    def __add__(self, other: Spent) -> Spent:
        """Return both together."""
        return Spent(
            self.model_calls + other.model_calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.model_s + other.model_s,
            self.cost_usd + other.cost_usd,
        )


class Outcome:
    """Folds a run's events. `status` is None until the event that ends the run."""

    def __init__(self, status: RunStatus | None = None) -> None:
        self.run_id = ""
        self.thread_id = ""
        self.status = status
        self.answer = ""
        self.citations: list[Passage] = []
        self.error: dict[str, Any] | None = None
        self.plan: list[events.PlanStep] = []
        """The steps of its plan, each as it stands."""
        self.questions: list[events.InterruptRequested] = []
        """What it waits for an answer to, where it was interrupted."""
        self.model_calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.model_s = 0.0
        self.cost_usd = 0.0
        self.longest_tokens = 0
        """Tokens that went into the longest of its model calls."""
        self.first_at = 0.0
        self.last_at = 0.0

    @property
    def duration_s(self) -> float:
        """Seconds from the first event to the last one so far."""
        return self.last_at - self.first_at

    @property
    def spent(self) -> Spent:
        """What its model calls took so far."""
        return Spent(self.model_calls, self.input_tokens, self.output_tokens, self.model_s, self.cost_usd)

    def add(self, recorded: Recorded) -> None:  # noqa: C901  # a branch per event
        """Take the next event."""
        self.run_id, self.thread_id = recorded.run_id, recorded.thread_id
        self.first_at = self.first_at or recorded.at
        self.last_at = recorded.at
        match recorded.event:
            case events.MessageCompleted() as message:
                self._add_message(message)
            case events.Usage() as usage:
                self._add_usage(usage)
            case events.PlanUpdated(steps=steps):
                self.plan = list(steps)
            case events.StepCompleted():
                self._end_step(recorded.event)
            case events.RunCompleted():
                self.status = "success"
            case events.RunInterrupted():
                self.status = "interrupted"
            case events.InterruptRequested():
                self.questions.append(recorded.event)
            case events.RunFailed(error=error):
                self.status, self.error = "error", error
            case events.RunCancelledEvent(reason=reason):
                self.status = "cancelled"
                self.error = {
                    "code": "run_cancelled",
                    "message": reason or "The run was stopped.",
                    "fields": {},
                }
            case (
                events.RunAccepted()
                | events.RunStarted()
                | events.RunRetrying()
                | events.EventsRemoved()
                | events.StepStarted()
                | events.ToolStarted()
                | events.ToolCompleted()
                | events.RetrievalCompleted()
                | events.MessageDelta()
                | events.MessageSuperseded()
                | events.MemoryWritten()
                | events.Notice()
                | events.Custom()
                | events.StreamPart()
            ):
                pass
            case _:
                assert_never(recorded.event)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `--output json` prints."""
        return {
            "thread_id": self.thread_id,
            "run_id": self.run_id,
            "status": self.status,
            "answer": self.answer,
            "citations": [passage.model_dump(mode="json") for passage in self.citations],
            "usage": {
                "model_calls": self.model_calls,
                "input_tokens": self.input_tokens,
                "output_tokens": self.output_tokens,
                "model_s": round(self.model_s, 3),
                "duration_s": round(self.duration_s, 3),
            },
            "error": self.error,
            "questions": [asked.model_dump(mode="json", exclude={"type"}) for asked in self.questions],
        }

    def _add_message(self, message: events.MessageCompleted) -> None:
        # The last one is the answer: what an agent says before it calls a tool is not.
        if message.role == "assistant" and message.text.strip():
            self.answer, self.citations = message.text, message.citations

    def _end_step(self, ended: events.StepCompleted) -> None:
        self.plan = [
            step.model_copy(update={"status": ended.status}) if step.step_id == ended.step_id else step
            for step in self.plan
        ]

    def _add_usage(self, usage: events.Usage) -> None:
        self.model_calls += 1
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.model_s += usage.duration_s
        self.cost_usd += usage.cost_usd or 0.0
        self.longest_tokens = max(self.longest_tokens, usage.input_tokens)
