"""Every event that a run can speak, in one discriminated union.

What does not live here: how an event is stored (`runs.log`) and how a wire spells it (each door's encoder).

An event on its own has no number: the log gives it one. `Recorded` is an event with its place in the log.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticSerializationError

CITATIONS_KEY = "motet_citations"
"""Key in a LangChain message's `additional_kwargs`: the passages it cites, as dicts."""

ARGUMENTS_KEY = "motet_arguments"
"""Key in a LangChain tool message's `additional_kwargs`: what a person had the tool called with instead of what an
agent asked for."""

StepStatus = Literal["pending", "running", "done", "failed", "skipped"]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanStep(BaseModel):
    """One line of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step_id: int
    """Number of the step in its plan, from 1."""
    agent: str
    """Which agent does it: `retriever`, `worker`, …"""
    task: str
    """What is to be done, in the user's language."""
    depends_on: list[int] = []
    """Steps whose results this one needs."""
    status: StepStatus = "pending"


class Passage(BaseModel):
    """A passage of a document, as it was when it was retrieved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passage_id: str
    text: str
    source: str
    """Path or URL of the document."""
    title: str = ""
    heading: str = ""
    """Path of headings above the passage, joined by ` › `."""
    page: int | None = None
    """Page, from 1, where the document has pages."""
    start: int = 0
    end: int = 0
    """Character span in the document's extracted text: `text == document[start:end]`."""
    score: float = 0.0
    """Fused score; higher is nearer."""
    number: int | None = None
    """The `n` of its citation `[n]` in this run."""


class RunAccepted(_Event):
    """The run is on disk; the caller was told so."""

    type: Literal["run.accepted"] = "run.accepted"
    graph: str
    input: dict[str, Any]
    """The run's whole input, as accepted."""


class RunStarted(_Event):
    """A worker began, or began again after a crash: text of an unfinished message before it is void."""

    type: Literal["run.started"] = "run.started"
    attempt: int
    """From 1."""


class PlanUpdated(_Event):
    """The plan is new or has changed; always the whole plan."""

    type: Literal["plan.updated"] = "plan.updated"
    steps: list[PlanStep]
    reason: str = ""
    """Why it was changed; empty for the first plan."""


class StepStarted(_Event):
    """A step of the plan began."""

    type: Literal["step.started"] = "step.started"
    step_id: int
    agent: str
    task: str


class StepCompleted(_Event):
    """A step of the plan ended."""

    type: Literal["step.completed"] = "step.completed"
    step_id: int
    status: StepStatus
    result: str
    """What it found, in short, or why it failed."""


class ToolStarted(_Event):
    """An agent calls a tool."""

    type: Literal["tool.started"] = "tool.started"
    tool_call_id: str
    name: str
    arguments: dict[str, Any]


class ToolCompleted(_Event):
    """A tool answered, or failed."""

    type: Literal["tool.completed"] = "tool.completed"
    tool_call_id: str
    name: str
    content: str
    """What the agent is given."""
    status: Literal["success", "error"] = "success"
    arguments: dict[str, Any] | None = Field(default=None, exclude_if=lambda value: value is None)
    """What it was called with, where this run's `tool.started` does not say so: the call was asked about and begun in
    an earlier run, or a person gave other arguments. Left out elsewhere."""


class RetrievalCompleted(_Event):
    """Passages were found."""

    type: Literal["retrieval.completed"] = "retrieval.completed"
    query: str
    passages: list[Passage]


class MessageDelta(_Event):
    """A piece of a message that is being written."""

    type: Literal["message.delta"] = "message.delta"
    message_id: str
    text: str


class MessageCompleted(_Event):
    """A message is whole."""

    type: Literal["message.completed"] = "message.completed"
    message_id: str
    role: Literal["user", "assistant", "system", "tool"]
    text: str
    citations: list[Passage] = []
    """The passages that the text cites, each with its `number`."""


class MessageSuperseded(_Event):
    """The text of a message that was being written is void: it is written anew, as a message of its own."""

    type: Literal["message.superseded"] = "message.superseded"
    message_id: str
    reason: str = ""


class MemoryWritten(_Event):
    """Something is remembered beyond this thread."""

    type: Literal["memory.written"] = "memory.written"
    memory_id: str
    text: str
    before: str = ""
    """What it said until now, where it takes the place of an older one."""


class Notice(_Event):
    """One line for the person: something went another way than usual, and the run goes on."""

    type: Literal["notice"] = "notice"
    text: str
    level: Literal["info", "warning"] = "info"


class Usage(_Event):
    """What one model call took."""

    type: Literal["usage"] = "usage"
    model: str
    input_tokens: int
    output_tokens: int
    duration_s: float
    cost_usd: float | None = None
    """US dollars, 0 for a model of one's own; None where its price is not known."""


