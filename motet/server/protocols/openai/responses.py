"""Responses: a run as an object that grows, and the events by which it does.

What does not live here: routes (`wire`). A response is a run, `resp_` and its id; a conversation is its thread. The
events are numbered from the run's first on, so the same log always gives the same numbers: `starting_after` is a place.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from motet import events
from motet.errors import InvalidInput
from motet.server.plain import json_text
from motet.server.protocols.openai import talk
from motet.server.sse import frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from motet.events import Recorded

PREFIX = "resp_"


class ResponseBody(BaseModel):
    """What is read of a request; sampling parameters are the graph's own business and are passed over."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(max_length=200)
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    previous_response_id: str | None = Field(default=None, max_length=100)
    stream: bool | None = False
    background: bool | None = False
    metadata: dict[str, Any] | None = None


def decode(body: ResponseBody, *, waits: bool = False) -> dict[str, Any]:
    """Return the fields of a run's request that a body asks for: an input, or the answer that a thread waits for."""
    talk.refuse(body.model_dump())
    items: list[Any] = (
        [{"role": "user", "content": body.input}] if isinstance(body.input, str) else body.input
    )
    messages: list[dict[str, Any]] = []
    for item in items:
        if item.get("type", "message") != "message":
            raise InvalidInput(
                f"input: an item of the type {item['type']!r} is nothing that a graph takes.", param="input"
            )
        message = talk.message_in(item, param="input")
        if message is not None:
            messages.append(message)
    if not messages:
        raise InvalidInput("input: there is nothing to answer.", param="input")
    if waits:
        return {"resume": talk.answer_in(talk.said(messages[-1]))}
    if body.instructions:
        messages.insert(0, {"role": "system", "content": body.instructions})
    return {"input": {"messages": messages}}


class Response:
    """Folds a run's events into a response, and tells each as the events of a stream."""

    def __init__(self, run_id: str, model: str, asked: Mapping[str, Any], *, after: int = -1) -> None:
        self._after = after
        self._number = -1
        self._usage = {"input_tokens": 0, "output_tokens": 0}
        self._open: dict[str, Any] | None = None
        self.value: dict[str, Any] = {
            "id": PREFIX + run_id, "object": "response", "created_at": 0, "status": "queued", "model": model,
            "output": [], "error": None, "incomplete_details": None, "usage": None,
            "background": bool(asked.get("background")), "instructions": asked.get("instructions"),
            "metadata": asked.get("metadata") or {}, "previous_response_id": asked.get("previous_response_id"),
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "temperature": None, "top_p": None,
            "max_output_tokens": None, "store": True, "text": {"format": {"type": "text"}}, "truncation": "disabled",
        }  # fmt: skip

    def encode(self, recorded: Recorded) -> Iterable[bytes]:
        """Yield what the stream says of an event."""
        for kind, fields in self._tell(recorded):
            self._number += 1
            if self._number > self._after:
                data = {"type": kind, "sequence_number": self._number, **fields}
                yield frame(json_text(data), event=kind)

    def take(self, recorded: Recorded) -> None:
        """Fold an event."""
        for _ in self.encode(recorded):
            pass

    def _tell(self, recorded: Recorded) -> Iterable[tuple[str, dict[str, Any]]]:
        match recorded.event:
            case events.RunAccepted():
                self.value["created_at"] = int(recorded.at)
                yield "response.created", self._whole()
                yield "response.queued", self._whole()
            case events.RunStarted(attempt=attempt):
                self._drop()
                self.value["status"] = "in_progress"
                if attempt == 1:
                    yield "response.in_progress", self._whole()
            case events.RunRetrying():
                self._drop()
            case events.MessageDelta(message_id=message_id, text=text):
                yield from self._begin(message_id)
                yield from self._add(text)
            case events.MessageCompleted(
                role="assistant", message_id=message_id, text=text, citations=passages
            ):
                yield from self._begin(message_id)
                yield from self._add(text[len(self._text()) :])
                yield from self._close(talk.cited(passages))
            case events.InterruptRequested(interrupt_id=interrupt_id):
                yield from self._begin(interrupt_id)
                yield from self._add(talk.question(recorded.event))
                yield from self._close([])
            case events.Usage(input_tokens=taken, output_tokens=given):
                self._usage["input_tokens"] += taken
                self._usage["output_tokens"] += given
            case _:
                yield from self._end(recorded)

    def _end(self, recorded: Recorded) -> Iterable[tuple[str, dict[str, Any]]]:
        match recorded.event:
            case events.RunCompleted() | events.RunInterrupted():
                status, kind = "completed", "response.completed"
            case events.RunFailed(error=error):
                status, kind = "failed", "response.failed"
                self.value["error"] = {"code": "server_error", "message": error.get("message", "")}
            case events.RunCancelledEvent():
                status, kind = "cancelled", "response.incomplete"
            case _:
                return
        if self._open is not None:
            yield from self._close([])
        self.value |= {"status": status, "usage": self._used()}
        yield kind, self._whole()

    def _begin(self, message_id: str) -> Iterable[tuple[str, dict[str, Any]]]:
        item_id = f"msg_{message_id}"
        if self._open is not None and self._open["id"] != item_id:
            yield from self._close([])
        if self._open is None:
            self._open = {
                "id": item_id,
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
            self.value["output"].append(self._open)
            yield "response.output_item.added", {"output_index": self._index(), "item": dict(self._open)}
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            self._open["content"] = [part]
            yield "response.content_part.added", self._place() | {"part": dict(part)}

    def _add(self, text: str) -> Iterable[tuple[str, dict[str, Any]]]:
        if text and self._open is not None:
            self._open["content"][0]["text"] += text
            yield "response.output_text.delta", self._place() | {"delta": text, "logprobs": []}

    def _close(self, annotations: list[dict[str, Any]]) -> Iterable[tuple[str, dict[str, Any]]]:
        item = self._open
        if item is None:
            return
        part = item["content"][0] | {"annotations": annotations}
        item |= {"content": [part], "status": "completed"}
        yield "response.output_text.done", self._place() | {"text": part["text"], "logprobs": []}
        yield "response.content_part.done", self._place() | {"part": part}
        yield "response.output_item.done", {"output_index": self._index(), "item": item}
        self._open = None

    def _drop(self) -> None:
        """Take back a message that a crash left unfinished: it begins anew."""
        if self._open is not None:
            self.value["output"].remove(self._open)
            self._open = None

    def _text(self) -> str:
        return self._open["content"][0]["text"] if self._open is not None else ""

    def _index(self) -> int:
        return len(self.value["output"]) - 1

    def _place(self) -> dict[str, Any]:
        item_id = self._open["id"] if self._open is not None else ""
        return {"item_id": item_id, "output_index": self._index(), "content_index": 0}

    def _whole(self) -> dict[str, Any]:
        return {"response": json.loads(json.dumps(self.value))}

    def _used(self) -> dict[str, Any]:
        return self._usage | {
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sum(self._usage.values()),
        }
