"""A chat model that begins an answer again when it broke off half way, or when its tool call could not be used.

What does not live here: tries before the first word (`patience`), and who takes over (`fallback`).

What was streamed by then is told of as superseded; the answer that begins anew is a message of its own, so that
nobody joins half an answer to a whole one.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables.config import ensure_config
from typing_extensions import override

from motet.errors import ModelError, ModelOutputInvalid
from motet.events import MessageSuperseded

if TYPE_CHECKING:
    from langchain_core.language_models.base import LanguageModelInput
    from langchain_core.runnables import RunnableConfig

    from motet.events import Event

MAX_RETELLS = 2
"""How often one answer may break off, and how often an unusable tool call is shown to the model."""

VOICE = "motet_voice"
"""Option of a call: which of the models that can answer is asked first, from 0."""

_REPAIR = (
    "Your last tool call could not be used: {problem}. "
    "Call the tool again with valid arguments, or answer without it."
)


class RetoldChatModel(BaseChatModel):
    """A chat model whose `ainvoke` survives an answer that broke off.

    `astream` does not: who reads the pieces themselves is told of the break by the error.
    """

    @override
    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        messages: list[BaseMessage] = self._convert_input(input).to_messages()
        broken = unusable = 0
        while True:
            given = ensure_config(config)
            call_id = given.get("run_id") or uuid.uuid4()
            if broken or unusable:
                call_id = uuid.uuid4()
            try:
                return await super().ainvoke(messages, {**given, "run_id": call_id}, stop=stop, **kwargs)
            except ModelOutputInvalid as error:
                unusable += 1
                if "repair" not in error.fields or unusable > MAX_RETELLS:
                    raise
                messages = [*messages, HumanMessage(_REPAIR.format(problem=error.fields["repair"]))]
                reason = error.message
            except ModelError as error:
                broken += 1
                if not error.fields.get("broke_off") or broken > MAX_RETELLS:
                    raise
                kwargs = {**kwargs, **next_voice(error)}
                reason = error.message
            tell(MessageSuperseded(message_id=f"lc_run--{call_id}", reason=reason))


def next_voice(error: ModelError) -> dict[str, Any]:
    """Return the options that have the next model asked, where the one that broke off has one after it."""
    return {VOICE: error.fields[VOICE]} if VOICE in error.fields else {}


def tell(event: Event) -> None:
    """Write an event to the stream of the graph that calls the model; without a graph nobody is told."""
    from langgraph.config import get_stream_writer  # noqa: PLC0415  # models work without LangGraph too

    try:
        write = get_stream_writer()
    except (RuntimeError, KeyError):
        return
    write(event)
