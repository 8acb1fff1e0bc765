"""A conversation: one run at a time, stopped at any moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from cli_story import StoryLog, cancelled, record, whole

from motet.cli.chat.conversation import Conversation
from motet.errors import Conflict, InvalidInput
from motet.runs.request import Accepted, RunRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from motet.app import App
    from motet.events import Recorded


class FakeApp(StoryLog):
    """An app whose runs tell the whole story, or end as cancelled once they are."""

    def __init__(self) -> None:
        super().__init__(old=whole())
        self.may_load = asyncio.Event()
        self.may_accept = asyncio.Event()
        self.may_end = asyncio.Event()
        for gate in (self.may_load, self.may_accept, self.may_end):
            gate.set()
        self.submitted: list[RunRequest] = []
        self.cancelled: list[str] = []

    async def start_worker(self) -> None:
        await self.may_load.wait()

    async def submit(self, request: RunRequest) -> Accepted:
        await self.may_accept.wait()
        self.submitted.append(request)
        return Accepted(run_id=f"run-{len(self.submitted)}", thread_id=request.thread_id or "new")

    async def cancel(self, run_id: str, *, reason: str = "") -> bool:
        self.cancelled.append(run_id)
        self.may_end.set()
        return True

    async def resume_thread(self, thread_id: str) -> list[str]:
        return ["old"]

    async def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Recorded]:
        await self.may_end.wait()
        for recorded in record(cancelled() if run_id in self.cancelled else whole(), run_id=run_id):
            yield recorded


class Seen:
    """A renderer that keeps what it is shown."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.closed = 0

    def show(self, recorded: Recorded) -> None:
        self.types.append(recorded.event.type)

    def close(self) -> None:
        self.closed += 1


def talk(app: FakeApp, **names: Any) -> Conversation:
    return Conversation(cast("App", app), **{"thread_id": None, "graph": None, "model": None, **names})


async def test_the_second_message_goes_on_in_the_thread_of_the_first() -> None:
    app, seen = FakeApp(), Seen()
    conversation = talk(app, graph="chat", model="scripted:x")
    first = await conversation.say("one", [seen])
    await conversation.say("two", [seen])
    assert first.status == "success"
    assert [request.thread_id for request in app.submitted] == [None, "new"]
    assert app.submitted[1].graph == "chat"
    assert app.submitted[1].options.model == "scripted:x"
    assert seen.types.count("run.completed") == 2
    assert seen.closed == 2
    assert not conversation.busy


@pytest.mark.parametrize(("gate", "submitted"), [("may_load", 0), ("may_accept", 1), ("may_end", 1)])
async def test_it_can_be_stopped_at_any_moment(gate: str, submitted: int) -> None:
    app, seen = FakeApp(), Seen()
    getattr(app, gate).clear()
    conversation = talk(app)
    saying = asyncio.create_task(conversation.say("one", [seen]))
    await asyncio.sleep(0.01)
    assert conversation.busy
    await conversation.stop()
    await conversation.stop()
    assert not conversation.busy
    getattr(app, gate).set()
    outcome = await saying
    assert outcome.status == "cancelled"
    assert len(app.submitted) == submitted
    assert app.cancelled == ["run-1"][:submitted]
    assert seen.closed == 1


async def test_a_stop_is_forgotten_with_the_next_message() -> None:
    app = FakeApp()
    conversation = talk(app)
    await conversation.stop()
    assert (await conversation.say("one", [])).status == "success"


async def test_a_thread_is_not_left_while_it_is_answered() -> None:
    app = FakeApp()
    app.may_end.clear()
    conversation = talk(app, thread_id="t")
    saying = asyncio.create_task(conversation.say("one", []))
    await asyncio.sleep(0.01)
    with pytest.raises(Conflict, match="stop it first"):
        conversation.begin_anew()
    app.may_end.set()
    await saying
    conversation.begin_anew()
    assert conversation.thread_id is None


async def test_what_a_crash_left_can_be_finished() -> None:
    app, seen = FakeApp(), Seen()
    assert await talk(app).unfinished() == []
    conversation = talk(app, thread_id="t")
    (run_id,) = await conversation.unfinished()
    assert (await conversation.finish(run_id, [seen])).status == "success"
    assert app.submitted == []
    assert seen.closed == 1


@pytest.mark.parametrize(
    ("thread_id", "title", "told"), [(None, "x", "say something first"), ("t", " ", "/rename TITLE")]
)
async def test_what_cannot_be_renamed(thread_id: str | None, title: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        await talk(FakeApp(), thread_id=thread_id).rename(title)
