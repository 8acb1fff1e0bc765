"""Takes configured secrets out of a run's events, also where one is split over pieces of a stream.

What does not live here: the forms of a secret (`telemetry.Redactor`), and a thread's state, which keeps what its graph
put there.

Of a piece of text that ends as a secret begins, the end is held back until it is known how it goes on. A name of what
is held is the message's, so that pieces of several messages may be mixed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motet.events import (
    EVENT,
    TERMINAL,
    Event,
    MessageCompleted,
    MessageDelta,
    MessageSuperseded,
    StreamPart,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from motet.telemetry import Redactor

MIN_CHARS = 16
"""A shorter value is left in events: a key for a server of one's own may be a word that answers have too."""

Json = dict[str, Any]
Name = tuple[str, ...]


@dataclass(slots=True)
class CleanEvents:
    """The events of one attempt of a run, without secrets."""

    redactor: Redactor
    _held: dict[Name, tuple[str, Event]] = field(default_factory=dict[Name, "tuple[str, Event]"])
    """The end of a text, and the piece that it stood in."""

    def of(self, event: Event) -> Iterator[Event]:
        """Yield what is told instead of an event, in order: nothing yet, the event, or what was held back before it."""
        name = _name_of(event)
        if name is not None:
            yield from self._piece(name, event)
            return
        yield from self._let_go(event)
        told: dict[str, Any] = event.model_dump()
        cleaned = self.redactor.clean(told)
        yield event if cleaned == told else EVENT.validate_python(cleaned)

    def _piece(self, name: Name, event: Event) -> Iterator[Event]:
        before = self._held.pop(name, None)
        text = self.redactor.redact((before[0] if before else "") + _text_of(event))
        held = self.redactor.held(text)
        if held:
            self._held[name] = text[-held:], event
            text = text[:-held]
        if text or not held:
            yield _with_text(event, text)

    def _let_go(self, event: Event) -> Iterator[Event]:
        """Yield what was held back of a text that is whole now; of every one, where the run ends."""
        for name in list(self._held):
            whole = isinstance(event, MessageCompleted | MessageSuperseded) and name[-1] == event.message_id
            if whole or event.type in TERMINAL:
                text, piece = self._held.pop(name)
                yield _with_text(piece, text)


def _name_of(event: Event) -> Name | None:
    """Return whose text an event has a piece of; None for one that has none."""
    if isinstance(event, MessageDelta):
        return ("delta", event.message_id)
    chunk = _chunk_of(event)
    if chunk is None or not isinstance(_content_of(chunk), str):
        return None
    assert isinstance(event, StreamPart)
    return (event.mode, *event.namespace, str(chunk.get("id")))


def _chunk_of(event: Event) -> Json | None:
    """Return the piece of a message that a part of LangGraph's stream brings."""
    if not isinstance(event, StreamPart):
        return None
    data: Any = event.data
    if event.mode == "messages" and isinstance(data, list) and data:
        found: Any = data[0]
    elif event.mode == "events" and isinstance(data, dict) and data.get("event") == "on_chat_model_stream":
        found = (data.get("data") or {}).get("chunk")
    else:
        return None
    return found if isinstance(found, dict) and str(found.get("type", "")).endswith("Chunk") else None


def _content_of(chunk: Json) -> Any:
    """Return a piece's text, as it is or in one block; something else where it has none."""
    content: Any = chunk.get("content")
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        return content[0].get("text")
    return content


def _text_of(event: Event) -> str:
    if isinstance(event, MessageDelta):
        return event.text
    chunk = _chunk_of(event)
    return "" if chunk is None else str(_content_of(chunk))


def _with_text(event: Event, text: str) -> Event:
    """Return a piece with another text."""
    if isinstance(event, MessageDelta):
        return event.model_copy(update={"text": text})
    assert isinstance(event, StreamPart)
    chunk = dict(_chunk_of(event) or {})
    content: Any = chunk.get("content")
    chunk["content"] = [{**content[0], "text": text}] if isinstance(content, list) else text
    data: Any = event.data
    if event.mode == "messages":
        return event.model_copy(update={"data": [chunk, *data[1:]]})
    return event.model_copy(update={"data": {**data, "data": {**data["data"], "chunk": chunk}}})
