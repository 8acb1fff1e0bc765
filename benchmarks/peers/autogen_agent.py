"""AutoGen's AssistantAgent; the history is in memory, nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    del folder
    info: Any = {
        "vision": False,
        "function_calling": True,
        "json_output": False,
        "structured_output": False,
        "family": "unknown",
    }
    client = OpenAIChatCompletionClient(model="scripted", base_url=base_url, api_key="none", model_info=info)
    agent = AssistantAgent("agent", client, tools=[multiply], reflect_on_tool_use=True)

    async def turn() -> str:
        result = await agent.run(task="How much is 6 * 7?")
        message: Any = result.messages[-1]
        return str(message.content)

    yield turn
