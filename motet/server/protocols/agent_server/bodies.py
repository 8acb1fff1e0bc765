"""What requests of this wire look like. What a newer client adds is passed over, as its own server does.

What does not live here: what becomes of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from motet.runs.request import MAX_STEPS

Json = dict[str, Any]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$")]
Mode = Literal[
    "values", "messages", "messages-tuple", "tasks", "checkpoints", "updates", "events", "debug", "custom"
]
Nodes = Literal["*"] | list[str]
Limit = Annotated[int, Field(ge=1, le=1000)]
Offset = Annotated[int, Field(ge=0, le=10**9)]
Order = Literal["asc", "desc"]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^.\x00]+$")]
Key = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
Namespace = Annotated[list[Label], Field(max_length=20)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Config(_Body):
    """What LangGraph calls a config."""

    tags: list[str] | None = Field(default=None, max_length=100)
    recursion_limit: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    configurable: Json | None = None
    metadata: Json | None = None


class SendBody(_Body):
    """Go to a node with an input of its own."""

    node: str
    input: Any = None


class Command(_Body):
    """What LangGraph calls a command."""

    update: Json | list[Any] | None = None
    resume: Any = None
    goto: str | SendBody | list[str | SendBody] | None = None


class Checkpoint(_Body):
    """Where in a thread's history."""

    checkpoint_id: str | None = None
    checkpoint_ns: str | None = None


class RunBody(_Body):
    """A run."""

    assistant_id: str
    input: Any = None
    command: Command | None = None
    config: Config | None = None
    context: Json | None = None
    metadata: Json | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_id: str | None = None
    interrupt_before: Nodes | None = None
    interrupt_after: Nodes | None = None
    stream_mode: Mode | list[Mode] | None = None
    stream_subgraphs: bool | None = None
    webhook: str | None = Field(default=None, max_length=4000)
    multitask_strategy: Literal["reject", "rollback", "interrupt", "enqueue"] | None = None
    if_not_exists: Literal["create", "reject"] | None = None
    on_disconnect: Literal["cancel", "continue"] | None = None
    on_completion: Literal["delete", "keep"] | None = None
    after_seconds: float | None = Field(default=None, ge=0, le=366 * 86400, allow_inf_nan=False)
    durability: Literal["sync", "async", "exit"] | None = None


class Modes(_Body):
    """Which modes to show."""

    stream_mode: list[Mode] = []


class BatchRunBody(RunBody):
    """A run of a batch, on a thread or by itself."""

    thread_id: Uuid | None = None


class CancelBody(_Body):
    """Which runs to stop."""

    thread_id: Uuid | None = None
    run_ids: list[Uuid] | None = Field(default=None, max_length=1000)
    status: Literal["pending", "running", "all"] | None = None


class Settled(BaseModel):
    """An assistant's config: kept and shown as it was given, whatever else it has."""

    model_config = ConfigDict(extra="allow")

    tags: list[str] | None = Field(default=None, max_length=100)
    recursion_limit: int | None = Field(default=None, ge=1)
    configurable: Json | None = None


class AssistantBody(_Body):
    """A new assistant."""

    graph_id: str
    assistant_id: Uuid | None = None
    config: Settled | None = None
    context: Json | None = None
    metadata: Json | None = None
    if_exists: Literal["raise", "do_nothing"] = "raise"
    name: str | None = Field(default=None, max_length=500)
    description: str | None = Field(default=None, max_length=5000)


class AssistantPatch(_Body):
    """What is new about an assistant."""

    graph_id: str | None = None
    config: Settled | None = None
    context: Json | None = None
    metadata: Json | None = None
    name: str | None = Field(default=None, max_length=500)
    description: str | None = Field(default=None, max_length=5000)


class LatestBody(_Body):
    """Which version is to count."""

    version: int = Field(ge=1, le=2**31 - 1)


class Count(_Body):
    """Which assistants, threads or crons to count."""

    metadata: Json | None = None
    graph_id: str | None = None
    name: str | None = Field(default=None, max_length=500)


class AssistantSearch(Count):
    """Which assistants to list."""

    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["assistant_id", "created_at", "graph_id", "name", "updated_at"] = "created_at"
    sort_order: Order = "desc"
    select: list[str] | None = None


