"""agno with its SqliteDb and the history in the context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.models.openai.like import OpenAILike

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    agent: Any = Agent(
        model=OpenAILike(id="scripted", base_url=base_url, api_key="none"),
        tools=[multiply],
        db=SqliteDb(db_file=str(folder / "agno.db")),
        session_id="t",
        add_history_to_context=True,
        num_history_runs=20,
        telemetry=False,
    )

    async def turn() -> str:
        return str((await agent.arun("How much is 6 * 7?")).content)

    yield turn
