"""From LangGraph's stream to Motet's events. The only file that knows the shape of LangGraph's parts.

Tool calls and answers are read off the messages that nodes return, so that anybody's graph speaks the same events
as Motet's own. What only Motet's graphs know (plans, steps, passages) they write to the stream as events.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from pydantic import BaseModel

from motet.events import (
    ARGUMENTS_KEY,
    CITATIONS_KEY,
    Custom,
    Event,
    InterruptRequested,
    MessageCompleted,
    MessageDelta,
    MessageSuperseded,
    Passage,
    ToolCompleted,
    ToolStarted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_core.messages import ToolCall as LangChainCall
    from langgraph.checkpoint.base import CheckpointTuple
    from langgraph.types import StreamMode

_EVENT_TYPES: tuple[type, ...] = get_args(get_args(Event)[0])

STREAM_MODES: list[StreamMode] = ["updates", "messages", "custom", "values"]
"""What the engine asks LangGraph for."""


class Translator:
    """Turns the parts of one run's stream into events, each thing once.

    A sub-graph and its parent both report the same message; the first report counts.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._before: dict[str, dict[str, Any]] = {}
        """The arguments of calls that an earlier run told of and that have no result, by call id."""
        self._begun: Counter[str] = Counter()
        """How many calls an earlier attempt told of, by call id: some servers give the same ids in every reply."""
        self._ended: Counter[str] = Counter()
        """How many results an earlier attempt told of calls that an earlier run had told of, by call id."""
        self._interrupts: set[str] = set()
        self._paused = False
        self._streamed: set[str] = set()
        """Messages of which a piece was told: only those can be superseded."""

    @property
    def interrupted(self) -> bool:
        """Whether the graph stopped to ask somebody, or at a breakpoint."""
        return self._paused or bool(self._interrupts)

    def translate(self, part: tuple[tuple[str, ...], str, Any]) -> Iterator[Event]:
        """Yield the events of one `(namespace, mode, data)` part of `astream(subgraphs=True)`."""
        namespace, mode, data = part
        if mode == "messages":
            yield from self._delta(data)
        elif mode == "custom":
            if not isinstance(data, MessageSuperseded) or data.message_id in self._streamed:
                yield data if isinstance(data, _EVENT_TYPES) else Custom(data=plain(data))
        elif mode == "updates":
            for node, update in data.items():
                if node == "__interrupt__":
                    self._paused = self._paused or not (namespace or update)
                    yield from self._ask(update)
                else:
                    for message in _messages(update):
                        yield from self._message(message, root=not namespace)

    def answers(self, messages: Iterable[BaseMessage]) -> Iterator[Event]:
        """Yield the answers among `messages` that were not told yet; used at the end, and after a crash."""
        for message in messages:
            yield from self._message(message, root=True)

    def said(self, message: BaseMessage) -> Iterator[Event]:
        """Yield what a user said, where it was written to the state and not given as an input."""
        if message.id and self._first(message.id):
            yield MessageCompleted(message_id=message.id, role="user", text=_text(message))

    def know(self, messages: Iterable[BaseMessage]) -> None:
        """Take messages as told: they were there before this run. A sub-graph repeats its whole state."""
        for message in messages:
            if isinstance(message, ToolMessage):
                self._before.pop(message.tool_call_id, None)
                if message.tool_call_id not in self._begun:
                    self._seen.add(f"result:{message.tool_call_id}")
            if isinstance(message, AIMessage):
                for call in message.tool_calls:
                    call_id = _call_id(message, call)
                    self._seen.add(_call_key(message, call_id))
                    self._before[call_id] = call["args"]
                    self._ended[call_id] = max(0, self._ended[call_id] - 1)
            self._seen.add(message.id or "")

    def know_events(self, events: Iterable[Event]) -> None:
        """Take events as told: the log has them from an earlier attempt. It comes before `know`."""
        pending = Counter[str]()
        for event in events:
            if isinstance(event, MessageCompleted):
                self._seen.add(event.message_id)
            elif isinstance(event, ToolStarted):
                self._begun[event.tool_call_id] += 1
                pending[event.tool_call_id] += 1
                self._start(event.tool_call_id)
            elif isinstance(event, ToolCompleted):
                if pending[event.tool_call_id]:
                    pending[event.tool_call_id] -= 1
                else:
                    self._ended[event.tool_call_id] += 1
                self._seen.add(f"result:{event.tool_call_id}")

    def _delta(self, data: tuple[BaseMessage, dict[str, Any]]) -> Iterator[Event]:
        chunk, _metadata = data
        if isinstance(chunk, AIMessageChunk) and chunk.text and chunk.id:
            self._streamed.add(chunk.id)
            yield MessageDelta(message_id=chunk.id, text=_text(chunk))

    def _message(self, message: BaseMessage, *, root: bool) -> Iterator[Event]:
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                call_id = _call_id(message, call)
                if not self._first(_call_key(message, call_id)):
                    continue
                told = next((each for each in (self._begun, self._ended) if each[call_id]), None)
                if told is not None:
                    told[call_id] -= 1
                else:
                    self._start(call_id)
                    yield ToolStarted(tool_call_id=call_id, name=call["name"], arguments=call["args"])
            answered = root and message.text and not message.tool_calls
            if answered and message.id and self._first(message.id):
                raw = message.additional_kwargs.get(CITATIONS_KEY, [])
                citations = [Passage.model_validate(passage) for passage in raw]
                yield MessageCompleted(
                    message_id=message.id, role="assistant", text=_text(message), citations=citations
                )
        elif isinstance(message, ToolMessage) and self._is_new(message):
            yield ToolCompleted(
                tool_call_id=message.tool_call_id,
                name=message.name or "",
                content=_text(message),
                status="error" if message.status == "error" else "success",
                arguments=message.additional_kwargs.get(
                    ARGUMENTS_KEY, self._before.get(message.tool_call_id)
                ),
            )

    def _start(self, call_id: str) -> None:
        """Wait for a call's result, also where an earlier call had its id."""
        self._seen.discard(f"result:{call_id}")
        self._before.pop(call_id, None)

    def _is_new(self, result: ToolMessage) -> bool:
        """Say whether a result was not told. A node's own has no id yet; one that a state repeats has."""
        if result.id and result.id in self._seen:
            return False
        if not self._first(f"result:{result.tool_call_id}"):
            return False
        self._seen |= {result.id} if result.id else set()
        return True

    def _ask(self, interrupts: Iterable[Any]) -> Iterator[Event]:
        for interrupt in interrupts:
            if interrupt.id not in self._interrupts:
                self._interrupts.add(interrupt.id)
                yield InterruptRequested(
                    interrupt_id=interrupt.id,
                    value=plain(interrupt.value),
                    response_schema=_answer_schema(interrupt),
                )

    def _first(self, key: str) -> bool:
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def waiting_for(newest: CheckpointTuple | None) -> set[str]:
    """Return the ids of the interrupts that a thread's newest checkpoint waits for an answer to."""
    writes = (newest.pending_writes or []) if newest is not None else []
    return {interrupt.id for _, channel, value in writes if channel == "__interrupt__" for interrupt in value}


