"""A chat model whose text passes a filter before anybody sees it, streamed or whole.

What does not live here: any filter. A filter is made anew for every answer.
"""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003  # pydantic reads the field's type
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import ConfigDict, Field
from typing_extensions import override

from motet.models.wrapped import WrapperChatModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.language_models.base import LanguageModelInput
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable

    from motet.models.wrapped import Exchange


class TextFilter(Protocol):
    """Changes a text that arrives in pieces. One filter sees one answer."""

    def feed(self, text: str) -> str:
        """Take a piece; return what can be shown by now, perhaps "" while it is undecided."""
        ...

    def finish(self) -> str:
        """Return what was held back. Called once, at the end."""
        ...


class StreamFilterModel(WrapperChatModel):
    """Wraps a chat model: callbacks, LangGraph's message stream and the caller see filtered text only.

    Tool calls, usage and metadata pass unchanged. Text in content blocks is filtered as well. Structured output is
    the inner model's, unfiltered.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    make_filter: Callable[[], TextFilter] = Field(exclude=True)

    @override
    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        return self.wrapped.with_structured_output(schema, include_raw=include_raw, **kwargs)

    @override
    def _exchange(self, messages: list[BaseMessage], options: dict[str, Any]) -> Exchange:
        return _Filtering(messages, options, self.make_filter())

    @cached_property
    @override
    def _serialized(self) -> dict[str, Any]:
        """What callbacks are told of the model: its kind. LangChain would spell the wrapped model out each time."""
        kind = type(self)
        where = [*kind.__module__.split("."), kind.__name__]
        return {"lc": 1, "type": "not_implemented", "id": where, "name": kind.__name__}

    @property
    @override
    def _llm_type(self) -> str:
        return "motet-filtered"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        return {"inner": self.wrapped.asdict()}


class _Filtering:
    """One answer on its way through a filter."""

    def __init__(self, messages: list[BaseMessage], options: dict[str, Any], text_filter: TextFilter) -> None:
        self.done = False
        self.prompt: list[BaseMessage] | None = messages
        self.options = options
        self._filter = text_filter
        self._ended = False

    def take(self, chunk: AIMessageChunk) -> Iterator[ChatGenerationChunk]:
        """See `Exchange.take`."""
        self._ended = self._ended or chunk.chunk_position == "last"
        content = change_text(chunk.content, self._filter)
        if chunk.chunk_position == "last":
            content = append_text(content, self._filter.finish())
        yield ChatGenerationChunk(message=chunk.model_copy(update={"content": content}))

    def finish(self) -> Iterator[ChatGenerationChunk]:
        """See `Exchange.finish`."""
        self.done = True
        if not self._ended:
            rest = AIMessageChunk(content=self._filter.finish(), chunk_position="last")
            yield ChatGenerationChunk(message=rest)


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
