"""OpenAI's wire as a server writes it: a request read into a `Call`, a `Reply` written as JSON or as stream chunks.

What does not live here: the socket (`scripted_server`). Source: OpenAI API reference, "Chat Completions".
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages.utils import convert_to_messages

from motet.models.answer_stream import NO_TOOL
from motet.models.script import Call
from motet.models.scripted import count_tokens, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from motet.models.script import Reply

CREATED_AT = 1_700_000_000
"""Every answer's time, Unix seconds: the same each time."""

_NAMED = ("messages", "tools", "tool_choice", "response_format")


def read_call(body: dict[str, Any]) -> Call:
    """Return what a request body asks.

    Raises:
        ValueError: `messages` is missing, empty or not readable.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ValueError("'messages' must be a list with at least one message")
    wire = [{**m, "content": m.get("content") or ""} for m in cast("list[dict[str, Any]]", messages)]
    return Call(
        messages=convert_to_messages(wire),
        tools=list(body.get("tools") or []),
        tool_choice=body.get("tool_choice"),
        response_format=body.get("response_format"),
        options={key: value for key, value in body.items() if key not in _NAMED},
    )


def enforced(reply: Reply, call: Call) -> Reply:
    """Return the reply as a model writes it that is held to the schema of `schema_tools`; others are unchanged."""
    branches = call.schema.get("anyOf") or [call.schema]
    if not all("tool" in branch.get("properties", {}) for branch in branches):
        return reply
    if reply.tool_calls:
        first = reply.tool_calls[0]
        text = f'{{"tool": {json.dumps(first.name)}, "arguments": {first.arguments_text()}}}'
    elif not reply.text.lstrip().startswith("{"):
        text = json.dumps({"tool": NO_TOOL, "answer": reply.text}, ensure_ascii=False)
    else:
        text = reply.text
    return replace(reply, text=text, tool_calls=())


def calls_as_text(reply: Reply) -> Reply:
    """Return the reply of a server that knows no tool calls: they are text, as its model wrote them."""
    if not reply.tool_calls:
        return reply
    lines = [f'{{"name": {json.dumps(c.name)}, "arguments": {c.arguments_text()}}}' for c in reply.tool_calls]
    return replace(reply, text="\n".join([reply.text, *lines]).strip(), tool_calls=())


def completion(reply: Reply, call: Call, *, model: str, number: int) -> dict[str, Any]:
    """Return a whole `chat.completion`. `number` makes its ids."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        message["tool_calls"] = [
            {
                "id": c.call_id or f"call_{number}_{index}",
                "type": "function",
                "function": {"name": c.name, "arguments": c.arguments_text()},
            }
            for index, c in enumerate(reply.tool_calls)
        ]
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": CREATED_AT,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reply.reason}],
        "usage": usage(reply, call),
    }


def stream_chunks(
    reply: Reply, call: Call, *, model: str, number: int, size: int
) -> Iterator[dict[str, Any]]:
    """Yield a reply's `chat.completion.chunk`s: role, text, tool calls in pieces, finish reason, usage if asked."""
    yield _chunk({"role": "assistant", "content": ""}, model=model, number=number)
    for text in pieces(reply.reasoning, size):
        yield _chunk({"reasoning_content": text}, model=model, number=number)
    for text in pieces(reply.text, size):
        yield _chunk({"content": text}, model=model, number=number)
    for index, c in enumerate(reply.tool_calls):
        head = {"index": index, "id": c.call_id or f"call_{number}_{index}", "type": "function"}
        start = {**head, "function": {"name": c.name, "arguments": ""}}
        yield _chunk({"tool_calls": [start]}, model=model, number=number)
        for text in pieces(c.arguments_text(), size):
            part = {"index": index, "function": {"arguments": text}}
            yield _chunk({"tool_calls": [part]}, model=model, number=number)
    yield _chunk({}, model=model, number=number, reason=reply.reason)
    if (call.options.get("stream_options") or {}).get("include_usage"):
        yield {**_chunk({}, model=model, number=number), "choices": [], "usage": usage(reply, call)}


def usage(reply: Reply, call: Call) -> dict[str, int]:
    """Return OpenAI's `usage`, by the tokens of `scripted.count_tokens`."""
    asked = sum(count_tokens(message.text) for message in call.messages)
    said = count_tokens(reply.text + "".join(c.name + c.arguments_text() for c in reply.tool_calls))
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def embeddings(texts: list[str], *, model: str, dimension: int, as_floats: bool) -> dict[str, Any]:
    """Return an `embeddings` answer; a text's vector counts its words, so that texts that share words are near."""
    data: list[dict[str, Any]] = []
    for index, text in enumerate(texts):
        vector = [0.0] * dimension
        for word in text.lower().split():
            vector[zlib.crc32(word.encode("utf-8", "replace")) % dimension] += 1.0
        raw = base64.b64encode(struct.pack(f"<{dimension}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector if as_floats else raw})
    asked = sum(count_tokens(text) for text in texts)
    return {
        "object": "list",
        "model": model,
        "data": data,
        "usage": {"prompt_tokens": asked, "total_tokens": asked},
    }


def error_body(message: str, code: str) -> dict[str, Any]:
    """Return an error as OpenAI writes it."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def _chunk(delta: dict[str, Any], *, model: str, number: int, reason: str | None = None) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": CREATED_AT,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
    }