def _answer_schema(interrupt: Any) -> dict[str, Any] | None:
    """Return the JSON Schema that an interrupt brings, in LangGraph's own field or in its value."""
    schema = interrupt.response_schema
    if schema is None and isinstance(interrupt.value, dict):
        value: dict[str, Any] = interrupt.value
        schema = value.get("response_schema")
    return plain(schema) if isinstance(schema, dict) else None


def plain(value: Any) -> Any:
    """Return a graph's value as plain JSON: messages and models as dicts, what is unknown as its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", fallback=str)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    return str(value)


def new_messages(values: Any, known_ids: Iterable[str]) -> list[BaseMessage]:
    """Return the messages of a graph's output that came after the last of `known_ids`; all when none is there."""
    messages = list(_messages(values))
    known = set(known_ids)
    last = max((i for i, message in enumerate(messages) if message.id in known), default=-1)
    return messages[last + 1 :]


def _call_id(message: AIMessage, call: LangChainCall) -> str:
    return call["id"] or f"{message.id}:{call['name']}"


def _call_key(message: AIMessage, call_id: str) -> str:
    return f"call:{message.id or ''}:{call_id}"


def _text(message: BaseMessage) -> str:
    """Return a message's text as a plain string: pydantic refuses half a character in a string of another class."""
    return str(message.text)


def _messages(update: Any) -> Iterator[BaseMessage]:
    """Yield the messages of a node's update, or of a state; a state that is a list has them without a name."""
    if isinstance(update, BaseMessage):
        yield update
    elif isinstance(update, dict):
        found: Any = update.get("messages", update.get("__root__", ()))
        for message in found if isinstance(found, list) else [found]:
            if isinstance(message, BaseMessage):
                yield message
    elif isinstance(update, list | tuple):
        for item in update:
            yield from _messages(item)
