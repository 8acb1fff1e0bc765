"""The one engine: drives a claimed run's graph and writes what happens to the log.

What does not live here: who claims (`worker`), what the parts of a stream mean (`translate`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langgraph.errors import GraphRecursionError
from langgraph.types import Command, Send, StateUpdate

from motet.errors import (
    BudgetExceeded,
    DatabaseFull,
    DatabaseUnavailable,
    LeaseLost,
    MotetBug,
    MotetError,
    RunError,
)
from motet.events import (
    RunCancelledEvent,
    RunCompleted,
    RunFailed,
    RunInterrupted,
    RunStarted,
)
from motet.memory.saver import handed
from motet.models.faults import map_error
from motet.models.halt import Halt
from motet.runs.attend import Attendance, attend, stop_with_what_there_is
from motet.runs.budgets.question import PREFIX, stops
from motet.runs.drive import SendTo
from motet.runs.log.base import MustUndo
from motet.runs.outside import note_outside
from motet.runs.parts import Recorder, parts_of
from motet.runs.redact import CleanEvents
from motet.runs.retry import RetryPolicy
from motet.runs.sync_steps import let_graphs_without_saver_be_sync
from motet.runs.translate import STREAM_MODES, Translator, new_messages, plain, waiting_for
from motet.runs.usage import UsageCounter
from motet.runs.writer import EventWriter
from motet.storage import along
from motet.storage.crash import CrashPoints
from motet.storage.fence import CONFIG_KEY, Fence
from motet.telemetry import of_run
from motet.tools.ledger.keep import CallKeeper, LedgerFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
    from langgraph.graph.state import CompiledStateGraph

    from motet.events import Event
    from motet.models.base import ModelSpec
    from motet.runs.budgets.service import Budgets
    from motet.runs.drive import StateWrite
    from motet.runs.log.base import EventLog
    from motet.runs.queue.base import Claim
    from motet.runs.recordings.service import Recordings
    from motet.runs.request import RunJob
    from motet.runs.traces import Traces
    from motet.telemetry import Redactor
    from motet.tools.ledger.base import Ledger
    from motet.tools.policy.guard import Guard

logger = logging.getLogger(__name__)

MODEL_LIBRARIES = frozenset({"openai", "httpx", "langchain_openai"})
"""Whose errors are a model's; a graph's own TypeError is not."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a run is executed with."""

    log: EventLog
    build_graph: Callable[[RunJob], Awaitable[CompiledStateGraph[Any, Any, Any, Any]]]
    """Gives the graph of a job, compiled with the checkpointer."""
    spec_of: Callable[[RunJob], ModelSpec]
    """Says which model a job uses, for its errors' sake."""
    max_steps: int
    max_attempts: int
    budgets: Budgets | None = None
    """Watches over what runs spend; without it nothing is limited."""
    recordings: Recordings | None = None
    """Records runs and plays them; without it neither is done."""
    keep_calls: Callable[[Claim], Ledger] | None = None
    """Gives the ledger of an attempt's tool calls; without it no call is kept."""
    guard_calls: Callable[[Claim], Guard] | None = None
    """Gives what decides an attempt's tool calls; without it every call is made."""
    crash: CrashPoints = field(default_factory=CrashPoints)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    undo: Callable[[Claim], Awaitable[None]] | None = None
    """Takes back what a run did to its thread's state; a run is only rolled back where there is one."""
    redactor: Redactor | None = None
    """Takes secrets out of what is told."""
    traces: Traces | None = None
    """Makes spans of what happens; without it none are made."""

    async def execute(self, claim: Claim, *, stopped: Callable[[], str | None]) -> None:
        """Run a claimed run to its end, or on from where an earlier attempt stopped.

        The run's end is in the log when this returns. Cancelling the task stops the run: when `stopped()` gives a
        reason, the run is recorded as cancelled, else it is left as it is for another worker.

        Raises:
            LeaseLost: The run is another worker's; nothing more was written.
            DatabaseFull, DatabaseUnavailable: The database takes nothing now; the run has not ended.
        """
        writer = EventWriter(self.log, claim, CleanEvents(self.redactor) if self.redactor else None)
        try:
            await writer.put(RunStarted(attempt=claim.attempt))
            reason = stopped()
            if reason is not None:
                ending: Event = RunCancelledEvent(reason=reason)
            elif claim.attempt > self.max_attempts:
                raise RunError(
                    f"The run was given up: {self.max_attempts} workers stopped while they worked on it.",
                    attempts=claim.attempt - 1,
                )
            else:
                with self.crash.around("the work on a run"):
                    ending = await self._drive(claim, writer)
        except asyncio.CancelledError:
            reason = stopped()
            if reason is None:
                raise
            await self._tell_finished(claim, writer)
            ending = RunCancelledEvent(reason=reason)
        except (DatabaseFull, DatabaseUnavailable, LeaseLost):
            raise  # a database that is full or locked is no fault of the run's: it is taken up again
        except Exception as error:  # noqa: BLE001  # the worker's edge: whatever a graph raises ends its run
            ending = self._after(error, claim)
        try:
            await writer.flush(ending)
        except MustUndo as signal:
            if self.undo is not None:
                await self.undo(claim)
            await writer.flush(RunCancelledEvent(reason=signal.reason, undone=True))

    def _after(self, error: Exception, claim: Claim) -> Event:
        """Return what an error makes of the run: another try later, or its end."""
        failure = _failure(error, claim, self.spec_of(claim.job))
        again = self.retry.after(failure, claim.retries, max_retries=claim.job.options.max_retries)
        return again or RunFailed(error=failure.to_dict())

    async def _drive(self, claim: Claim, writer: EventWriter) -> Event:
        """Do a run's work, with those who attend to it; return its last event."""
        job = claim.job
        if self.budgets is not None and stops(job.answers or {}):
            first = job.model_copy(update={"run_id": job.budget_of or job.run_id})
            return await stop_with_what_there_is(self.budgets, job, await self._told(first), writer)
        async with attend(claim, self.budgets, self.recordings, self.traces) as attendance:
            return await self._work(claim, writer, attendance)

    async def _work(self, claim: Claim, writer: EventWriter, attendance: Attendance) -> Event:
        """Stream the graph into the log; return the run's last event."""
        job = claim.job
        graph = await self.build_graph(job)
        guard = self.guard_calls(claim) if self.guard_calls is not None else None
        if guard is not None:
            await note_outside(guard, job)
        attendance.policy = guard
        config = self._config(claim, graph, writer, attendance)
        translator = Translator()
        if claim.fence > 1:
            translator.know_events(await self._told(job))
        newest = await _saver(graph, job).aget_tuple(config)
        if job.drive.checkpoint_id is not None and not _begun(newest, job):
            newest = await _at_checkpoint(graph, job, config)
        else:
            config["configurable"][handed.CONFIG_KEY] = handed.Handed(job.thread_id, newest)  # pyright: ignore[reportTypedDictNotRequiredAccess]
        earlier = _earlier_messages(newest, job)
        translator.know(earlier)
        await attendance.begin(earlier, newest)
        if job.drive.supersteps:
            return await _write_state(graph, job, config, translator, writer)
        values = await _stream(graph, job, config, given=_input(newest, job), to=(translator, writer))
        if translator.interrupted:
            return RunInterrupted()
        if values is None:  # an earlier attempt had finished but for this event
            values = (await graph.aget_state(_thread_of(job))).values
        messages = new_messages(values, _given_ids(job))
        await writer.put_all(translator.answers(messages))
        return RunCompleted(output=_output(graph, values, messages))

    async def _tell_finished(self, claim: Claim, writer: EventWriter) -> None:
        """Tell what a stopped run left in its thread's state and had no time to tell: later runs build upon it."""
        job = claim.job
        graph = await self.build_graph(job)
        newest = await _saver(graph, job).aget_tuple(_thread_of(job))
        if newest is None or not _begun(newest, job):
            return
        await writer.flush()
        translator = Translator()
        translator.know_events(await self._told(job))
        translator.know(_earlier_messages(newest, job))
        mine = new_messages(newest.checkpoint["channel_values"], _given_ids(job))
        await writer.put_all(translator.answers(mine))

    def _config(
        self,
        claim: Claim,
        graph: CompiledStateGraph[Any, Any, Any, Any],
        writer: EventWriter,
        attendance: Attendance,
    ) -> RunnableConfig:
        job = claim.job
        kept: dict[str, Any] = {}
        if self.keep_calls is not None:
            kept = CallKeeper(
                self.keep_calls(claim),
                _saver(graph, job),
                job.thread_id,
                attendance.policy,
                tape=attendance.tape,
            ).configurable
        fence = Fence(job.tenant_id, job.run_id, claim.fence)
        own = {"thread_id": job.thread_id, CONFIG_KEY: fence, **kept, **attendance.configurable}
        own[along.CONFIG_KEY] = along.Along(job.thread_id, writer.carry)
        return {
            "configurable": {**job.drive.configurable, **own},
            "metadata": {**job.drive.metadata, "run_id": job.run_id},
            "tags": list(job.drive.tags),
            "recursion_limit": job.options.max_steps or max(self.max_steps, _own_limit(graph)),
            "callbacks": [UsageCounter(writer.put, attendance.prices), *attendance.callbacks],
        }

    async def _told(self, job: RunJob) -> list[Event]:
        """Return what the log has of this run."""
        told: list[Event] = []
        after = 0
        while found := await self.log.read(job.tenant_id, job.run_id, after=after):
            told += [recorded.event for recorded in found]
            after = found[-1].seq
        return told


