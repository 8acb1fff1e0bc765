"""openai-agents with its SQLiteSession."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    Runner,
    SQLiteSession,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@function_tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=base_url, api_key="none")
    model = OpenAIChatCompletionsModel(model="scripted", openai_client=client)
    agent: Any = Agent(name="agent", model=model, tools=[multiply])
    session = SQLiteSession("t", str(folder / "session.db"))

    async def turn() -> str:
        return str((await Runner.run(agent, "How much is 6 * 7?", session=session)).final_output)

    yield turn
