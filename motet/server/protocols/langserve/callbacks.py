"""A run's callback events as LangServe sends them beside an answer: its client calls its own handlers with them.

What does not live here: the stream of callback events (`encode.Callbacks`), which has another form.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from motet import events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from motet.events import Recorded

Json = dict[str, Any]


class CalledBack:
    """Collects what a client's handlers are called with, in order; the run's own chain has no parent."""

    def __init__(self) -> None:
        self.told: list[Json] = []

    def take(self, recorded: Recorded) -> None:
        """Add what an event of the log says."""
        part = recorded.event
        if isinstance(part, events.StreamPart) and part.mode == "events" and not part.namespace:
            event: Json = part.data
            made = _MADE.get(event["event"])
            if made is not None:
                self.told.append(_shared(event) | made(event))


def _shared(event: Mapping[str, Any]) -> Json:
    parents = event.get("parent_ids") or [None]
    shared: Json = {"run_id": event["run_id"], "parent_run_id": parents[-1], "tags": event.get("tags") or []}
    if event["event"].endswith("_start"):
        return shared | {
            "serialized": None,
            "metadata": event.get("metadata") or {},
            "kwargs": {"name": event["name"]},
        }
    return shared | {"kwargs": {}}


def _text(value: Any) -> str:
    """Return what a tool was given or gave as one text."""
    if isinstance(value, dict) and isinstance(value.get("content"), str):  # a message
        return value["content"]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _messages(event: Mapping[str, Any]) -> Json:
    given = (event.get("data") or {}).get("input") or {}
    messages = given.get("messages", []) if isinstance(given, dict) else []
    lists = messages if messages and isinstance(messages[0], list) else [messages]
    return {"type": "on_chat_model_start", "messages": lists}


def _generation(event: Mapping[str, Any]) -> Json:
    message = (event.get("data") or {}).get("output")
    if isinstance(message, dict):
        said = {**message, "type": str(message.get("type", "ai")).removesuffix("MessageChunk").lower()}
    else:
        said = {"type": "ai", "content": _text(message)}
    generation = {"type": "ChatGeneration", "text": _text(said), "message": said}
    # Without its `type`: by that the client would make an object of it that its own check refuses.
    response = {"generations": [[generation]], "llm_output": None}
    return {"type": "on_llm_end", "response": response}


def _of(kind: str, field: str, side: str, make: Callable[[Any], Any] = lambda value: value) -> Any:
    return lambda event: {"type": kind, field: make((event.get("data") or {}).get(side))}


_MADE: dict[str, Callable[[Mapping[str, Any]], Json]] = {
    "on_chain_start": _of("on_chain_start", "inputs", "input"),
    "on_chain_end": _of("on_chain_end", "outputs", "output"),
    "on_chat_model_start": _messages,
    "on_chat_model_end": _generation,
    "on_tool_start": _of("on_tool_start", "input_str", "input", _text),
    "on_tool_end": _of("on_tool_end", "output", "output", _text),
    "on_retriever_start": _of("on_retriever_start", "query", "input", _text),
    "on_retriever_end": _of("on_retriever_end", "documents", "output", lambda found: found or []),
}
"""By the event of LangChain's version 2; streamed pieces are told by `/stream_events` alone."""
