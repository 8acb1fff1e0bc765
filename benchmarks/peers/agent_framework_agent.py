"""Microsoft's agent-framework with a session in memory; nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_framework import Agent, tool
from agent_framework.openai import OpenAIChatCompletionClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@tool(approval_mode="never_require")
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    del folder
    client: Any = OpenAIChatCompletionClient(model="scripted", base_url=base_url, api_key="none")
    agent: Any = Agent(client=client, tools=[multiply])
    session = agent.create_session()

    async def turn() -> str:
        return str((await agent.run("How much is 6 * 7?", session=session)).text)

    yield turn
