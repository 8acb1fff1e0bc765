"""A chat model over OpenAI's wire that fails in Motet's words and never hands out half an answer as a whole one.

What does not live here: finding out what a server can do (`probe`), and which server it is (`openai`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_openai import ChatOpenAI
from pydantic import Field
from typing_extensions import override

from motet.errors import ModelError, ModelOutputInvalid, ModelRefused, ModelUnavailable
from motet.models.base import ModelSpec
from motet.models.faults import map_errors, map_errors_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

_log = logging.getLogger(__name__)

_CHARS_PER_TOKEN = 32
"""No tokenizer makes longer tokens on average; a stream beyond this times `max_tokens` has no end."""


class OpenAIChat(ChatOpenAI):
    """`ChatOpenAI` whose errors are Motet's, and whose answers are checked.

    - Errors of the wire become `ModelError`s (see `faults`).
    - A stream that stops without a finish reason broke off: `ModelUnavailable`.
    - A tool call that was cut off at the longest length is not handed out: `ModelOutputInvalid`.
    - A JSON schema given as plain data goes over the wire as it is.
    """

    spec: ModelSpec = Field(exclude=True)
    """With the URL that is really called; it is named in errors."""
    max_tokens_name: str = "max_completion_tokens"
    """What the server calls the limit; servers other than OpenAI's know `max_tokens`."""

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        for _ in range(2):
            async with map_errors(self.spec):
                result = await super()._agenerate(messages, stop, run_manager, **_plain_format(kwargs))
            if result.generations:
                return _checked(result, self.spec)
            _log.warning("%s sent no choices; asked once more", self.spec.name)
        raise _no_choices(self.spec)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        for _ in range(2):
            with map_errors_now(self.spec):
                result = super()._generate(messages, stop, run_manager, **_plain_format(kwargs))
            if result.generations:
                return _checked(result, self.spec)
        raise _no_choices(self.spec)

    @override
    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        watch = _StreamWatch(self.spec, self.max_tokens)
        async with map_errors(self.spec):
            async for chunk in super()._astream(*args, **_plain_format(kwargs)):
                yield watch.take(chunk)
        watch.end()

    @override
    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        watch = _StreamWatch(self.spec, self.max_tokens)
        with map_errors_now(self.spec):
            for chunk in super()._stream(*args, **_plain_format(kwargs)):
                yield watch.take(chunk)
        watch.end()

    @override
    def _get_request_payload(
        self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if "max_completion_tokens" in payload:
            payload[self.max_tokens_name] = payload.pop("max_completion_tokens")
        return payload


class _StreamWatch:
    """Looks at the chunks of one stream as they pass."""

    def __init__(self, spec: ModelSpec, max_tokens: int | None) -> None:
        self._spec = spec
        self._limit = max_tokens * _CHARS_PER_TOKEN if max_tokens else 0
        self._chars = 0
        self._calls = False
        self._reason = ""

    def take(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        """Return the chunk.

        Raises:
            ModelOutputInvalid: A tool call was cut off.
            ModelRefused: The server's content filter stopped the answer.
            ModelError: The stream is far longer than it was asked to be.
        """
        message = chunk.message
        assert isinstance(message, AIMessageChunk)
        self._calls = self._calls or bool(message.tool_call_chunks)
        self._chars += len(message.text) + sum(len(c["args"] or "") for c in message.tool_call_chunks)
        if self._limit and self._chars > self._limit:
            raise ModelError(f"{self._spec.name} does not stop writing; the call was given up.")
        self._reason = (chunk.generation_info or {}).get("finish_reason") or self._reason
        _check_reason(self._reason, self._spec, calls=self._calls)
        return chunk

    def end(self) -> None:
        """Check that the stream ended by itself.

        Raises:
            ModelUnavailable: It broke off.
        """
        if not self._reason:
            raise ModelUnavailable(
                f"{self._spec.name} broke off in the middle of its answer. Ask again.", model=self._spec.name
            )


def _checked(result: ChatResult, spec: ModelSpec) -> ChatResult:
    for generation in result.generations:
        message = generation.message
        assert isinstance(message, AIMessage)
        calls = bool(message.tool_calls or message.invalid_tool_calls)
        _check_reason((generation.generation_info or {}).get("finish_reason") or "", spec, calls=calls)
    return result


def _check_reason(reason: str, spec: ModelSpec, *, calls: bool) -> None:
    if reason == "length" and calls:
        raise ModelOutputInvalid(
            f"{spec.name} was cut off in the middle of a tool call, which is not carried out. "
            f"Allow longer answers with MOTET_MAX_TOKENS.",
            model=spec.name,
        )
    if reason == "content_filter":
        raise ModelRefused(f"{spec.name}: the server's content filter stopped the answer.", model=spec.name)


def _no_choices(spec: ModelSpec) -> ModelError:
    return ModelError(f"{spec.name} sent an answer without any choice, twice. Ask again.", model=spec.name)


def _plain_format(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Send a schema that is plain data as plain data: the client's own way reads the whole stream twice."""
    if not isinstance(kwargs.get("response_format"), dict):
        return kwargs
    rest = {key: value for key, value in kwargs.items() if key != "response_format"}
    body = {**(rest.get("extra_body") or {}), "response_format": kwargs["response_format"]}
    return {**rest, "extra_body": body}
