"""Who attends to an attempt of a run while its graph works: the guard over its budget, and its tape.

What does not live here: what they do (`budgets`, `recordings`), and driving the graph (`execute`).
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motet.events import Event, MessageCompleted, RunCompleted
from motet.runs.budgets.question import STOPPED
from motet.runs.traces import TRACE_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.messages import BaseMessage
    from langgraph.checkpoint.base import CheckpointTuple

    from motet.models.prices import Prices
    from motet.runs.budgets.service import Budgets
    from motet.runs.queue.base import Claim
    from motet.runs.recordings.service import Recordings
    from motet.runs.recordings.tape import RunTape
    from motet.runs.request import RunJob
    from motet.runs.traces import Traces
    from motet.runs.writer import EventWriter
    from motet.tools.policy.guard import Guard


@dataclass(slots=True)
class Attendance:
    """What the engine adds to a run's config for those who attend to it."""

    claim: Claim
    prices: Prices | None = None
    callbacks: list[BaseCallbackHandler] = field(default_factory=list["BaseCallbackHandler"])
    configurable: dict[str, Any] = field(default_factory=dict[str, Any])
    tape: RunTape | None = None
    policy: Guard | None = None
    """Who judges tool calls."""
    recordings: Recordings | None = None

    async def begin(self, earlier: Sequence[BaseMessage], newest: CheckpointTuple | None) -> None:
        """Record what the run begins with: the conversation before it, and what of that is summed up."""
        if self.tape is not None and self.tape.records and self.recordings is not None:
            summed_up = newest.checkpoint["channel_values"].get("earlier") if newest is not None else None
            self.tape.begin(await self.recordings.header(self.claim.job, earlier, summed_up))


@asynccontextmanager
async def attend(
    claim: Claim, budgets: Budgets | None, recordings: Recordings | None, traces: Traces | None = None
) -> AsyncIterator[Attendance]:
    """Have an attempt attended to, for as long as the context lasts. Enter it on the run's event loop."""
    attendance = Attendance(claim, recordings=recordings)
    async with AsyncExitStack() as leaving:
        if traces is not None:
            trace = leaving.enter_context(traces.run(claim))
            attendance.callbacks.append(trace)
            attendance.configurable[TRACE_KEY] = trace
        if budgets is not None:
            attendance.prices = budgets.prices
            guard = budgets.guard(claim)
            if guard is not None:
                await guard.begin()
                leaving.push_async_callback(guard.close)
                attendance.callbacks += guard.callbacks
        tape = await recordings.tape(claim) if recordings is not None else None
        if tape is not None:
            leaving.push_async_callback(tape.close)
            attendance.tape = tape
            attendance.callbacks += tape.callbacks
            attendance.configurable |= tape.configurable
        yield attendance


async def stop_with_what_there_is(
    budgets: Budgets, job: RunJob, asked: Iterable[Event], writer: EventWriter
) -> Event:
    """End a run whose budget is spent, at a person's wish, with what it found; return its last event."""
    from langchain_core.messages import AIMessage  # noqa: PLC0415  # this run calls no model

    text = await budgets.what_there_is(job, chinese=_is_chinese(asked))
    message_id = f"{STOPPED}{job.run_id}"
    message = AIMessage(text, id=message_id)
    await writer.put(MessageCompleted(message_id=message_id, role="assistant", text=text))
    return RunCompleted(
        output={"messages": [{"type": "ai", **message.model_dump(mode="json", exclude_defaults=True)}]}
    )


def _is_chinese(events: Iterable[Event]) -> bool:
    said = "".join(e.text for e in events if isinstance(e, MessageCompleted) and e.role == "user")
    return any("\u4e00" <= character <= "\u9fff" for character in said)
