"""pydantic-ai; the history is handed on in memory, nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    del folder
    model = OpenAIChatModel("scripted", provider=OpenAIProvider(base_url=base_url, api_key="none"))
    agent: Any = Agent(model)

    @agent.tool_plain
    def multiply(a: int, b: int) -> int:
        """Multiply two numbers."""
        return a * b

    history: list[Any] = []

    async def turn() -> str:
        result = await agent.run("How much is 6 * 7?", message_history=history)
        history[:] = result.all_messages()
        return str(result.output)

    yield turn
