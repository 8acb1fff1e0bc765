"""What a chat model needs that wraps another one.

What does not live here: the wrappers (`filtered`, `schema_tools`).
"""

from __future__ import annotations

from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from motet.models.base import REASONING_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence

    from langchain_core.language_models.chat_models import BaseChatModel
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


async def inner_chunks(
    inner: BaseChatModel, messages: list[BaseMessage], options: dict[str, Any]
) -> AsyncGenerator[AIMessageChunk]:
    """Yield the wrapped model's chunks; its connection is closed at once when the reader stops early."""
    stream = cast("AsyncGenerator[AIMessageChunk]", inner.astream(messages, silent(), **options))
    async with aclosing(stream):
        async for message in stream:
            yield _unnamed(as_chunk(message))


def inner_chunks_now(
    inner: BaseChatModel, messages: list[BaseMessage], options: dict[str, Any]
) -> Generator[AIMessageChunk]:
    """Do the same for code that does not await."""
    stream = cast("Generator[AIMessageChunk]", inner.stream(messages, silent(), **options))
    with closing(stream):
        for message in stream:
            yield _unnamed(as_chunk(message))


def _unnamed(chunk: AIMessageChunk) -> AIMessageChunk:
    """Return a chunk without its id: the wrapper's message has its own."""
    chunk.id = None
    return chunk


def has_images(messages: Sequence[BaseMessage]) -> bool:
    """Say whether a message shows an image, in OpenAI's form or in LangChain's."""
    blocks = (block for m in messages if isinstance(m.content, list) for block in m.content)
    return any(isinstance(block, dict) and block.get("type") in ("image", "image_url") for block in blocks)


def reasoning_of(message: BaseMessage) -> str:
    """Return what a model thought before it answered, whatever wire told it; "" when nothing was told."""
    told = message.additional_kwargs.get(REASONING_KEY)
    if told:
        return str(told)
    blocks = message.content_blocks if isinstance(message.content, list) else []
    return "".join(str(block.get("reasoning") or "") for block in blocks if block["type"] == "reasoning")
