"""A tool's result as a recording holds it: plain JSON that a person can read.

What does not live here: the ledger's own form, which keeps every class.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from langchain_core.messages import ToolMessage


def to_tape(result: Any) -> Any:
    """Return a result as plain JSON; one that cannot be is `{"unknown": its text}`."""
    if isinstance(result, ToolMessage):
        fields = {
            "id": result.id,
            "content": result.content,
            "status": result.status,
            "artifact": result.artifact,
        }
        message = {name: value for name, value in fields.items() if value is not None}
        return {"message": message} if _is_plain(message) else {"unknown": str(result)}
    return {"value": result} if _is_plain(result) else {"unknown": str(result)}


def from_tape(recorded: Any) -> Any:
    """Return the result that `to_tape` made plain; a text alone is a result too. Ids are the caller's to give."""
    if not isinstance(recorded, dict):
        return ToolMessage(str(recorded), tool_call_id="")
    found: dict[str, Any] = recorded
    if "message" in found:
        return ToolMessage(**found["message"], tool_call_id="")
    return found.get("value", found.get("unknown"))


def with_id(result: Any) -> Any:
    """Return a result whose message has an id: one that LangGraph gives later would be another when it is played."""
    if isinstance(result, ToolMessage) and result.id is None:
        return result.model_copy(update={"id": str(uuid.uuid4())})
    return result


def shortened(result: Any, limit: int) -> Any:
    """Return a result whose text has at most `limit` characters; 0 for as many as it has."""
    text = result.content if isinstance(result, ToolMessage) else result
    if not limit or not isinstance(text, str) or len(text) <= limit:
        return result
    short = f"{text[:limit]}… ({len(text) - limit:,} more characters)"
    return result.model_copy(update={"content": short}) if isinstance(result, ToolMessage) else short


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
