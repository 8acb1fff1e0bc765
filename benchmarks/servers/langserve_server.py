"""LangServe's own server over the graph: `python langserve_server.py PORT [FILE]`.

With a FILE the graph keeps its state there, by LangGraph's own saver for SQLite, each run in a thread of its own.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from contextlib import AsyncExitStack
from typing import Any

import uvicorn
from fastapi import FastAPI
from graph import graph
from langserve import add_routes


def in_own_thread(config: dict[str, Any], _request: Any) -> dict[str, Any]:
    """Give a request a thread of its own."""
    return config | {"configurable": {"thread_id": uuid.uuid4().hex}}


async def main(port: int, file: str | None = None) -> None:
    """Serve until the process is ended."""
    app = FastAPI()
    async with AsyncExitStack() as stack:
        if file is None:
            add_routes(app, graph, path="/langserve/chat")
        else:
            from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # noqa: PLC0415

            saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(file))
            kept = graph.builder.compile(checkpointer=saver)
            add_routes(app, kept, path="/langserve/chat", per_req_config_modifier=in_own_thread)
        await uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning")).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
