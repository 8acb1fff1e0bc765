"""The bare OpenAI client: the model calls of a turn and nothing else, the floor of everything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openai import AsyncOpenAI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "multiply",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}


async def turns(base_url: str, folder: Path) -> AsyncIterator[Any]:
    """Yield one turn."""
    del folder
    client = AsyncOpenAI(base_url=base_url, api_key="none")
    messages: list[Any] = []

    async def turn() -> str:
        messages.append({"role": "user", "content": "How much is 6 * 7?"})
        while True:
            reply = await client.chat.completions.create(model="scripted", messages=messages, tools=[TOOL])
            message = reply.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                return message.content or ""
            for call in message.tool_calls:
                given = json.loads(call.function.arguments)
                told = str(given["a"] * given["b"])
                messages.append({"role": "tool", "tool_call_id": call.id, "content": told})

    yield turn
