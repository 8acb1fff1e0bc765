"""Pinning what a user said: it stays in a thread's state, and in what models are shown, however long the thread gets.

What does not live here: how pinned messages are shown (`agents.context`) and kept (`memory.window`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput
from motet.memory.window import EARLIER, MAX_PINNED, PINNED_KEY, is_pinned
from motet.runs.threads.base import ThreadWork

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph
    from sqlalchemy.engine import Connection, Row

    from motet.memory.checkpoints import MotetSaver
    from motet.runs.records import Records
    from motet.storage.engine import Database

LAST_NODE = "remember"
"""Motet's graphs end after it: after a write as this node nothing is left to be done."""


class Pins(ThreadWork):
    """Pins messages of one tenant's threads."""

    def __init__(self, database: Database, records: Records, saver: MotetSaver, tenant_id: str) -> None:
        super().__init__(database, records, saver, tenant_id)
        self._saver = saver

    async def pin(self, thread_id: str, turn: str | None, *, on: bool) -> list[str]:
        """Pin what the user said in a turn, or take the pin off; return what is pinned then, the oldest first.

        Args:
            thread_id: The thread.
            turn: Its number; the newest unless given.
            on: False takes the pin off.

        Raises:
            NotFound: There is no such thread or turn.
            InvalidInput: The user said nothing in it, enough is pinned already, or the graph is no graph of Motet's.
            Conflict: A run of the thread has not ended.
        """
        name, said = await self._database.read(lambda c: self._said(c, thread_id, turn))
        graph = self._graph(name)
        config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
        held = await _messages(graph, config)
        message = next((m for m in held if m.id == said.message_id), None)
        if message is not None or on:
            if on and sum(is_pinned(m) and m is not message for m in held) >= MAX_PINNED:
                raise InvalidInput(
                    f"{MAX_PINNED} messages are pinned, and no more can be: take a pin off first, with --off."
                )
            changed = _pinned(message, said, on=on)
            await graph.aupdate_state(config, {"messages": [changed]}, as_node=LAST_NODE)
            await self._database.read(
                lambda c: self._check_idle(c, thread_id)
            )  # it would not have seen the pin
        return [m.text for m in await _messages(graph, config) if is_pinned(m)]

    def _said(self, connection: Connection, thread_id: str, turn: str | None) -> tuple[str, Row[Any]]:
        """Return the graph's name, and the first message that the user wrote in a turn."""
        record = self._records.find_thread(connection, thread_id)
        self._check_idle(connection, record.thread_id)
        history = self._history(connection, record.thread_id)
        turns = {one.number: one for one in history.turns() if one.number is not None}
        number = _number(turn, len(turns))
        run_id = turns[number].run_id
        said = [row for row in history.shown if row.run_id == run_id and row.role == "user"]
        if not said:
            raise InvalidInput(f"Nothing was said by the user in turn {number}.")
        return record.graph, said[0]

    def _graph(self, name: str) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Return a graph of Motet's with the thread's checkpoints, and without a model: only its state is written."""
        from langchain_core.language_models.fake_chat_models import FakeListChatModel  # noqa: PLC0415  # heavy

        from motet.graphs.base import GRAPHS, build_graph, simple_parts  # noqa: PLC0415

        if name not in GRAPHS:
            raise InvalidInput(
                f"The graph '{name}' has a state of its own: only {', '.join(GRAPHS)} pin messages."
            )
        parts = simple_parts(FakeListChatModel(responses=[""]))
        return build_graph(name, parts, own={}, checkpointer=self._saver)


async def _messages(
    graph: CompiledStateGraph[Any, Any, Any, Any], config: RunnableConfig
) -> list[BaseMessage]:
    return list((await graph.aget_state(config)).values.get("messages") or ())


def _number(turn: str | None, count: int) -> int:
    """Return a turn's number as it was written; the newest turn's for None."""
    if not count:
        raise InvalidInput("This conversation has no turns yet: say something first.")
    if turn is None:
        return count
    if not turn.isdecimal() or not 1 <= int(turn) <= count:
        raise InvalidInput(f"There is no turn '{turn}': the turns are 1 to {count}.")
    return int(turn)


def _pinned(message: BaseMessage | None, said: Row[Any], *, on: bool) -> BaseMessage:
    from langchain_core.messages import HumanMessage  # noqa: PLC0415  # LangChain is loaded when it is needed

    flag: bool | str = on if message is not None else EARLIER
    found = message or HumanMessage(said.text, id=said.message_id)
    return found.model_copy(update={"additional_kwargs": {**found.additional_kwargs, PINNED_KEY: flag}})
