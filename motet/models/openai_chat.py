"""A chat model over OpenAI's wire that fails in Motet's words and never hands out half an answer as a whole one.

What does not live here: finding out what a server can do (`probe`), and which server it is (`openai`).
"""

from __future__ import annotations

import json
import logging
import uuid
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_openai import ChatOpenAI
from pydantic import Field
from typing_extensions import override

from motet.errors import ModelError, ModelOutputInvalid, ModelRefused, ModelUnavailable
from motet.models.base import ModelSpec  # noqa: TC001  # pydantic reads the field's type
from motet.models.faults import map_errors, map_errors_now

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.messages.tool import ToolCallChunk
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

_log = logging.getLogger(__name__)

_MAX_CALLS = 32
"""Most tool calls of one answer."""

_CHARS_PER_TOKEN = 32
"""No tokenizer makes longer tokens on average; a stream beyond this times `max_tokens` has no end."""


class OpenAIChat(ChatOpenAI):
    """`ChatOpenAI` whose errors are Motet's, and whose answers are checked.

    - Errors of the wire become `ModelError`s (see `faults`).
    - A stream that stops without a finish reason broke off: `ModelUnavailable`.
    - A tool call that was cut off, or whose arguments are not JSON, is `ModelOutputInvalid`.
    - A tool call without an id, or with one that is taken, gets its own.
    - A refusal is the answer's text.
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
        options = self._prepared(messages, stop, kwargs)
        for _ in range(2):
            async with map_errors(self.spec):
                result = await super()._agenerate(messages, stop, run_manager, **options)
            if result.generations:
                return _checked(result, self.spec)
            _log.warning("%s sent no choices", self.spec.name)
        raise _no_choices(self.spec)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        options = self._prepared(messages, stop, kwargs)
        for _ in range(2):
            with map_errors_now(self.spec):
                result = super()._generate(messages, stop, run_manager, **options)
            if result.generations:
                return _checked(result, self.spec)
            _log.warning("%s sent no choices", self.spec.name)
        raise _no_choices(self.spec)

    @override
    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        watch = _StreamWatch(self.spec, self.max_tokens)
        options = self._prepared(messages, stop, kwargs)
        stream = cast(
            "AsyncGenerator[ChatGenerationChunk]", super()._astream(messages, stop, *args, **options)
        )
        async with aclosing(stream), map_errors(self.spec):
            async for chunk in stream:
                yield watch.take(chunk)
        watch.end()

    @override
    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, *args: Any, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        watch = _StreamWatch(self.spec, self.max_tokens)
        options = self._prepared(messages, stop, kwargs)
        stream = cast("Generator[ChatGenerationChunk]", super()._stream(messages, stop, *args, **options))
        with closing(stream), map_errors_now(self.spec):
            for chunk in stream:
                yield watch.take(chunk)
        watch.end()

    def _prepared(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the options as they go to the client.

        The request is built once here, outside `map_errors`: what cannot be sent is the caller's fault, not the
        server's. A schema that is plain data goes as plain data: the client's own way reads a stream twice.
        """
        self._get_request_payload(messages, stop=stop, **kwargs)
        if not isinstance(kwargs.get("response_format"), dict) or self._use_responses_api(kwargs):
            return kwargs
        rest = {key: value for key, value in kwargs.items() if key != "response_format"}
        body = {**(rest.get("extra_body") or {}), "response_format": kwargs["response_format"]}
        return {**rest, "extra_body": body}

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
        self._call_ids: dict[Any, str] = {}
        self._arguments: dict[Any, str] = {}
        self._reason = ""

    def take(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        """Return the chunk; a tool call without an id, or with one that is taken, gets one.

        Raises:
            ModelOutputInvalid: A tool call was cut off, or there are too many.
            ModelRefused: The server's content filter stopped the answer.
            ModelError: The stream is far longer than it was asked to be.
        """
        message = chunk.message
        assert isinstance(message, AIMessageChunk)
        self._chars += len(message.text) + sum(len(c["args"] or "") for c in message.tool_call_chunks)
        if self._limit and self._chars > self._limit:
            raise ModelError(f"{self._spec.name} does not stop writing; the call was given up.")
        calls = [self._with_id(call) for call in message.tool_call_chunks]
        _check_count(len(self._call_ids), self._spec)
        metadata = {**message.response_metadata, **(chunk.generation_info or {})}
        self._reason = metadata.get("finish_reason") or metadata.get("status") or self._reason
        _check_reason(self._reason, self._spec, calls=bool(self._call_ids))
        if calls != message.tool_call_chunks:
            data: dict[str, Any] = message.model_dump(exclude={"type", "tool_calls", "invalid_tool_calls"})
            chunk.message = AIMessageChunk.model_validate(data | {"tool_call_chunks": calls})
        return chunk

    def _with_id(self, call: ToolCallChunk) -> ToolCallChunk:
        """Return the piece with an id of its own if it begins a call; later pieces keep none of another's."""
        index = call["index"]
        self._arguments[index] = self._arguments.get(index, "") + (call["args"] or "")
        if index in self._call_ids:
            same = call["id"] in (None, self._call_ids[index])
            return call if same else {**call, "id": None}
        call_id = call["id"]
        if not call_id or call_id in self._call_ids.values():
            call_id = _new_id()
        self._call_ids[index] = call_id
        return {**call, "id": call_id}

    def end(self) -> None:
        """Check that the stream ended by itself, and left whole tool calls.

        Raises:
            ModelUnavailable: It broke off.
            ModelOutputInvalid: The arguments of a tool call are not JSON; LangChain would guess the rest of them.
        """
        if not self._reason:
            raise ModelUnavailable(
                f"{self._spec.name} broke off in the middle of its answer. Ask again.", model=self._spec.name
            )
        for arguments in self._arguments.values():
            if not _is_object(arguments):
                raise _bad_arguments(self._spec, arguments)


def _checked(result: ChatResult, spec: ModelSpec) -> ChatResult:
    for generation in result.generations:
        message = generation.message
        assert isinstance(message, AIMessage)
        calls = len(message.tool_calls) + len(message.invalid_tool_calls)
        _check_count(calls, spec)
        _check_reason((generation.generation_info or {}).get("finish_reason") or "", spec, calls=bool(calls))
        if message.invalid_tool_calls:
            raise _bad_arguments(spec, message.invalid_tool_calls[0]["args"] or "")
        taken: set[str | None] = {None, ""}
        for call in message.tool_calls:
            call["id"] = call["id"] if call["id"] not in taken else _new_id()
            taken.add(call["id"])
        refusal = message.additional_kwargs.get("refusal")
        if refusal and not message.content:
            message.content = str(refusal)
    return result


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


def _is_object(arguments: str) -> bool:
    try:
        return not arguments.strip() or isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False


def _bad_arguments(spec: ModelSpec, arguments: str) -> ModelOutputInvalid:
    return ModelOutputInvalid(
        f"{spec.name} wrote a tool call whose arguments are not a JSON object ({arguments[:80]!r}); it is not carried "
        f"out. Ask again.",
        model=spec.name,
    )


def _check_count(calls: int, spec: ModelSpec) -> None:
    if calls > _MAX_CALLS:
        raise ModelOutputInvalid(
            f"{spec.name} asked for more than {_MAX_CALLS} tool calls at once; none is carried out.",
            model=spec.name,
        )


def _check_reason(reason: str, spec: ModelSpec, *, calls: bool) -> None:
    if reason in ("length", "incomplete") and calls:
        raise ModelOutputInvalid(
            f"{spec.name} was cut off in the middle of a tool call, which is not carried out. "
            f"Allow longer answers with MOTET_MAX_TOKENS.",
            model=spec.name,
        )
    if reason == "content_filter":
        raise ModelRefused(f"{spec.name}: the server's content filter stopped the answer.", model=spec.name)


def _no_choices(spec: ModelSpec) -> ModelError:
    return ModelError(f"{spec.name} sent an answer without any choice, twice. Ask again.", model=spec.name)