class Custom(_Event):
    """Something that a graph of somebody else's wrote to its stream."""

    type: Literal["custom"] = "custom"
    data: Any


class StreamPart(_Event):
    """A part of LangGraph's own stream, as it came; recorded where the run's request asks for it."""

    type: Literal["stream.part"] = "stream.part"
    mode: str
    """`values`, `updates`, `messages`, `custom`, `tasks`, `checkpoints`, `debug` or `events`."""
    namespace: list[str] = []
    """Path of graphs within the graph, `node:task_id` each; empty for the graph itself."""
    data: Any
    """Plain JSON; of `messages` a pair of the chunk and its metadata."""


class InterruptRequested(_Event):
    """The run waits for a person."""

    type: Literal["interrupt.requested"] = "interrupt.requested"
    interrupt_id: str
    value: Any
    """What the graph asks, as plain JSON."""
    response_schema: dict[str, Any] | None = None
    """JSON Schema of the answer, where the graph gave one."""


class RunInterrupted(_Event):
    """The run stopped to wait for a person; a later run on the thread goes on with the answer."""

    type: Literal["run.interrupted"] = "run.interrupted"


class RunCompleted(_Event):
    """The run ended well."""

    type: Literal["run.completed"] = "run.completed"
    output: dict[str, Any]
    """The graph's output, messages as `{"type", "content", …}`."""


class RunFailed(_Event):
    """The run ended with an error."""

    type: Literal["run.failed"] = "run.failed"
    error: dict[str, Any]
    """`{"code", "message", "fields"}`."""


class RunCancelledEvent(_Event):
    """The run was stopped."""

    type: Literal["run.cancelled"] = "run.cancelled"
    reason: str = ""
    undone: bool = False
    """Whether its effects on the thread's state and transcript were taken back."""


class RunRetrying(_Event):
    """A passing fault stopped the run; it is tried again later, on from where it was."""

    type: Literal["run.retrying"] = "run.retrying"
    retry: int
    """From 1."""
    delay_s: float
    """It does not start before this time is over."""
    error: dict[str, Any]
    """`{"code", "message", "fields"}`."""


class EventsRemoved(_Event):
    """Retention took events out of the log of a run that has ended; this one stands in the last one's place."""

    type: Literal["events.removed"] = "events.removed"
    first_seq: int
    last_seq: int
    why: Literal["folded", "expired"]
    """`folded`: pieces of messages that stand whole further on; `expired`: too old."""


Event = Annotated[
    RunAccepted
    | RunStarted
    | RunRetrying
    | PlanUpdated
    | StepStarted
    | StepCompleted
    | ToolStarted
    | ToolCompleted
    | RetrievalCompleted
    | MessageDelta
    | MessageCompleted
    | MessageSuperseded
    | MemoryWritten
    | Notice
    | Usage
    | Custom
    | StreamPart
    | InterruptRequested
    | RunInterrupted
    | RunCompleted
    | RunFailed
    | RunCancelledEvent
    | EventsRemoved,
    Field(discriminator="type"),
]
"""Any event."""

PLAIN_JSON = ConfigDict(cache_strings="keys")
"""How stored JSON is read: pydantic keeps 16,384 short strings it has read, and ids and texts are not met again."""

EVENT: TypeAdapter[Event] = TypeAdapter(Event, config=PLAIN_JSON)
"""Validates and dumps any event."""


def encode(event: Event) -> tuple[Event, str]:
    """Return an event as it can be stored, and its JSON.

    A lone surrogate (half of a character, which models and tools write at times) is no text: no database stores it
    and no client reads it. It becomes U+FFFD; every other event comes back as it is.
    """
    try:
        return event, EVENT.dump_json(event).decode()
    except PydanticSerializationError:
        dumped = json.dumps(EVENT.dump_python(event, mode="json"), ensure_ascii=False)
        kept = EVENT.validate_json(dumped.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        return kept, EVENT.dump_json(kept).decode()


TERMINAL = frozenset({"run.completed", "run.failed", "run.cancelled", "run.interrupted"})
"""Types of the events after which a run's log does not grow."""


class Recorded(BaseModel):
    """An event with its place in a run's log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    thread_id: str
    seq: int
    """From 1, without gaps."""
    at: float
    """Unix seconds, UTC, by the database's clock."""
    event: Event

    def to_line(self) -> dict[str, Any]:
        """Return the flat form that a JSONL line shows: the event's fields beside its place."""
        place = {"seq": self.seq, "thread_id": self.thread_id, "run_id": self.run_id, "ts": self.at}
        return {"type": self.event.type, **place, **self.event.model_dump(mode="json", exclude={"type"})}
