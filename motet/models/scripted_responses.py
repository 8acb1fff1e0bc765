"""OpenAI's newer wire, Responses, as a server writes it: read as a chat completion's request, written as items.

What does not live here: chat completions (`scripted_wire`). Source: OpenAI API reference, "Responses".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.models.scripted import pieces
from motet.models.scripted_wire import CREATED_AT, read_call, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from motet.models.script import Call, Reply

_RENAMED = {"max_output_tokens": "max_tokens"}


def read_responses_call(body: dict[str, Any]) -> Call:
    """Return what a request body asks.

    Raises:
        ValueError: `input` is missing, empty or not readable.
    """
    given = body.get("input")
    items: list[dict[str, Any]] = (
        [{"role": "user", "content": given}] if isinstance(given, str) else given or []
    )
    messages = [message for item in items if (message := _message(item)) is not None]
    if body.get("instructions"):
        messages.insert(0, {"role": "system", "content": body["instructions"]})
    rest = {
        _RENAMED.get(k, k): v for k, v in body.items() if k not in ("input", "text", "tools", "tool_choice")
    }
    chat: dict[str, Any] = {**rest, "messages": messages}
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        chat["response_format"] = {"type": "json_schema", "json_schema": wanted}
    chat["tools"] = [{"type": "function", "function": tool} for tool in body.get("tools") or []]
    choice = body.get("tool_choice")
    chat["tool_choice"] = {"type": "function", "function": choice} if isinstance(choice, dict) else choice
    return read_call(chat)


def _message(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return an input item as a chat message; None for what a chat has no place for."""
    kind = item.get("type", "message")
    if kind == "function_call":
        function = {"name": item["name"], "arguments": item["arguments"]}
        call = {"id": item["call_id"], "type": "function", "function": function}
        return {"role": "assistant", "content": "", "tool_calls": [call]}
    if kind == "function_call_output":
        return {"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]}
    if kind != "message":
        return None
    content = item.get("content") or ""
    if isinstance(content, list):
        content = [_block(block) for block in content]
        if all(block["type"] == "text" for block in content):
            content = "".join(block["text"] for block in content)
    return {"role": item["role"], "content": content}


def _block(block: Any) -> dict[str, Any]:
    if isinstance(block, str):
        return {"type": "text", "text": block}
    if block["type"] == "input_image":
        return {"type": "image_url", "image_url": {"url": block["image_url"]}}
    return {"type": "text", "text": block.get("text", "")}


def response(reply: Reply, call: Call, *, model: str, number: int) -> dict[str, Any]:
    """Return a whole `response`."""
    return _response(list(_items(reply, number)), reply, call, model=model, number=number)


def response_events(
    reply: Reply, call: Call, *, model: str, number: int, size: int
) -> Iterator[dict[str, Any]]:
    """Yield a reply's events: the response begins, each item in pieces, the whole response."""
    items = list(_items(reply, number))
    begun = {**_response([], reply, call, model=model, number=number), "status": "in_progress", "usage": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(items):
        events += _item_events(item, index, size)
    whole = _response(items, reply, call, model=model, number=number)
    events.append({"type": f"response.{whole['status']}", "response": whole})
    for place, event in enumerate(events):
        yield {**event, "sequence_number": place}


def _items(reply: Reply, number: int) -> Iterator[dict[str, Any]]:
    if reply.reasoning:
        yield {"type": "reasoning", "id": f"rs_{number}", "summary": [_summary(reply.reasoning)]}
    if reply.text or not reply.tool_calls:
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        yield {
            "type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": [part],
        }  # fmt: skip
    for index, call in enumerate(reply.tool_calls):
        yield {
            "type": "function_call",
            "id": f"fc_{number}_{index}",
            "call_id": call.call_id or f"call_{number}_{index}",
            "name": call.name,
            "arguments": call.arguments_text(),
            "status": "completed",
        }


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def _item_events(item: dict[str, Any], index: int, size: int) -> list[dict[str, Any]]:
    place: dict[str, Any] = {"output_index": index, "item_id": item["id"]}
    if item["type"] == "function_call":
        begun: dict[str, Any] = {**item, "arguments": "", "status": "in_progress"}
        kind, text, where = "response.function_call_arguments", item["arguments"], place
        done = {"type": f"{kind}.done", **where, "arguments": text, "name": item["name"]}
    elif item["type"] == "reasoning":
        begun = {**item, "summary": []}
        kind, text, where = (
            "response.reasoning_summary_text",
            item["summary"][0]["text"],
            {**place, "summary_index": 0},
        )
        done = {"type": f"{kind}.done", **where, "text": text}
    else:
        begun = {**item, "content": [], "status": "in_progress"}
        kind, text = "response.output_text", item["content"][0]["text"]
        where = {**place, "content_index": 0, "logprobs": []}
        done = {"type": f"{kind}.done", **where, "text": text}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *({"type": f"{kind}.delta", **where, "delta": piece} for piece in pieces(text, size)),
        done,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _response(
    items: list[dict[str, Any]], reply: Reply, call: Call, *, model: str, number: int
) -> dict[str, Any]:
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reply.reason)
    used = usage(reply, call)
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": CREATED_AT,
        "model": model,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": cut} if cut else None,
        "error": None,
        "instructions": None,
        "metadata": {},
        "output": items,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": used["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": used["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": used["total_tokens"],
        },
    }
