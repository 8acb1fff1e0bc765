"""A chat model over OpenAI's wire that fails in Motet's words and never hands out half an answer as a whole one.

What does not live here: finding out what a server can do (`probe`), which server it is (`openai`), and what is wrong
with an answer (`stream_watch`).
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import Field
from typing_extensions import override

from motet.errors import ContextOverflow, ModelError, ModelRefused
from motet.events import Notice
from motet.models.base import REASONING_KEY, JsonBy, ModelSpec
from motet.models.compact import compacted
from motet.models.constraint import constrained
from motet.models.faults import NotSent, host_of, map_errors, map_errors_now
from motet.models.http_client import in_all
from motet.models.patience import Patience, Tries
from motet.models.retold import RetoldChatModel, tell
from motet.models.stream_watch import StreamWatch, checked
from motet.models.wrapped import has_images

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models.base import LangSmithParams
    from langchain_core.outputs import ChatResult

_NO_IMAGES = re.compile(r"image|vision|multi-?modal|mmproj", re.IGNORECASE)


class OpenAIChat(RetoldChatModel, ChatOpenAI):
    """`ChatOpenAI` whose errors are Motet's, and whose answers are checked.

    - Errors of the wire become `ModelError`s (see `faults`); what passes is tried again before the first word.
    - A stream that stops without a finish reason broke off: `ModelUnavailable`.
    - A tool call that was cut off, or whose arguments are not JSON, is `ModelOutputInvalid`.
    - A tool call without an id, or with one that is taken, gets its own.
    - A refusal is the answer's text. Thoughts are not; they are kept under `REASONING_KEY`.
    - A prompt that is too long is asked once more without its oldest part.
    """

    spec: ModelSpec = Field(exclude=True)
    """With the URL that is really called; it is named in errors."""
    max_tokens_name: str = "max_completion_tokens"
    """What the server calls the limit; servers other than OpenAI's know `max_tokens`."""
    patience: Any = Field(default_factory=Patience, exclude=True)
    """`Patience`: how often a call is tried."""
    silence_s: float | None = None
    """Longest silence before a piece of a stream, in seconds. LangChain's own limit makes a task for each piece."""
    total_s: float | None = None
    """Longest time of one answer, in seconds."""
    sees_images: bool | None = None
    """False refuses images before they are sent."""
    knows_developer: bool = False
    """Whether the role `developer` is known; it is sent as `system` otherwise."""
    json_by: JsonBy | None = "response_format"
    """What a JSON schema is enforced with."""

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop, **kwargs)
        return cast(
            "LangSmithParams",
            {**params, "ls_provider": self.spec.provider, "motet_base_url": self.spec.base_url},
        )

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        turn = _Turn(self, messages, stop, kwargs)
        while True:
            await turn.tries.begin()
            options = turn.options()
            try:
                async with map_errors(self.spec), in_all(self.total_s, self.spec.name):
                    result = await super()._agenerate(turn.messages, stop, run_manager, **options)
                found = checked(result, self.spec, turn.own_stops)
            except ModelError as error:
                if not turn.mended(error):
                    await turn.tries.failed(error)
            else:
                turn.tries.ended()
                return found

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        turn = _Turn(self, messages, stop, kwargs)
        while True:
            turn.tries.begin_now()
            options = turn.options()
            try:
                with map_errors_now(self.spec):
                    result = super()._generate(turn.messages, stop, run_manager, **options)
                found = checked(result, self.spec, turn.own_stops)
            except ModelError as error:
                if not turn.mended(error):
                    turn.tries.failed_now(error)
            else:
                turn.tries.ended()
                return found

    @override
    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        turn = _Turn(self, messages, stop, kwargs)
        while True:
            await turn.tries.begin()
            watch = turn.watch()
            stream = cast(
                "AsyncGenerator[ChatGenerationChunk]",
                super()._astream(turn.messages, stop, *args, **turn.options()),
            )
            try:
                async with aclosing(stream), map_errors(self.spec):
                    async with in_all(self.total_s, self.spec.name):  # the watch begins with the first chunk
                        chunk = await self._next_of(stream)
                    while chunk is not None:
                        yield watch.take(chunk)
                        chunk = await self._next_of(stream)
                rest = watch.end()
            except ModelError as error:
                turn.raise_if_told(watch, error)
                if not turn.mended(error):
                    await turn.tries.failed(error)
            else:
                turn.tries.ended()
                if rest is not None:
                    yield ChatGenerationChunk(message=rest)
                return

    async def _next_of(self, stream: AsyncIterator[ChatGenerationChunk]) -> ChatGenerationChunk | None:
        async with asyncio.timeout(self.silence_s):
            return await anext(stream, None)

    @override
    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, *args: Any, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        turn = _Turn(self, messages, stop, kwargs)
        while True:
            turn.tries.begin_now()
            watch = turn.watch()
            stream = cast(
                "Generator[ChatGenerationChunk]",
                super()._stream(turn.messages, stop, *args, **turn.options()),
            )
            try:
                with closing(stream), map_errors_now(self.spec):
                    for chunk in stream:
                        yield watch.take(chunk)
                rest = watch.end()
            except ModelError as error:
                turn.raise_if_told(watch, error)
                if not turn.mended(error):
                    turn.tries.failed_now(error)
            else:
                turn.tries.ended()
                if rest is not None:
                    yield ChatGenerationChunk(message=rest)
                return

    def _prepared(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the options as they go to the client.

        A schema that is plain data goes as plain data: the client's own way reads a stream twice.
        """
        if not isinstance(kwargs.get("response_format"), dict) or self._use_responses_api(kwargs):
            return kwargs
        rest = {key: value for key, value in kwargs.items() if key != "response_format"}
        wanted = constrained(kwargs["response_format"], self.json_by)
        return {**rest, "extra_body": {**(rest.get("extra_body") or {}), **wanted}}

    @override
    def _get_request_payload(
        self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        try:
            payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        except Exception as error:
            raise NotSent from error
        if "max_completion_tokens" in payload:
            payload[self.max_tokens_name] = payload.pop("max_completion_tokens")
        for message in () if self.knows_developer else payload.get("messages", ()):
            if message.get("role") == "developer":
                message["role"] = "system"
        return _as_they_are(payload)

    @override
    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        found = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        choices: list[dict[str, Any]] = chunk.get("choices") or []
        thought = _thought(choices[0].get("delta") or {}) if choices else ""
        if found is not None and thought and isinstance(found.message, AIMessageChunk):
            found.message.additional_kwargs[REASONING_KEY] = thought
        return found

    @override
    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)
        for generation, message in zip(result.generations, _messages_of(response), strict=False):
            if thought := _thought(message):
                generation.message.additional_kwargs[REASONING_KEY] = thought
        return result


def _as_they_are(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a request whose messages and tools the client sends as they are.

    The client looks at every field of every message for names to translate, of which these have none: at 20 messages
    and ten tools that takes more time than all the rest of a call. What is in `extra_body` it does not look at.
    A schema's request (`response_format`) takes another way through the client, which reads its tools.
    """
    if "messages" not in payload or "response_format" in payload:
        return payload
    whole = {key: payload[key] for key in ("messages", "tools") if key in payload}
    others = {key: value for key, value in payload.items() if key not in whole}
    return {**others, "messages": [], "extra_body": {**(payload.get("extra_body") or {}), **whole}}


class _Turn:
    """One call, its tries included."""

    def __init__(
        self, chat: OpenAIChat, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> None:
        self.messages = messages
        self.tries = Tries(chat.patience, chat.spec.name, host_of(chat.spec.base_url) or chat.spec.provider)
        self._chat = chat
        self._kwargs = kwargs
        self._shortened = False
        # Responses know no stop words, some servers neither, and `transformers serve` ends after one, not before.
        self.own_stops = list(stop or ())
        if chat.sees_images is False and has_images(messages):
            raise _blind(chat.spec)

    def options(self) -> dict[str, Any]:
        """Return the options as they go to the client."""
        return self._chat._prepared(self._kwargs)  # noqa: SLF001  # its own part

    def watch(self) -> StreamWatch:
        """Return a watch for the next try's stream."""
        chat = self._chat
        return StreamWatch(chat.spec, max_tokens=chat.max_tokens, total_s=chat.total_s, stops=self.own_stops)

    def raise_if_told(self, watch: StreamWatch, error: ModelError) -> None:
        """End the call when something was told of the answer that failed; `retold` begins it anew.

        Raises:
            ModelError: The error itself.
        """
        if watch.told:
            error.fields["broke_off"] = not isinstance(error, ModelRefused | ContextOverflow)
            self.tries.gave_up(error)
            raise error

    def mended(self, error: ModelError) -> bool:
        """Say whether the next try asks in another way: with a shorter prompt, once.

        Raises:
            ModelRefused: The model sees no images, and there are some.
        """
        said = error.message.partition("It said:")[2]
        if said and has_images(self.messages) and _NO_IMAGES.search(said):
            raise _blind(self._chat.spec) from error
        shorter = compacted(self.messages) if isinstance(error, ContextOverflow) else None
        if self._shortened or shorter is None:
            return False
        self._shortened, self.messages = True, shorter
        tell(
            Notice(
                text=f"The conversation was longer than the window of {self._chat.spec.name}: its oldest part was "
                f"left out.",
                level="warning",
            )
        )
        return True


def _messages_of(response: Any) -> Iterator[dict[str, Any]]:
    """Yield each choice's message, of what the client read or of plain data; fields that the client does not know."""
    choices: Any = response.get("choices") if isinstance(response, dict) else response.choices
    for choice in choices or ():
        yield (choice.get("message") or {}) if isinstance(choice, dict) else choice.message.model_extra or {}


def _thought(message: dict[str, Any]) -> str:
    """Return what a server tells of the model's thoughts, by either of the names that are used."""
    return str(message.get("reasoning_content") or message.get("reasoning") or "")


def _blind(spec: ModelSpec) -> ModelRefused:
    return ModelRefused(
        f"{spec.provider}:{spec.name} sees no images, and the conversation has some. Ask without them, or use a model "
        f"that sees: openai:NAME, or PROVIDER:NAME@URL of a vision model.",
        model=spec.name,
        needs="images",
    )