class VersionSearch(_Body):
    """Which versions to list."""

    metadata: Json | None = None
    limit: Limit = 10
    offset: Offset = 0


class StateWriteBody(_Body):
    """A write to a thread's state."""

    values: Any = None
    as_node: str | None = None
    command: Json | None = None


class Superstep(_Body):
    """Writes that belong together."""

    updates: list[StateWriteBody] = Field(min_length=1, max_length=100)


class ThreadTtl(_Body):
    """How long a thread is kept after its last use."""

    strategy: str = "delete"
    ttl: float = Field(gt=0, allow_inf_nan=False, description="Minutes.")


class ThreadBody(_Body):
    """A new thread."""

    thread_id: Uuid | None = None
    metadata: Json | None = None
    if_exists: Literal["raise", "do_nothing"] = "raise"
    ttl: ThreadTtl | float | None = None
    supersteps: list[Superstep] | None = Field(default=None, max_length=1000)


class ThreadPatch(_Body):
    """What is new about a thread."""

    metadata: Json | None = None
    ttl: ThreadTtl | float | None = None


class ThreadCount(_Body):
    """Which threads to count."""

    metadata: Json | None = None
    values: Json | None = None
    status: Literal["idle", "busy", "interrupted", "error"] | None = None


class ThreadSearch(ThreadCount):
    """Which threads to list."""

    ids: list[Uuid] | None = Field(default=None, max_length=1000)
    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"] = "created_at"
    sort_order: Order = "desc"
    select: list[str] | None = None
    extract: dict[str, str] | None = Field(default=None, max_length=10)


class PruneBody(_Body):
    """Which threads to clear away."""

    thread_ids: list[Uuid] = Field(max_length=1000)
    strategy: Literal["delete", "keep_latest"] = "delete"


class StateAt(_Body):
    """Which state to look at."""

    checkpoint: Checkpoint
    subgraphs: bool = False


class StateUpdate(StateWriteBody):
    """A write to a thread's state, at a checkpoint."""

    checkpoint: Checkpoint | None = None
    checkpoint_id: str | None = None


class HistoryBody(_Body):
    """Which states to list."""

    limit: Limit = 10
    before: str | Json | None = None
    metadata: Json | None = None
    checkpoint: Checkpoint | None = None
    select: list[str] | None = None


class PutItem(_Body):
    """An item to store."""

    namespace: Namespace
    key: Key
    value: Json
    index: Literal[False] | list[str] | None = None
    ttl: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class DeleteItem(_Body):
    """An item to delete."""

    namespace: Namespace = []
    key: Key


class SearchItems(_Body):
    """Which items to list."""

    namespace_prefix: Namespace = []
    filter: Json | None = None
    limit: Limit = 10
    offset: Offset = 0
    query: str | None = Field(default=None, max_length=8000)
    refresh_ttl: bool | None = None


class Namespaces(_Body):
    """Which namespaces to list."""

    prefix: Namespace | None = None
    suffix: Namespace | None = None
    max_depth: int | None = Field(default=None, ge=1, le=100)
    limit: Limit = 100
    offset: Offset = 0


class CronBody(RunBody):
    """A run that begins by the clock."""

    schedule: str = Field(max_length=200)
    timezone: str | None = Field(default=None, max_length=100)
    end_time: datetime | None = None
    enabled: bool = True
    on_run_completed: Literal["delete", "keep"] | None = None


class CronPatch(_Body):
    """What is new about a cron."""

    schedule: str | None = Field(default=None, max_length=200)
    timezone: str | None = Field(default=None, max_length=100)
    end_time: datetime | None = None
    enabled: bool | None = None
    on_run_completed: Literal["delete", "keep"] | None = None
    input: Any = None
    metadata: Json | None = None
    config: Config | None = None
    context: Json | None = None
    webhook: str | None = Field(default=None, max_length=4000)
    interrupt_before: Nodes | None = None
    interrupt_after: Nodes | None = None


class CronCount(_Body):
    """Which crons to count."""

    assistant_id: str | None = None
    thread_id: Uuid | None = None
    metadata: Json | None = None


class CronSearch(CronCount):
    """Which crons to list."""

    enabled: bool | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: str | None = None
    sort_order: Order | None = None
    select: list[str] | None = None