async def _stream(
    graph: CompiledStateGraph[Any, Any, Any, Any],
    job: RunJob,
    config: RunnableConfig,
    *,
    given: Any,
    to: tuple[Translator, EventWriter],
) -> Any:
    """Drive the graph and write what it tells; return its last state, None when there was nothing left to do.

    "sync": no step begins before the last one's checkpoint is on disk. A tool is never called, and a message never
    told, for a model's reply that a crash could take back.
    """
    (translator, writer), drive = to, job.drive
    recorder = Recorder(drive)
    how = {name: getattr(drive, name) for name in ("context", "interrupt_before", "interrupt_after")}
    let_graphs_without_saver_be_sync()
    values: Any = None
    async for part in _parts(parts_of(graph, given, config, recorder, **how)):
        namespace, mode, data = part
        told: list[Event] = [] if mode in ("values", "events") else list(_told_of(translator, part))
        told += recorder.record(part)
        if recorder.is_held(part):
            writer.hold(told)
            continue
        if mode == "values" and not namespace:  # comes after its checkpoint
            values = data
            await writer.release()
        await writer.put_all(told)
    await writer.release()
    return values


def _told_of(translator: Translator, part: Any) -> Iterable[Event]:
    return translator.translate(part) if part[1] in STREAM_MODES else ()


