"""Chat Completions: a conversation in, one message out; whole, or in pieces.

The client sends the whole conversation each time, so each request is a thread of its own, unless it names one
(`thread_id`, a field of Motet's): then only what is new goes to it, and an answer goes to a thread that waits for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from motet import events
from motet.errors import InvalidInput
from motet.server.plain import json_text
from motet.server.protocols.openai import talk
from motet.server.sse import frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from motet.events import Recorded


class ChatBody(BaseModel):
    """What is read of a request; sampling parameters are the graph's own business and are passed over."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(max_length=200)
    messages: list[dict[str, Any]] = Field(min_length=1, max_length=10_000)
    stream: bool | None = False
    stream_options: dict[str, Any] | None = None
    thread_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")


def decode(body: ChatBody, *, waits: bool = False) -> dict[str, Any]:
    """Return the fields of a run's request that a body asks for: an input, or the answer that a thread waits for."""
    talk.refuse(body.model_dump())
    messages = [talk.message_in(item, param="messages") for item in body.messages]
    given = [message for message in messages if message is not None]
    if body.thread_id is not None:
        last = max((i for i, message in enumerate(given) if message["role"] == "assistant"), default=-1)
        given = given[last + 1 :]
    if not any(message["role"] == "user" for message in given):
        raise InvalidInput("messages: there is no message of the user's to answer.", param="messages")
    if waits:
        return {"resume": talk.answer_in(talk.said(given[-1])), "thread_id": body.thread_id}
    where = {} if body.thread_id is None else {"thread_id": body.thread_id, "create_thread": True}
    return {"input": {"messages": given}, **where}


class Chat:
    """Folds a run's events into a completion, and tells each as the chunks of a stream."""

    def __init__(self, model: str, *, usage_wanted: bool = False) -> None:
        self._model = model
        self._usage_wanted = usage_wanted
        self._id, self._created = "", 0
        self._texts: list[str] = []
        self._sent, self._void, self._message_id, self._message = "", "", "", ""
        self._usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        self._error: dict[str, Any] | None = None
        self.run_id, self.thread_id = "", ""

    def encode(self, recorded: Recorded) -> Iterable[bytes]:
        """Yield the chunks that an event makes."""
        if not self._id:
            self._id, self._created = f"chatcmpl-{recorded.run_id}", int(recorded.at)
            self.run_id, self.thread_id = recorded.run_id, recorded.thread_id
            yield self._chunk({"role": "assistant", "content": ""})
        event = recorded.event
        if isinstance(event, events.MessageDelta):
            yield from self._piece(event.message_id, event.text)
        elif isinstance(event, events.MessageCompleted) and event.role == "assistant":
            yield from self._whole(event.message_id, event.text)
        elif isinstance(event, events.InterruptRequested):
            yield from self._whole(event.interrupt_id, talk.question(event))
        elif isinstance(event, events.Usage):
            self._count(event)
        elif isinstance(event, events.RunStarted | events.RunRetrying):
            self._void, self._sent, self._message_id = self._void or self._sent, "", ""
        elif isinstance(event, events.RunFailed):
            self._error = talk.error_body(
                500, event.error.get("code", "error"), event.error.get("message", "")
            )
            yield frame(json_text(self._error))
        elif isinstance(event, events.RunCancelledEvent):
            self._error = talk.error_body(409, "run_cancelled", event.reason or "The run was stopped.")
            yield frame(json_text(self._error))

    def last(self) -> bytes:
        """Return what ends the stream; nothing after an error, which ends it by itself."""
        if self._error is not None:
            return b""
        end = self._chunk({}, finish="stop")
        if self._usage_wanted:
            end += frame(
                json_text(self._head("chat.completion.chunk") | {"choices": [], "usage": self._usage})
            )
        return end + frame("[DONE]")

    @property
    def error(self) -> dict[str, Any] | None:
        """What went wrong, in OpenAI's form."""
        return self._error

    def completion(self) -> dict[str, Any]:
        """Return the whole answer."""
        message = {"role": "assistant", "content": "\n\n".join(self._texts), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return self._head("chat.completion") | {"choices": [choice], "usage": self._usage}

    def _piece(self, message_id: str, text: str) -> Iterable[bytes]:
        if message_id != self._message_id:
            gap = "\n\n" if self._sent else ""
            self._message_id, self._message = message_id, text
            text = gap + text
        else:
            self._message += text
        before, self._sent = self._sent, self._sent + text
        # After a crash the answer begins anew: what the client has of it already is not said twice.
        if self._void.startswith(self._sent):
            return
        if not self._sent.startswith(self._void):
            before, self._void = "", ""
            self._sent = "\n\n" + self._sent
        yield self._chunk({"content": self._sent[max(len(self._void), len(before)) :]})

    def _whole(self, message_id: str, text: str) -> Iterable[bytes]:
        self._texts.append(text)
        told = self._message if message_id == self._message_id else ""
        if text.startswith(told) and text != told:
            yield from self._piece(message_id, text[len(told) :])

    def _count(self, event: events.Usage) -> None:
        self._usage["prompt_tokens"] += event.input_tokens
        self._usage["completion_tokens"] += event.output_tokens
        self._usage["total_tokens"] += event.input_tokens + event.output_tokens

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model}

    def _chunk(self, delta: dict[str, Any], *, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self._usage_wanted else {}
        return frame(json_text(self._head("chat.completion.chunk") | {"choices": [choice], **usage}))
