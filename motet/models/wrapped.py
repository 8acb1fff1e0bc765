"""What a chat model needs that wraps another one.

What does not live here: the wrappers (`filtered`, `schema_tools`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


def silent() -> RunnableConfig:
    """Return a config that hides the wrapped model's own run: callbacks see the wrapper's run only."""
    return {"callbacks": []}


def as_chunk(message: BaseMessage) -> AIMessageChunk:
    """Return a model's message as a chunk; a model that cannot stream gives a whole message instead."""
    if isinstance(message, AIMessageChunk):
        return message
    assert isinstance(message, AIMessage)
    return AIMessageChunk(
        content=message.content,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        tool_calls=message.tool_calls,
        invalid_tool_calls=message.invalid_tool_calls,
        usage_metadata=message.usage_metadata,
        id=message.id,
        chunk_position="last",
    )
