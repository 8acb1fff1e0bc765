"""LangChain's `create_agent` with LangGraph's AsyncSqliteSaver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    model = ChatOpenAI(model="scripted", base_url=base_url, api_key="none")
    async with AsyncSqliteSaver.from_conn_string(str(folder / "state.db")) as saver:
        agent: Any = create_agent(model, [multiply], checkpointer=saver)

        async def turn() -> str:
            asked = {"messages": [{"role": "user", "content": "How much is 6 * 7?"}]}
            state = await agent.ainvoke(asked, {"configurable": {"thread_id": "t"}})
            return str(state["messages"][-1].content)

        yield turn