async def _write_state(
    graph: CompiledStateGraph[Any, Any, Any, Any],
    job: RunJob,
    config: RunnableConfig,
    translator: Translator,
    writer: EventWriter,
) -> Event:
    """Write to the thread's state without running anything; the new messages enter the transcript."""
    if job.drive.checkpoint_ns:
        config["configurable"]["checkpoint_ns"] = job.drive.checkpoint_ns  # pyright: ignore[reportTypedDictNotRequiredAccess]
    written = await graph.abulk_update_state(
        config, [[_state_update(one) for one in step] for step in job.drive.supersteps]
    )
    configurable = written.get("configurable", {})
    values = (await graph.aget_state(_thread_of(job))).values
    for message in new_messages(values, ()):
        if message.type == "human":
            await writer.put_all(translator.said(message))
    await writer.put_all(translator.answers(new_messages(values, ())))
    kept = ("thread_id", "checkpoint_ns", "checkpoint_id")
    return RunCompleted(
        output={"checkpoint": {key: configurable[key] for key in kept if key in configurable}}
    )


def _state_update(write: StateWrite) -> StateUpdate:
    values: Any = write.values if write.update is None else Command(**write.update)
    return StateUpdate(values, write.as_node)


def _thread_of(job: RunJob) -> RunnableConfig:
    return {"configurable": {"thread_id": job.thread_id}}


async def _at_checkpoint(
    graph: CompiledStateGraph[Any, Any, Any, Any], job: RunJob, config: RunnableConfig
) -> CheckpointTuple | None:
    """Point a run's config at the checkpoint that it goes on from, and return that.

    Raises:
        RunError: The thread has no such checkpoint (any more).
    """
    configurable: dict[str, Any] = config.get("configurable", {})
    configurable["checkpoint_id"] = job.drive.checkpoint_id
    found = await _saver(graph, job).aget_tuple(config)
    if found is None:
        raise RunError(f"Thread {job.thread_id} has no checkpoint '{job.drive.checkpoint_id}'.")
    return found


