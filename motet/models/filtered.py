"""A chat model whose text passes a filter before anybody sees it, streamed or whole.

What does not live here: any filter. A filter is made anew for every answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence  # noqa: TC003  # pydantic reads the field's type
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol, cast

from langchain_core.language_models.chat_models import BaseChatModel  # noqa: TC002  # pydantic reads the type
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding
from pydantic import ConfigDict, Field
from typing_extensions import override

from motet.models.retold import RetoldChatModel
from motet.models.wrapped import inner_chunks, inner_chunks_now, silent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models.base import LangSmithParams, LanguageModelInput
    from langchain_core.tools import BaseTool


class TextFilter(Protocol):
    """Changes a text that arrives in pieces. One filter sees one answer."""

    def feed(self, text: str) -> str:
        """Take a piece; return what can be shown by now, perhaps "" while it is undecided."""
        ...

    def finish(self) -> str:
        """Return what was held back. Called once, at the end."""
        ...


class StreamFilterModel(RetoldChatModel):
    """Wraps a chat model: callbacks, LangGraph's message stream and the caller see filtered text only.

    Tool calls, usage and metadata pass unchanged. Text in content blocks is filtered as well. Structured output is
    the inner model's, unfiltered.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    inner: BaseChatModel
    make_filter: Callable[[], TextFilter] = Field(exclude=True)

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        bound = self.inner.bind_tools(tools, tool_choice=tool_choice, **kwargs)
        if not isinstance(bound, RunnableBinding):
            raise TypeError(
                f"{type(self.inner).__name__}.bind_tools() gives no binding; its text cannot be filtered."
            )
        return self.bind(**cast("RunnableBinding[Any, Any]", bound).kwargs)

    @override
    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        return self.inner.with_structured_output(schema, include_raw=include_raw, **kwargs)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._whole(self.inner.invoke(messages, silent(), stop=stop, **kwargs))

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._whole(await self.inner.ainvoke(messages, silent(), stop=stop, **kwargs))

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        text_filter = self.make_filter()
        ended = False
        for chunk in inner_chunks_now(self.inner, messages, {"stop": stop, **kwargs}):
            ended = ended or chunk.chunk_position == "last"
            yield _filtered(chunk, text_filter)
        if not ended:
            yield _rest(text_filter)

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        text_filter = self.make_filter()
        ended = False
        async with aclosing(inner_chunks(self.inner, messages, {"stop": stop, **kwargs})) as chunks:
            async for chunk in chunks:
                ended = ended or chunk.chunk_position == "last"
                yield _filtered(chunk, text_filter)
        if not ended:
            yield _rest(text_filter)

    def _whole(self, message: AIMessage) -> ChatResult:
        text_filter = self.make_filter()
        content = change_text(message.content, text_filter)
        held = text_filter.finish()
        content = append_text(content, held)
        return ChatResult(
            generations=[ChatGeneration(message=message.model_copy(update={"content": content}))]
        )

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.inner._get_ls_params(stop, **kwargs)  # noqa: SLF001  # a wrapper names the model it wraps

    @property
    @override
    def _llm_type(self) -> str:
        return "motet-filtered"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        return {"inner": self.inner.asdict()}


def _filtered(chunk: AIMessageChunk, text_filter: TextFilter) -> ChatGenerationChunk:
    content = change_text(chunk.content, text_filter)
    if chunk.chunk_position == "last":
        content = append_text(content, text_filter.finish())
    return ChatGenerationChunk(message=chunk.model_copy(update={"content": content}))


def _rest(text_filter: TextFilter) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=text_filter.finish(), chunk_position="last"))


def change_text(content: Any, text_filter: TextFilter) -> Any:
    """Return a message's content, a text or blocks, with its texts filtered."""
    if isinstance(content, str):
        return text_filter.feed(content) if content else ""
    return [_change_block(block, text_filter) for block in content]


def _change_block(block: Any, text_filter: TextFilter) -> Any:
    if isinstance(block, str):
        return text_filter.feed(block)
    if isinstance(block, dict) and isinstance(block.get("text"), str):
        return {**block, "text": text_filter.feed(block["text"])}
    return cast("Any", block)


def append_text(content: Any, text: str) -> Any:
    """Return a message's content with a text after it."""
    if not text:
        return content
    return content + text if isinstance(content, str) else [*content, {"type": "text", "text": text}]
