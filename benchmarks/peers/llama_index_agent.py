"""LlamaIndex's FunctionAgent with a chat memory; nothing is stored.

The memory is handed over by name: a `Context` alone sent every turn as if it were the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.llms.openai_like import OpenAILike

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    del folder
    model = OpenAILike(
        model="scripted",
        api_base=base_url,
        api_key="none",
        is_chat_model=True,
        is_function_calling_model=True,
    )
    agent: Any = FunctionAgent(tools=[multiply], llm=model, streaming=False)
    memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)

    async def turn() -> str:
        return str(await agent.run("How much is 6 * 7?", memory=memory))

    yield turn
