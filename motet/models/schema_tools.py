"""Tool calls for models that cannot make them: one JSON schema, enforced by the server or kept by prompt and repair.

What does not live here: the prompt (`tool_prompt`), and reading a reply as it grows (`answer_stream`).
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import ConfigDict, Field
from typing_extensions import override

from motet.errors import InvalidInput, ModelOutputInvalid, did_you_mean
from motet.models.answer_stream import NO_TOOL, AnswerOutcome, CallOutcome, ReplyReader, UnfitOutcome
from motet.models.prompt_files import PromptFiles, language_of
from motet.models.structured import response_format
from motet.models.tool_prompt import (
    argument_schema,
    plain_turns,
    system_text,
    union_schema,
    with_system,
)
from motet.models.tool_shortlist import shortlist
from motet.models.wrapped import WrapperChatModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.language_models.base import LangSmithParams

    from motet.models.prompt_files import Language
    from motet.models.wrapped import Exchange

_OURS = ("tools", "tool_choice", "parallel_tool_calls", "strict", "ls_structured_output_format")
_TEXT_ANSWER: dict[str, Any] = {"type": "string"}
_REPAIR_CHARS = 1500


class SchemaToolChatModel(WrapperChatModel):
    """Wraps a chat model that cannot call tools; seen from outside it is a chat model that can.

    With tools bound, every call asks for one JSON object: a tool's name with its arguments, or an answer. The caller
    gets an ordinary `AIMessage` with `tool_calls`, or with text that streams as it is written. At most one call a
    reply. Without tools, calls go straight through, and earlier tool calls are shown as plain text.

    A reply that is unfit (not the asked form, arguments that break the tool's schema, a call that was cut off) is
    shown to the model with what is wrong, `max_repairs` times; then it is `ModelOutputInvalid`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    method: Literal["schema", "prompt"] = "schema"
    """Whether the server enforces the JSON schema, or only the prompt asks for it."""
    max_repairs: int = 2
    prompts: Any = Field(default_factory=PromptFiles, exclude=True)
    """`PromptFiles`: what the model is told of its tools."""

    @override
    def _bound(self, tools: Sequence[Any], tool_choice: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Return the tools as they are told to the model.

        Args:
            tools: Anything that LangChain takes as a tool.
            tool_choice: None or `auto`, `none`, `any` or `required`, or a tool's name (also in OpenAI's form).
            options: Passed on to the wrapped model.

        Raises:
            InvalidInput: A tool is a server's own or has a name that is taken, or `tool_choice` names no tool.
        """
        bound = super(WrapperChatModel, self)._bound(tools, tool_choice, options)
        for tool in bound["tools"]:
            if "function" not in tool:
                raise InvalidInput(f"Tool {tool} is a server's own; this model's server has none such.")
            if tool["function"]["name"] == NO_TOOL:
                raise InvalidInput(
                    f"A tool cannot be called '{NO_TOOL}': that is how the model says that it needs none."
                )
        _chosen(bound["tools"], tool_choice)
        return bound

    @override
    def _exchange(self, messages: list[BaseMessage], options: dict[str, Any]) -> Exchange:
        return _Talk(self, messages, options)

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.wrapped._get_ls_params(stop)  # noqa: SLF001  # a wrapper names the model it wraps

    @property
    @override
    def _llm_type(self) -> str:
        return "motet-schema-tools"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        return {"inner": self.wrapped.asdict(), "method": self.method}


class _Talk:
    """One call of the model, its repairs included: what to send next, and what each piece of the reply shows."""

    def __init__(
        self, model: SchemaToolChatModel, messages: list[BaseMessage], kwargs: dict[str, Any]
    ) -> None:
        self.done = False
        self._repairs_left = model.max_repairs
        self._enforced = model.method == "schema"
        self._language: Language = language_of(messages)
        self._prompts: PromptFiles = model.prompts
        chosen, self._may_answer = _chosen(kwargs.get("tools") or [], kwargs.get("tool_choice"))
        self._tools = shortlist(chosen, messages)
        self._finish_reason = ""
        self.options = {key: value for key, value in kwargs.items() if key not in _OURS}
        prompt = plain_turns(
            messages, language=self._language, as_json=bool(self._tools), prompts=self._prompts
        )
        self._schemas = {t["function"]["name"]: argument_schema(t["function"]) for t in self._tools}
        self.prompt: list[BaseMessage] | None = self._ask_for_union(prompt) if self._tools else prompt
        self._metadata: dict[str, Any] = {}
        self._reader = self._new_reader()

    def take(self, chunk: AIMessageChunk) -> Iterator[ChatGenerationChunk]:
        """Yield the wrapped model's chunk with the text that the caller is to see, if it shows anything."""
        self._finish_reason = chunk.response_metadata.get("finish_reason") or self._finish_reason
        if self._reader is None:
            yield ChatGenerationChunk(message=chunk)
            return
        # Handed out once, with the last chunk: merging chunks would join the words of every round.
        self._metadata |= chunk.response_metadata
        text = self._reader.feed(chunk.text)
        if text or chunk.usage_metadata or chunk.additional_kwargs:
            shown = AIMessageChunk(
                content=text, additional_kwargs=chunk.additional_kwargs, usage_metadata=chunk.usage_metadata
            )
            yield ChatGenerationChunk(message=shown)

    def finish(self) -> Iterator[ChatGenerationChunk]:
        """Yield the last chunk: the rest of an answer, or a tool call. Nothing before a repair, or without tools.

        Raises:
            ModelOutputInvalid: The reply is unfit, and no repair is left.
        """
        self.done = True
        if self._reader is None:
            return
        outcome = self._reader.finish(cut=self._finish_reason == "length")
        if isinstance(outcome, UnfitOutcome):
            self._repair(outcome.problem)
        elif isinstance(outcome, AnswerOutcome):
            yield self._last(AIMessageChunk(content=outcome.rest))
        else:
            yield self._last(_call_chunk(outcome), finish_reason="tool_calls")

    def _ask_for_union(self, prompt: list[BaseMessage]) -> list[BaseMessage]:
        answer_format = self.options.pop("response_format", None)
        functions = [tool["function"] for tool in self._tools]
        answer = (_format_schema(answer_format) or _TEXT_ANSWER) if self._may_answer else None
        union = union_schema(self._schemas, answer)
        if self._enforced:
            self.options["response_format"] = response_format("reply", union)
        text = system_text(
            functions, language=self._language, may_answer=self._may_answer, prompts=self._prompts
        )
        return with_system(prompt, text)

    def _new_reader(self) -> ReplyReader | None:
        if not self._tools:
            return None
        return ReplyReader(self._schemas, may_answer=self._may_answer, enforced=self._enforced)

    def _repair(self, problem: str) -> None:
        assert self._reader is not None
        if self._repairs_left <= 0:
            raise ModelOutputInvalid(
                f"The model's reply cannot be used, after every repair: {problem}. "
                f"Ask in another way, or use a more capable model.",
                reply=self._reader.text[:500],
            )
        self._repairs_left -= 1
        wrong = AIMessage(self._reader.text[:_REPAIR_CHARS] or "{}")
        self.done = False
        self.prompt = [
            *(self.prompt or ()),
            wrong,
            HumanMessage(self._prompts.text("tools_repair", self._language, problem=problem)),
        ]
        self._finish_reason = ""
        self._reader = self._new_reader()

    def _last(self, chunk: AIMessageChunk, finish_reason: str = "") -> ChatGenerationChunk:
        metadata = {**self._metadata, "finish_reason": finish_reason or self._finish_reason or "stop"}
        chunk.response_metadata = metadata
        chunk.chunk_position = "last"
        return ChatGenerationChunk(message=chunk)


def _chosen(tools: list[dict[str, Any]], choice: Any) -> tuple[list[dict[str, Any]], bool]:
    """Return the tools that may be called, and whether an answer is allowed.

    Raises:
        InvalidInput: `choice` names no tool.
    """
    if isinstance(choice, dict):
        choice = cast("dict[str, Any]", choice).get("function", {}).get("name")
    if choice in (None, False, "auto") or not tools:
        return tools, True
    if choice == "none":
        return [], True
    if choice in (True, "any", "required"):
        return tools, False
    named = [tool for tool in tools if tool["function"]["name"] == choice]
    if not named:
        names = [tool["function"]["name"] for tool in tools]
        raise InvalidInput(f"tool_choice names no tool: '{choice}'.{did_you_mean(str(choice), names)}")
    return named, False


def _format_schema(wanted: Any) -> dict[str, Any] | None:
    """Return the JSON schema inside a `response_format`; None for text."""
    if isinstance(wanted, dict):
        schema = cast("dict[str, Any]", wanted).get("json_schema", {}).get("schema")
        return schema if isinstance(schema, dict) else None
    if isinstance(wanted, type) and hasattr(wanted, "model_json_schema"):
        return cast("Any", wanted).model_json_schema()
    return None


def _call_chunk(outcome: CallOutcome) -> AIMessageChunk:
    arguments = json.dumps(outcome.arguments, ensure_ascii=False)
    call = tool_call_chunk(name=outcome.name, args=arguments, id=f"call_{uuid.uuid4().hex[:24]}", index=0)
    return AIMessageChunk(content="", tool_call_chunks=[call])
