"""Compares the answers of two Agent Servers: what may differ is taken out, and what is left has to be equal."""

from __future__ import annotations

import re
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+(\+00:00|Z)")
_HASH = re.compile(r"\b[0-9a-f]{32}\b")

PLACES = frozenset({"thread_id", "checkpoint_id", "checkpoint_ns"})

OWN_METADATA = re.compile(
    r"langgraph_(api|auth|host|plan|request|version).*|run_attempt|user_id|lc_versions|ls_.*|mood|topic|graph_id"
    r"|assistant_id|created_by|run_id|thread_id|a|checkpoint_id"
)
"""Of a run's metadata: what the server says about itself, and what it takes over from the thread."""

DROPPED = frozenset(
    {
        "kwargs",
        "langsmith_session_name",
        "cancel_reason",
        "config",
        "parent_config",
        "payload",
        "user_id",
        "services",
    }
    | {"$defs", "versions_seen", "host", "version", "flags", "langgraph_py_version"}
)


def normal(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what counts of an answer."""
    status, body = answer["status"], answer["body"]
    if status >= 400:
        return {"status": status}
    kind = answer["headers"].get("content-type", "").partition(";")[0]
    kept = {
        name: _words(answer["headers"][name])
        for name in ("content-location", "location")
        if name in answer["headers"]
    }
    return {"status": status, "type": kind, "headers": kept, "body": _plain(body)}


def _words(text: str) -> str:
    text = re.sub(r"lc_run--" + _UUID.pattern + r"(-0)?", "<message>", text)
    return _HASH.sub("<hash>", _TIME.sub("<time>", _UUID.sub("<id>", text)))


def _plain(value: Any, below: str = "") -> Any:
    if isinstance(value, str):
        return _words(value)
    if isinstance(value, list):
        items: list[Any] = value
        if items and isinstance(items[0], dict) and {"event", "data", "id"} == items[0].keys():
            return [[_words(item["event"]), _plain(item["data"], _words(item["event"]))] for item in items]
        return [_plain(item, below) for item in items]
    if not isinstance(value, dict):
        return value
    pairs: dict[str, Any] = value
    if below == "metadata":
        pairs = {key: item for key, item in pairs.items() if not OWN_METADATA.fullmatch(key)}
    if "langgraph_step" in pairs:
        pairs = {key: item for key, item in pairs.items() if not OWN_METADATA.fullmatch(key)}
    if below == "configurable":
        pairs = {key: item for key, item in pairs.items() if key in PLACES}
    return {_words(key): _plain(item, key) for key, item in pairs.items() if key not in DROPPED}
