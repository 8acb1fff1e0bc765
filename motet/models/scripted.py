"""A chat model that follows a script, for tests, examples and fault injection. Deterministic, and no network.

What does not live here: the script itself (`script`), and the same thing behind a socket (`scripted_server`).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import ConfigDict, Field, PrivateAttr
from typing_extensions import override

from motet.errors import ModelUnavailable
from motet.models.base import REASONING_KEY, Capabilities, ConnectedModel, ModelSpec
from motet.models.script import AnyReply, Call, Reply, Rule, Script, ToolCall
from motet.models.wrapped import StreamedChatModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun

    from motet.settings import Settings

__all__ = ["Call", "Reply", "Rule", "Script", "ScriptedChatModel", "ScriptedProvider", "ToolCall", "scripted"]


class ScriptedChatModel(StreamedChatModel):
    """Says what its script says, whole or in small pieces, and keeps every call.

    `script` is a `Script`, a list of replies in order, or a function of a `Call` (its `.messages`, `.tools`,
    `.schema_name`, `.user_text`, …) that returns a reply: text, a `ToolCall` or several, an `AIMessage`, a
    pydantic model (its JSON), a `Reply`, or an exception to raise.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    script: Any = Field(default_factory=Script, exclude=True)
    model: str = "scripted"
    piece_chars: int = 4
    """Length of the pieces of a stream, in characters."""
    _calls: list[Call] = PrivateAttr(default_factory=list[Call])
    _source: Script = PrivateAttr(default_factory=Script)

    @override
    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        self._source = as_script(self.script)

    @property
    def calls(self) -> list[Call]:
        """Every call so far, oldest first."""
        return self._calls

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._ask(messages, stop, kwargs)
        time.sleep(reply.delay_s)
        for chunk in self._pieces(reply, messages):
            yield chunk
            time.sleep(reply.piece_delay_s)

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self._ask(messages, stop, kwargs)
        await asyncio.sleep(reply.delay_s)
        for chunk in self._pieces(reply, messages):
            yield chunk
            await asyncio.sleep(reply.piece_delay_s)

    def _ask(self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]) -> Reply:
        named = ("tools", "tool_choice", "response_format")
        options = {key: value for key, value in kwargs.items() if key not in named}
        call = Call(
            messages=list(messages),
            tools=list(kwargs.get("tools") or []),
            tool_choice=kwargs.get("tool_choice"),
            response_format=kwargs.get("response_format"),
            options=options,
        )
        self._calls.append(call)
        reply = self._source.reply(call)
        if reply.error is not None:
            raise reply.error
        if reply.fault not in (None, "break"):
            error = reply.fault_error()
            assert error is not None
            raise error
        return reply.stopped_at(stop)

    def _pieces(self, reply: Reply, messages: list[BaseMessage]) -> Iterator[ChatGenerationChunk]:
        """Yield the reply in pieces; with the fault `break`, half of it and then the error."""
        texts = pieces(reply.text, self.piece_chars)
        if reply.fault == "break":
            texts = texts[: max(1, len(texts) // 2)]
        for text in pieces(reply.reasoning, self.piece_chars):
            extra = {REASONING_KEY: text}
            yield ChatGenerationChunk(message=AIMessageChunk(content="", additional_kwargs=extra))
        for text in texts:
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))
        if reply.fault == "break":
            raise _broken()
        for index, call in enumerate(reply.tool_calls):
            call_id = call.call_id or f"call_{len(self._calls)}_{index}"
            head: str | None = call.name
            for text in pieces(call.arguments_text(), self.piece_chars) or [""]:
                part = tool_call_chunk(name=head, args=text, id=call_id if head else None, index=index)
                yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[part]))
                head = None
        last = AIMessageChunk(
            content="",
            usage_metadata=_usage(reply, messages),
            response_metadata=self._metadata(reply),
            chunk_position="last",
        )
        yield ChatGenerationChunk(message=last)

    def _metadata(self, reply: Reply) -> dict[str, Any]:
        return {"finish_reason": reply.reason, "model_name": self.model, "model_provider": "scripted"}

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return LangSmithParams(ls_provider="scripted", ls_model_type="chat", ls_model_name=self.model)

    @property
    @override
    def _llm_type(self) -> str:
        return "motet-scripted"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model}


class ScriptedProvider:
    """Provider of `scripted:PATH`: each script file is one model."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def connect(self, spec: ModelSpec) -> ConnectedModel:
        """Return the model that follows the script file `spec.name`.

        Raises:
            NotFound: There is no such file.
            InvalidInput: It is not a script.
        """
        script = await asyncio.to_thread(Script.load, spec.name)
        return scripted(script, spec=spec)

    async def aclose(self) -> None:
        """Do nothing: a script holds nothing."""


def scripted(
    script: Script | Sequence[AnyReply] | Callable[[Call], AnyReply], *, spec: ModelSpec | None = None
) -> ConnectedModel:
    """Return a connected model that follows a script: native tools, JSON schema as the script says."""
    spec = spec or ModelSpec("scripted", "script")
    chat = ScriptedChatModel(script=script, model=spec.name)
    return ConnectedModel(spec, chat, Capabilities("native", json_schema=True, images=True))


def as_script(script: Script | Sequence[AnyReply] | Callable[[Call], AnyReply]) -> Script:
    """Return a script for a list of replies, a function of a call, or a script."""
    if isinstance(script, Script):
        return script
    return Script(answer=script) if callable(script) else Script(script)


def pieces(text: str, size: int) -> list[str]:
    """Return a text in pieces of `size` characters; [] for an empty one."""
    return [text[start : start + size] for start in range(0, len(text), max(1, size))]


def count_tokens(text: str) -> int:
    """Return a token count that is always the same: a fourth of the UTF-8 bytes, at least one."""
    return max(1, len(text.encode("utf-8", "replace")) // 4)


def _usage(reply: Reply, messages: list[BaseMessage]) -> UsageMetadata:
    asked = sum(count_tokens(message.text) for message in messages)
    said = count_tokens(reply.text + "".join(call.name + call.arguments_text() for call in reply.tool_calls))
    return UsageMetadata(input_tokens=asked, output_tokens=said, total_tokens=asked + said)


def _broken() -> ModelUnavailable:
    return ModelUnavailable("scripted: the connection broke in the middle of the answer.")
