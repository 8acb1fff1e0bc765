"""What Motet's own chat models have in common: whole answers are streams read to their end, and a wrapped model.

What does not live here: the models (`filtered`, `schema_tools`, `replay`, `fallback`, `scripted`).
"""

from __future__ import annotations

from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Protocol, cast

from langchain_core.language_models.chat_models import (
    BaseChatModel,
    agenerate_from_stream,
    generate_from_stream,
)
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.runnables import Runnable, RunnableBinding
from langchain_core.utils.function_calling import convert_to_openai_tool
from typing_extensions import override

from motet.models.base import REASONING_KEY
from motet.models.retold import RetoldChatModel

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Generator,
        Iterable,
        Iterator,
        Sequence,
    )

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models.base import LangSmithParams, LanguageModelInput
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool


class StreamedChatModel(BaseChatModel):
    """A chat model that is written as streams alone, `_stream` and `_astream`; tools are kept in OpenAI's form."""

    def keeps_id(self, message_id: str | None) -> bool:
        """Say whether a message's id is to stay through every wrapper, as that of a recorded message is."""
        del message_id
        return False

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(**self._bound(tools, tool_choice, kwargs))

    def _bound(self, tools: Sequence[Any], tool_choice: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a call that has these tools."""
        return {
            "tools": [convert_to_openai_tool(tool) for tool in tools],
            "tool_choice": tool_choice,
            **options,
        }

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, None, **kwargs))

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages, stop, None, **kwargs))


class Exchange(Protocol):
    """One call of a wrapper: what the wrapped model is asked, perhaps more than once, and what of it is shown."""

    done: bool
    prompt: list[BaseMessage] | None
    """What the wrapped model is to be asked next; None when the answer needs no model."""
    options: dict[str, Any]
    """The options of that call."""

    def take(self, chunk: AIMessageChunk) -> Iterable[ChatGenerationChunk]:
        """Return what the caller sees of a piece."""
        ...

    def finish(self) -> Iterable[ChatGenerationChunk]:
        """Return what the caller sees after the last piece. Then it is done, or the next prompt is there."""
        ...


class WrapperChatModel(StreamedChatModel, RetoldChatModel):
    """A chat model around another one. A wrapper says in `_exchange` what it asks and shows; callbacks see it alone."""

    inner: BaseChatModel | None = None
    """The wrapped model; None only where a wrapper can do without."""

    @property
    def wrapped(self) -> BaseChatModel:
        """The wrapped model, which is there."""
        assert self.inner is not None
        return self.inner

    def _exchange(self, messages: list[BaseMessage], options: dict[str, Any]) -> Exchange:
        """Begin a call; `options` has `stop` and what the caller bound."""
        raise NotImplementedError

    @override
    def _bound(self, tools: Sequence[Any], tool_choice: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Return what the wrapped model binds.

        Raises:
            TypeError: It gives no binding.
        """
        if self.inner is None:
            return super()._bound(tools, tool_choice, options)
        bound = self.inner.bind_tools(tools, tool_choice=tool_choice, **options)
        if not isinstance(bound, RunnableBinding):
            raise TypeError(
                f"{type(self.inner).__name__}.bind_tools() gives no binding; it cannot be wrapped with tools."
            )
        return dict(cast("RunnableBinding[Any, Any]", bound).kwargs)

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        exchange = self._exchange(messages, {"stop": stop, **kwargs})
        while not exchange.done:
            if exchange.prompt is not None:
                for piece in inner_chunks_now(self.wrapped, exchange.prompt, exchange.options):
                    yield from exchange.take(piece)
            yield from exchange.finish()

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        exchange = self._exchange(messages, {"stop": stop, **kwargs})
        while not exchange.done:
            if exchange.prompt is not None:
                async with aclosing(inner_chunks(self.wrapped, exchange.prompt, exchange.options)) as pieces:
                    async for piece in pieces:
                        for chunk in exchange.take(piece):
                            yield chunk
            for chunk in exchange.finish():
                yield chunk

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.wrapped._get_ls_params(stop, **kwargs)  # noqa: SLF001  # a wrapper names the model it wraps

    @override
    def keeps_id(self, message_id: str | None) -> bool:
        return isinstance(self.inner, StreamedChatModel) and self.inner.keeps_id(message_id)


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
    stream = (
        _straight(inner, messages, options)
        if _is_plain(inner, options)
        else cast("AsyncGenerator[AIMessageChunk]", inner.astream(messages, silent(), **options))
    )
    async with aclosing(stream):
        async for message in stream:
            yield _named(as_chunk(message), inner)


def inner_chunks_now(
    inner: BaseChatModel, messages: list[BaseMessage], options: dict[str, Any]
) -> Generator[AIMessageChunk]:
    """Do the same for code that does not await."""
    stream = cast("Generator[AIMessageChunk]", inner.stream(messages, silent(), **options))
    with closing(stream):
        for message in stream:
            yield _named(as_chunk(message), inner)


_FOR_CALLBACKS = ("ls_structured_output_format", "structured_output_format")
"""Options that LangChain takes for itself."""


def _is_plain(inner: BaseChatModel, options: dict[str, Any]) -> bool:
    """Say whether LangChain's `astream` adds nothing to the model's own stream: it is Motet's, and streams."""
    asked: dict[str, Any] = {**options, "stream": True}
    return isinstance(inner, StreamedChatModel | RetoldChatModel) and inner._should_stream(  # noqa: SLF001
        async_api=True, run_manager=None, **asked
    )


async def _straight(
    inner: BaseChatModel, messages: list[BaseMessage], options: dict[str, Any]
) -> AsyncGenerator[AIMessageChunk]:
    """Yield a model's chunks as `astream` does, without callbacks that nobody hears: they read the whole prompt."""
    asked = {key: value for key, value in options.items() if key not in _FOR_CALLBACKS}
    stream = cast("AsyncGenerator[ChatGenerationChunk]", inner._astream(messages, **asked))  # noqa: SLF001
    message: BaseMessage | None = None
    async with aclosing(stream):
        async for chunk in stream:
            message = chunk.message
            message.response_metadata = {**(chunk.generation_info or {}), **message.response_metadata}
            yield as_chunk(message)
    if isinstance(message, AIMessageChunk) and not message.chunk_position:
        yield AIMessageChunk(content="" if isinstance(message.content, str) else [], chunk_position="last")


def _named(chunk: AIMessageChunk, inner: BaseChatModel) -> AIMessageChunk:
    """Return a chunk without its id, since the wrapper's message has its own; a recorded one stays."""
    if not (isinstance(inner, StreamedChatModel) and inner.keeps_id(chunk.id)):
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
