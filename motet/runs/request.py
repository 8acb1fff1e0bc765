"""What is asked and what is granted: frozen values that cross the queue.

What does not live here: the checks (`submit`) and the doing (`execute`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from motet.errors import InvalidInput
from motet.events import PLAIN_JSON, Passage
from motet.runs.budget import Budget
from motet.runs.drive import Drive
from motet.runs.glance import LOCAL_TENANT as LOCAL_TENANT  # noqa: PLC0414  # its callers' name for it
from motet.tools.policy.rules import Permissions as Permissions  # noqa: PLC0414  # a wire's name for it

RunStatus = Literal["pending", "running", "interrupted", "success", "error", "cancelled"]

Multitask = Literal["enqueue", "reject", "interrupt", "rollback"]
"""What a new run does while its thread is busy: wait its turn, be refused, or stop what has not ended.

`interrupt` keeps what the stopped runs did so far. `rollback` takes it back: when the new run starts, the thread's
state and transcript are as if those runs had never been; their rows and events stay, and end with `run.cancelled`,
`undone`. What they did elsewhere (tools, long-term memory) is not taken back. The answer to an interrupt cannot be
taken back either: while one is at work, `rollback` is refused.
"""

LOCAL_OWNER = "me"

MAX_STEPS = 1000
"""Most graph steps that a run may ask for; a graph's own `recursion_limit` may be higher."""


def check_steps(steps: Any, name: str = "max_steps") -> None:
    """Refuse a limit of graph steps that no run may have; None is no limit of its own.

    Raises:
        InvalidInput: It is no whole number from 1 to 1000.
    """
    if steps is not None and (type(steps) is not int or not 1 <= steps <= MAX_STEPS):
        raise InvalidInput(f"{name} is {str(steps)[:50]}: a run may have 1 to {MAX_STEPS} graph steps.")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid") | PLAIN_JSON


class Caller(_Frozen):
    """Who asks. The command line is the local tenant's owner, who may do everything."""

    tenant_id: str = LOCAL_TENANT
    owner_id: str = LOCAL_OWNER
    scopes: frozenset[str] = frozenset({"*"})


class Replay(_Frozen):
    """A recorded run that is played again: no model and no tool is called, unless it may go on live."""

    run_id: str | None = None
    """A run of this database that was recorded."""
    file: str | None = None
    """A recording's file, where the run is worked on; `model="replay:FILE"` is the same."""
    live: bool = False
    """What is not recorded is called for real: the run goes on from where something is different."""
    live_from: int | None = Field(default=None, ge=1)
    """Calls from this number on count as not recorded; with it the run may go on live."""
    changes: dict[int, Any] = {}
    """Replies that stand in the place of recorded ones, by the number of the call; texts, or as recorded."""


class RunOptions(_Frozen):
    """What a caller may choose for one run."""

    model: str | None = None
    """Model spec for every role, with those that take over after commas; the settings' unless given."""
    models: dict[str, str] | None = None
    """The same for single roles (`fast`, `deep`, `judge`) and agents (`planner`, `worker`, …), by name."""
    tools: list[str] | None = None
    """Only these tools; all that the graph has unless given."""
    collections: list[str] | None = None
    """Only these collections of documents; the default one unless given."""
    max_steps: int | None = None
    """Most graph steps, 1 to 1000; the settings' and the graph's own unless given."""
    reuse_results_of: str | None = None
    """A run whose recorded tool results are given, in their order, to calls of the same tool and arguments."""
    permissions: Permissions | None = None
    """Rules on tool calls besides the settings'; only callers with the scope `permissions:write` may allow more."""
    untrusted: bool | None = None
    """Whether what the run is given is not its caller's own words: a mail, a form, another agent's message."""
    max_retries: int | None = Field(default=None, ge=0, le=100)
    """How often the run is tried again after a passing fault; the settings' unless given."""
    budget: Budget | None = None
    """What the run may spend, beside the limits of the settings; each limit counts by itself."""
    task: str | None = Field(default=None, max_length=64)
    """Digest of the locked task file that the run goes by, whatever the file says now; see `motet.tasks.keep`."""
    record: bool | None = None
    """Whether its model calls and results are recorded, to be played again; the settings' unless given."""
    replay: Replay | None = None
    """The recording that is played; `model` is then what goes on live."""

    def played(self) -> Replay | None:
        """Return the recording that a run with these options plays; None for none."""
        if self.replay is None and self.model is not None and self.model.startswith("replay:"):
            return Replay(file=self.model.removeprefix("replay:"))
        return self.replay


