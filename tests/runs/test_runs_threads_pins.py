"""Pins: what the user said stays in the state of a thread of any length, and models are shown it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from studio import TENANT, Studio, graph_of, open_studio

from motet.errors import InvalidInput, NotFound
from motet.graphs.base import build_graph, simple_parts
from motet.memory.checkpoints import MotetSaver
from motet.memory.window import MAX_PINNED
from motet.models.scripted import Call, ScriptedChatModel, scripted
from motet.runs.request import RunRequest
from motet.runs.threads.service import Threads
from motet.storage.seal import load_seal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from langgraph.graph import MessagesState

    from motet.settings import Settings
    from motet.storage.engine import Database

RULE = "Always in metres, 请用米。"


async def silent(_state: MessagesState) -> dict[str, list[Any]]:
    return {"messages": []}


class Room(Studio):
    calls: list[Call]
    operations: Threads

    async def talk(self, *texts: str, **more: Any) -> str:
        """Have one turn in which the user says the first text, and the rest is told as said before."""
        messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]
        accepted = await self.gate.submit(RunRequest(input={"messages": messages}, **more))
        await self.events(accepted.run_id)
        return accepted.thread_id


@pytest.fixture
async def room(database: Database, settings: Settings) -> AsyncIterator[Room]:
    model = scripted(lambda call: f"Heard {len(call.user_text)}.").chat
    assert isinstance(model, ScriptedChatModel)

    def chat() -> Any:
        return build_graph("chat", simple_parts(model), own={})

    async with open_studio(database, settings, {"chat": chat, "own": graph_of(silent)}) as made:
        made.__class__ = Room
        assert isinstance(made, Room)
        made.saver = MotetSaver(database, load_seal(settings.storage))
        made.calls = model.calls
        made.operations = Threads(database, made.records, made.saver, TENANT)
        await made.work()
        yield made


async def test_what_has_left_the_state_comes_back_and_stays(room: Room) -> None:
    thread_id = await room.talk(RULE, *(f"word {n}" for n in range(60)))
    await room.talk("How long is it?", thread_id=thread_id)
    assert RULE not in _told(room)
    assert await room.operations.pin(thread_id, "1") == [RULE]
    await room.talk("And how wide?", thread_id=thread_id)
    assert _told(room).count(RULE) == 1
    assert _told(room).index(RULE) < _told(room).index("And how wide?")
    assert [m.text for m in await room.records.messages(thread_id, limit=200)].count(RULE) == 1
    assert await room.operations.pin(thread_id, "1", on=False) == []
    await room.talk("And how high?", thread_id=thread_id)
    assert RULE not in _told(room)


async def test_there_is_a_most(room: Room) -> None:
    thread_id = await room.talk("number 0")
    for number in range(1, MAX_PINNED + 1):
        await room.talk(f"number {number}", thread_id=thread_id)
        await room.operations.pin(thread_id, str(number))
    with pytest.raises(InvalidInput, match="take a pin off first"):
        await room.operations.pin(thread_id)
    assert len(await room.operations.pin(thread_id, "2")) == MAX_PINNED  # it is pinned already
    assert len(await room.operations.turns(thread_id)) == MAX_PINNED + 1


async def test_what_cannot_be_pinned_is_refused_in_clear_words(room: Room) -> None:
    own = await room.talk("hi", graph="own")
    with pytest.raises(InvalidInput, match="only chat, ensemble pin messages"):
        await room.operations.pin(own)
    with pytest.raises(InvalidInput, match="no turn '第一'"):
        await room.operations.pin(own, "第一")
    with pytest.raises(NotFound):
        await room.operations.pin("nowhere")


def _told(room: Room) -> str:
    return "\n".join(message.text for message in room.calls[-1].messages)
