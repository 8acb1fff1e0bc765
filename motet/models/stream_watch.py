"""Looks at an answer as it comes over OpenAI's wire, whole or in chunks: is it whole, and is it fit to be used?

What does not live here: asking (`openai_chat`).
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk

from motet.errors import ModelError, ModelOutputInvalid, ModelRefused, ModelUnavailable
from motet.models.base import REASONING_KEY
from motet.models.filtered import append_text, change_text
from motet.models.http_client import too_slow
from motet.models.text_filters import StopFilter, ThoughtFilter

if TYPE_CHECKING:
    from langchain_core.messages.tool import ToolCallChunk
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from motet.models.base import ModelSpec

MAX_CALLS = 32
"""Most tool calls of one answer."""

_CHARS_PER_TOKEN = 32
"""No tokenizer makes longer tokens on average; a stream beyond this times `max_tokens` has no end."""


class StreamWatch:
    """Looks at the chunks of one stream as they pass."""

    def __init__(
        self, spec: ModelSpec, *, max_tokens: int | None, total_s: float | None, stops: list[str]
    ) -> None:
        self.told = False
        """Whether a chunk that was let through said anything."""
        self._spec = spec
        self._limit = max_tokens * _CHARS_PER_TOKEN if max_tokens else 0
        self._total_s = total_s
        self._began = time.monotonic()
        self._chars = 0
        self._call_ids: dict[Any, str] = {}
        self._arguments: dict[Any, str] = {}
        self._reason = ""
        self._thoughts = ThoughtFilter()
        self._stops = StopFilter(stops)

    def take(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        """Return the chunk as it may be shown: a tool call has an id of its own, thoughts are no text.

        Raises:
            ModelOutputInvalid: A tool call was cut off, or there are too many.
            ModelRefused: The server's content filter stopped the answer.
            ModelError: The stream is far longer than it was asked to be.
            ModelUnavailable: It takes too long.
        """
        message = chunk.message
        assert isinstance(message, AIMessageChunk)
        self._check_length(message)
        calls = [self._with_id(call) for call in message.tool_call_chunks]
        _check_count(len(self._call_ids), self._spec)
        metadata = {**message.response_metadata, **(chunk.generation_info or {})}
        self._reason = finish_reason(metadata, calls=bool(self._call_ids)) or self._reason
        _check_reason(self._reason, self._spec, calls=bool(self._call_ids))
        if calls != message.tool_call_chunks:
            data: dict[str, Any] = message.model_dump(exclude={"type", "tool_calls", "invalid_tool_calls"})
            message = chunk.message = AIMessageChunk.model_validate(data | {"tool_call_chunks": calls})
        message.id = None  # one message has one id, whatever its wire calls its parts
        if "status" in message.response_metadata:
            message.response_metadata["finish_reason"] = self._reason
        self._filter(message)
        self.told = self.told or bool(message.text or calls or message.additional_kwargs)
        return chunk

    def end(self) -> AIMessageChunk | None:
        """Check that the stream ended by itself, and left whole tool calls; return what text was held back.

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
                raise bad_arguments(self._spec, arguments)
        rest = self._stops.feed(self._thoughts.finish()) + self._stops.finish()
        thought = self._thoughts.thought()
        if not (rest or thought):
            return None
        return AIMessageChunk(content=rest, additional_kwargs={REASONING_KEY: thought} if thought else {})

    def _check_length(self, message: AIMessageChunk) -> None:
        thought = str(message.additional_kwargs.get(REASONING_KEY) or "")
        arguments = sum(len(c["args"] or "") for c in message.tool_call_chunks)
        self._chars += len(message.text) + len(thought) + arguments
        if self._limit and self._chars > self._limit:
            raise ModelError(f"{self._spec.name} does not stop writing; the call was given up.")
        if self._total_s and time.monotonic() - self._began > self._total_s:
            raise too_slow(self._spec.name, self._total_s)

    def _filter(self, message: AIMessageChunk) -> None:
        message.content = change_text(change_text(message.content, self._thoughts), self._stops)
        if thought := self._thoughts.thought():
            message.additional_kwargs = {**message.additional_kwargs, REASONING_KEY: thought}

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