class Webhook(_Frozen):
    """Who is told of a run's end."""

    url: str = Field(min_length=1, max_length=4000)
    wire: str = Field(max_length=100)
    """The wire whose form the message has."""


class RunRequest(_Frozen):
    """A run as a door decoded it: asked, not granted."""

    caller: Caller = Caller()
    graph: str | None = None
    thread_id: str | None = None
    """The thread to go on with; a new one unless given."""
    create_thread: bool = False
    """Make the thread when `thread_id` names none, instead of refusing."""
    thread_ttl_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """How long after its last use a thread that is made is deleted; None for what the settings say."""
    input: dict[str, Any] | None = None
    """The graph's input as plain JSON, `{"messages": [{"role": "user", "content": "…"}]}`."""
    resume: Any = None
    """Answer to the one interrupt that the thread waits at; with it there is no input."""
    answers: dict[str, Any] | None = None
    """Answers by interrupt id, where there are several; those that get none ask again."""
    options: RunOptions = RunOptions()
    drive: Drive = Drive()
    multitask: Multitask = "enqueue"
    priority: int = Field(default=0, ge=-100, le=100)
    """Higher starts first, whatever the tenant's turn."""
    delay_s: float = Field(default=0.0, ge=0, le=366 * 86400, allow_inf_nan=False)
    """Do not start before so much time is over; other runs of the thread go first."""
    webhook: Webhook | None = None
    idempotency_key: str | None = Field(default=None, max_length=255)
    metadata: dict[str, Any] = {}
    traceparent: str | None = Field(default=None, max_length=55)
    """The caller's span, as W3C Trace Context writes it: the run's spans belong to its trace."""

    @property
    def is_answer(self) -> bool:
        """Whether it answers an interrupt."""
        return self.resume is not None or self.answers is not None


class RunJob(_Frozen):
    """A run as the gate granted it: everything that the engine needs, and nothing that can change."""

    tenant_id: str
    owner_id: str
    run_id: str
    thread_id: str
    graph: str
    input: dict[str, Any] | None
    resume: Any = None
    """Written by the first release; `answers` since."""
    answers: dict[str, Any] | None = None
    """Answers by interrupt id."""
    options: RunOptions
    budget_of: str | None = None
    """The run that began what this one goes on with: they share one budget. None for a run with an input."""
    drive: Drive = Drive()
    multitask: Multitask = "enqueue"
    metadata: dict[str, Any] = {}
    traceparent: str | None = None


class Accepted(_Frozen):
    """The gate's answer: the run is on disk."""

    run_id: str
    thread_id: str
    created: bool = True
    """False when the idempotency key named an earlier run."""


class RunRecord(_Frozen):
    """A run as it stands on disk."""

    run_id: str
    thread_id: str
    graph: str
    status: RunStatus
    attempt: int
    retries: int
    error: dict[str, Any] | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    last_seq: int


class ScheduleRecord(_Frozen):
    """A schedule as it stands on disk."""

    name: str
    cron: str
    zone: str
    """IANA name of the time zone that `cron` is read in."""
    missed: Literal["skip", "one", "all"]
    request: RunRequest | None
    """None where what is stored cannot be read; `error` says why then. It can be deleted."""
    paused: bool
    next_at: float
    last_at: float | None
    """The last tick that began a run; None before the first."""
    last_run_id: str | None
    error: str | None
    """Why the last tick began none."""
    created_at: float
    ends_at: float | None = None
    """No tick begins a run after this."""
    details: dict[str, Any] = {}
    """What its maker says about it."""


class MessageRecord(_Frozen):
    """A message of a thread's transcript."""

    seq: int
    """From 1 in its thread."""
    message_id: str
    run_id: str
    role: str
    text: str
    citations: list[Passage]
    created_at: float


class ThreadRecord(_Frozen):
    """A thread as it stands on disk."""

    thread_id: str
    title: str
    graph: str
    metadata: dict[str, Any]
    created_at: float
    updated_at: float
    messages: int
    status: Literal["idle", "busy", "interrupted"]
    tags: list[str] = []
    """In alphabetical order."""
    ttl_s: float | None = None
    """How long after its last use it is deleted, 0 for never; None for what the settings say."""
