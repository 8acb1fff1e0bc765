"""What Motet is compared with: the same graph as plain LangGraph with `SqliteSaver`, behind the same socket.

    python -m tests.chaos.plain SOCKET DATABASE_FILE DURABILITY

It does what its documents show: one thread a conversation, a run is a task of the process, and after a start every
thread that has something left to do is gone on with.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from tests.chaos.steps import build_plain


class Plain:
    """Runs graphs as tasks."""

    def __init__(self, saver: Any, durability: str) -> None:
        self._saver = saver
        self._graph = build_plain().compile(checkpointer=saver)
        self._durability: Any = durability
        self._tasks: set[asyncio.Task[Any]] = set()

    async def recover(self) -> None:
        """Go on with every thread that says that it has something left to do."""
        for thread_id in await self._threads():
            config = {"configurable": {"thread_id": thread_id}}
            state = await self._graph.aget_state(config)
            if state.next or state.tasks:
                self._begin(None, thread_id)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            asked = json.loads(line)
            if asked["op"] == "submit":
                self._begin({"messages": [HumanMessage(asked["text"])]}, asked["thread_id"])
                answer: dict[str, Any] = {"run_id": asked["thread_id"]}
            else:
                await asyncio.gather(*self._tasks, return_exceptions=True)
                answer = {"answers": {name: await self._answer(name) for name in await self._threads()}}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    def _begin(self, given: Any, thread_id: str) -> None:
        config = {"configurable": {"thread_id": thread_id}}
        task = asyncio.create_task(self._graph.ainvoke(given, config, durability=self._durability))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _threads(self) -> list[str]:
        async with self._saver.conn.execute("SELECT DISTINCT thread_id FROM checkpoints") as rows:
            return [row[0] async for row in rows]

    async def _answer(self, thread_id: str) -> str:
        state = await self._graph.aget_state({"configurable": {"thread_id": thread_id}})
        last = (state.values.get("messages") or [HumanMessage("")])[-1]
        return last.text if last.type == "ai" else ""


async def run(path: str, file: str, durability: str) -> None:
    """Serve until killed."""
    async with AsyncSqliteSaver.from_conn_string(file) as saver:
        await saver.setup()
        plain = Plain(saver, durability)
        await plain.recover()
        server = await asyncio.start_unix_server(plain.connected, path)
        await server.serve_forever()


def main(arguments: list[str]) -> None:
    """Start; used in forks."""
    asyncio.run(run(arguments[0], arguments[1], arguments[2]))


if __name__ == "__main__":
    main(sys.argv[1:])