def checked(result: ChatResult, spec: ModelSpec, stops: list[str]) -> ChatResult:
    """Return a whole answer that is fit to be used.

    Raises:
        ModelError: There is none.
        ModelOutputInvalid, ModelRefused: See `StreamWatch.take`.
    """
    if not result.generations:
        raise ModelError(
            f"{spec.name} sent an answer without any choice. Ask again.", model=spec.name, malformed=True
        )
    for generation in result.generations:
        message = generation.message
        assert isinstance(message, AIMessage)
        calls = len(message.tool_calls) + len(message.invalid_tool_calls)
        _check_count(calls, spec)
        metadata = {**message.response_metadata, **(generation.generation_info or {})}
        reason = finish_reason(metadata, calls=bool(calls))
        _check_reason(reason, spec, calls=bool(calls))
        if "status" in metadata:
            message.response_metadata["finish_reason"] = reason
        if message.invalid_tool_calls:
            raise bad_arguments(spec, message.invalid_tool_calls[0]["args"] or "")
        _make_fit(message, stops)
    return result


def _make_fit(message: AIMessage, stops: list[str]) -> None:
    """Give every call an id of its own; take thoughts out of the text; show a refusal as the answer."""
    taken: set[str | None] = {None, ""}
    for call in message.tool_calls:
        call["id"] = call["id"] if call["id"] not in taken else _new_id()
        taken.add(call["id"])
    thoughts, ending = ThoughtFilter(), StopFilter(stops)
    content = change_text(message.content, thoughts)
    content = append_text(content, thoughts.finish())
    message.content = append_text(change_text(content, ending), ending.finish())
    if thought := thoughts.thought():
        message.additional_kwargs[REASONING_KEY] = thought
    refusal = message.additional_kwargs.get("refusal")
    if refusal and not message.content:
        message.content = str(refusal)


def finish_reason(metadata: dict[str, Any], *, calls: bool) -> str:
    """Return why an answer ended, in the words of chat completions; "" when it has not. Responses say a status."""
    if metadata.get("finish_reason"):
        return str(metadata["finish_reason"])
    status = metadata.get("status")
    if status == "incomplete":
        why = (metadata.get("incomplete_details") or {}).get("reason")
        return "content_filter" if why == "content_filter" else "length"
    if status == "completed":
        return "tool_calls" if calls else "stop"
    return ""


def bad_arguments(spec: ModelSpec, arguments: str) -> ModelOutputInvalid:
    """Return the error for a tool call whose arguments cannot be read."""
    return ModelOutputInvalid(
        f"{spec.name} wrote a tool call whose arguments are not a JSON object ({arguments[:80]!r}); it is not carried "
        f"out. Ask again.",
        model=spec.name,
        repair="its arguments are not a JSON object",
    )


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


def _is_object(arguments: str) -> bool:
    try:
        return not arguments.strip() or isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False


def _check_count(calls: int, spec: ModelSpec) -> None:
    if calls > MAX_CALLS:
        raise ModelOutputInvalid(
            f"{spec.name} asked for more than {MAX_CALLS} tool calls at once; none is carried out.",
            model=spec.name,
            repair=f"there were more than {MAX_CALLS} of them at once",
        )


def _check_reason(reason: str, spec: ModelSpec, *, calls: bool) -> None:
    if reason in ("length", "incomplete") and calls:
        raise ModelOutputInvalid(
            f"{spec.name} was cut off in the middle of a tool call, which is not carried out. "
            f"Allow longer answers with MOTET_MAX_TOKENS.",
            model=spec.name,
            repair="it was cut off at its longest length; write less",
        )
    if reason == "content_filter":
        raise ModelRefused(
            f"{spec.name}: the server's content filter stopped the answer.", model=spec.name, filtered=True
        )
