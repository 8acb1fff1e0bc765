"""A chat model with others behind it that take over when it fails.

What does not live here: tries of one model (`patience`), and answers that broke off half way (`retold`).
"""

from __future__ import annotations

import logging
import time
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, PrivateAttr
from typing_extensions import override

from motet.errors import (
    ContextOverflow,
    ModelError,
    ModelOutputInvalid,
    ModelRefused,
    ModelUnavailable,
    MotetError,
    WeightsError,
)
from motet.events import Notice
from motet.models.retold import VOICE, RetoldChatModel, tell
from motet.models.structured import with_schema_rule
from motet.models.wrapped import StreamedChatModel, inner_chunks, silent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models.base import LangSmithParams
    from langchain_core.messages import BaseMessage

    from motet.models.base import ConnectedModel, ModelSpec

_log = logging.getLogger(__name__)

_TOLD_RUNS = 256


class Voice:
    """One of the models: connected when it is first needed; one that could not be is left alone for a while."""

    def __init__(
        self, spec: ModelSpec, connect: Callable[[ModelSpec], Awaitable[ConnectedModel]], *, cool_s: float
    ) -> None:
        self.spec = spec
        self._connect = connect
        self._cool_s = cool_s
        self._model: ConnectedModel | None = None
        self._failure: tuple[float, MotetError] | None = None

    @property
    def connected(self) -> ConnectedModel | None:
        """The model, where it is connected."""
        return self._model

    async def connect(self) -> ConnectedModel:
        """Return the connected model.

        Raises:
            ModelError, WeightsError: It cannot be had now; the same error again while it is left alone.
        """
        if self._model is None:
            if self._failure is not None and time.monotonic() < self._failure[0]:
                raise self._failure[1]
            try:
                self._model = await self._connect(self.spec)
            except (ModelError, WeightsError) as error:
                self._failure = (time.monotonic() + self._cool_s, error)
                raise
        return self._model


class FallbackChatModel(StreamedChatModel, RetoldChatModel):
    """Asks the first of some models that answers.

    The next one takes over when a model is unavailable or refuses, when the prompt is longer than its window, and when
    what it sends is no answer; not when it answers badly, or when a content filter stopped it. Each is asked in the way
    that it understands. Who reads an answer that broke off half way is given the next model's from its beginning.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    voices: list[Any] = Field(exclude=True)
    """`Voice`s, the first choice first; at least one."""
    _told: deque[str] = PrivateAttr(default_factory=lambda: deque[str](maxlen=_TOLD_RUNS))

    @override
    def _bound(self, tools: Sequence[Any], tool_choice: Any, options: dict[str, Any]) -> dict[str, Any]:
        return super()._bound(tools, _openai_choice(tool_choice), options)

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        first = min(int(kwargs.pop(VOICE, 0)), len(self.voices) - 1)
        for place in range(first, len(self.voices)):
            told = False
            try:
                model = await self.voices[place].connect()
                prompt, options = _fitted(model, messages, {"stop": stop, **kwargs})
                async with aclosing(inner_chunks(model.chat, prompt, options)) as chunks:
                    async for chunk in chunks:
                        told = told or bool(chunk.text or chunk.tool_call_chunks or chunk.additional_kwargs)
                        yield ChatGenerationChunk(message=chunk)
            except (ModelError, WeightsError) as error:
                is_last = place + 1 == len(self.voices)
                if told and not is_last:
                    error.fields[VOICE] = place + 1
                if told or is_last or not _passes(error):
                    raise
                self._hand_over(place, error)
            else:
                return

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        """Ask the first that answers of those that are connected: connecting needs an event loop."""
        kwargs.pop(VOICE, None)
        ready = [voice.connected for voice in self.voices if voice.connected is not None]
        for place, model in enumerate(ready):
            prompt, options = _fitted(model, messages, {"stop": stop, **kwargs})
            try:
                return ChatResult(
                    generations=[ChatGeneration(message=model.chat.invoke(prompt, silent(), **options))]
                )
            except ModelError as error:
                if place + 1 == len(ready) or not _passes(error):
                    raise
        raise ModelUnavailable(f"{self.voices[0].spec} is not connected yet: await it once.")

    def _hand_over(self, place: int, error: MotetError) -> None:
        """Tell, once a run, that the next model is asked."""
        after = self.voices[place + 1].spec
        _log.warning("%s: %s is asked instead", error.message, after)
        run_id = _run_id()
        key = f"{run_id} {place}"
        if not run_id or key not in self._told:
            self._told.append(key)
            tell(Notice(text=f"{error.message} {after} is asked instead.", level="warning"))

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return super()._get_ls_params(stop, **kwargs)

    @property
    @override
    def _llm_type(self) -> str:
        return "motet-fallback"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        return {"models": [str(voice.spec) for voice in self.voices]}


def _passes(error: MotetError) -> bool:
    """Say whether another model may do better."""
    if isinstance(error, ModelOutputInvalid) or error.fields.get("filtered"):
        return False
    kinds = (ModelUnavailable, ModelRefused, ContextOverflow, WeightsError)
    return isinstance(error, kinds) or bool(error.fields.get("malformed"))


def _fitted(
    model: ConnectedModel, messages: list[BaseMessage], options: dict[str, Any]
) -> tuple[list[BaseMessage], dict[str, Any]]:
    """Return a prompt and its options as one of the models understands them."""
    wanted = options.get("response_format")
    if not isinstance(wanted, dict) or model.capabilities.json_schema or options.get("tools"):
        return messages, options
    rest = {key: value for key, value in options.items() if key != "response_format"}
    schema = cast("dict[str, Any]", wanted).get("json_schema", {}).get("schema")
    return (with_schema_rule(messages, schema, model.prompts) if schema else messages), rest


def _openai_choice(choice: Any) -> Any:
    """Return LangChain's `tool_choice` in OpenAI's form."""
    if choice in (None, "auto", "none", "required") or isinstance(choice, dict):
        return choice
    if choice in ("any", True):
        return "required"
    return {"type": "function", "function": {"name": choice}} if choice else None


def _run_id() -> str:
    """Return the id of the run that is executed here; "" outside of one."""
    from langgraph.config import get_config  # noqa: PLC0415  # models work without LangGraph too

    try:
        return str((get_config().get("metadata") or {}).get("run_id") or "")
    except (RuntimeError, KeyError):
        return ""