async def _parts(stream: Any) -> AsyncIterator[Any]:
    """Yield the parts of a graph's stream; what ends a run from wherever it is met is raised as what it is."""
    try:
        async for part in stream:
            yield part
    except (LedgerFailed, Halt) as failed:
        raise failed.error from failed


def _saver(graph: CompiledStateGraph[Any, Any, Any, Any], job: RunJob) -> BaseCheckpointSaver[Any]:
    saver = graph.checkpointer
    if saver is None or isinstance(saver, bool):
        raise MotetBug(f"Graph '{job.graph}' was built without a checkpointer.")
    return saver


def _own_limit(graph: CompiledStateGraph[Any, Any, Any, Any]) -> int:
    """Return how many steps a graph says that it may take; 0 when it says nothing."""
    return int((graph.config or {}).get("recursion_limit") or 0)


def _begun(newest: CheckpointTuple | None, job: RunJob) -> bool:
    """Say whether an earlier attempt of this run left a checkpoint behind.

    This is read off the newest checkpoint's run id. `state.next` would not tell: after a crash it can be empty
    though the run is half done.
    """
    return newest is not None and newest.metadata.get("run_id") == job.run_id


def _input(newest: CheckpointTuple | None, job: RunJob) -> Any:
    """Return what to start the graph with; None goes on from the checkpoint that this run left behind."""
    drive = job.drive
    if _begun(newest, job) or (drive.go_on and not drive.is_command):
        return None
    if job.input is not None:
        return job.input
    command: dict[str, Any] = {}
    if job.answers is not None:
        # After a crash an answer may have been taken already, and its task may ask the next thing. What was answered
        # about a budget took effect when it was accepted: work that it stopped is simply done again.
        waiting = {one for one in waiting_for(newest) if not one.startswith(PREFIX)}
        command["resume"] = {one: answer for one, answer in job.answers.items() if one in waiting}
    elif not drive.is_command:
        command["resume"] = job.resume
    if drive.is_command:
        goto = [Send(to.node, to.input) if isinstance(to, SendTo) else to for to in drive.goto]
        command |= {"update": drive.update, "goto": goto}
    return Command(**command) if command != {"resume": {}} else None


def _earlier_messages(newest: CheckpointTuple | None, job: RunJob) -> list[BaseMessage]:
    """Return the messages that were in the thread's state before this run."""
    state = newest.checkpoint["channel_values"] if newest is not None else {}
    messages = new_messages(state, ())
    mine = new_messages(state, _given_ids(job)) if _begun(newest, job) else []
    return messages[: len(messages) - len(mine)]


def _given_ids(job: RunJob) -> list[str]:
    return [message["id"] for message in (job.input or {}).get("messages", [])]


def _output(
    graph: CompiledStateGraph[Any, Any, Any, Any], values: Any, messages: list[Any]
) -> dict[str, Any]:
    """Return the graph's output as plain JSON, of its messages only the new ones: the log stays flat."""
    if not isinstance(values, dict):
        return {"output": plain(values)}
    names = graph.output_channels
    wanted = {names} if isinstance(names, str) else set(names)
    output: dict[str, Any] = {
        key: plain(value) for key, value in values.items() if key in wanted and key != "messages"
    }
    if "messages" in values:
        output["messages"] = [plain(message) for message in messages]
    return output


def _failure(error: Exception, claim: Claim, spec: ModelSpec) -> MotetError:
    """Return the typed error that the log tells; the trace goes to Motet's own log."""
    if isinstance(error, MotetError):
        return error
    if isinstance(error, GraphRecursionError):
        return BudgetExceeded(
            "The run took more steps than it may. Raise MOTET_MAX_STEPS, or ask for less at once."
        )
    if type(error).__module__.partition(".")[0] in MODEL_LIBRARIES:
        known = map_error(error, spec)
        if known is not None:
            return known
    about = of_run(claim.job.run_id, claim.job.thread_id)
    logger.error("run %s failed", claim.job.run_id, exc_info=error, extra=about)
    text = str(error).splitlines()[0] if str(error) else ""
    return RunError(f"{type(error).__name__}: {text}"[:500], error_type=type(error).__name__)
