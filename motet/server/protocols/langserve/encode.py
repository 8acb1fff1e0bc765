"""Tells a run's events as LangServe's client expects them: outputs, chunks, callback events, a log of patches."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from motet import events
from motet.server.plain import json_text
from motet.server.sse import frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from motet.events import Recorded

NEWLINE = "\r\n"


def sse(event: str, data: Any = None) -> bytes:
    """Return one event; without data, one that only has a name."""
    text = "" if data is None else json_text(data)
    return frame(text, event=event, newline=NEWLINE)


END = frame("", event="end", newline=NEWLINE)


def failure(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's error as the client raises it."""
    return {"status_code": 500, "message": error.get("message") or "Internal Server Error"}


def error_of(recorded: Recorded) -> dict[str, Any] | None:
    """Return what ended a run badly; None for every other event."""
    event = recorded.event
    if isinstance(event, events.RunFailed):
        return event.error
    if isinstance(event, events.RunCancelledEvent):
        return {"code": "run_cancelled", "message": event.reason or "The run was stopped."}
    return None


class Output:
    """Folds a run's events into the graph's output: its input's messages, and what it said to them."""

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self.error: dict[str, Any] | None = None
        self._given: list[Any] = []
        self._asked: list[dict[str, Any]] = []

    def take(self, recorded: Recorded) -> None:
        """Fold an event."""
        event = recorded.event
        self.error = error_of(recorded) or self.error
        if isinstance(event, events.RunAccepted):
            self._given = list(event.input.get("messages", []))
        elif isinstance(event, events.InterruptRequested):
            self._asked.append({"value": event.value, "id": event.interrupt_id})
        elif isinstance(event, events.RunInterrupted):
            self.value = {"__interrupt__": self._asked}
        elif isinstance(event, events.RunCompleted):
            self.value = dict(event.output)
            if "messages" in self.value:
                self.value["messages"] = [*self._given, *self.value["messages"]]


class Chunks:
    """`/stream`: what each node changed, as LangGraph's graphs stream."""

    def __init__(self, run_id: str) -> None:
        self.first = sse("metadata", {"run_id": run_id})
        self._failed = False

    def encode(self, recorded: Recorded) -> Iterable[bytes]:
        """Yield what an event says."""
        event = recorded.event
        error = error_of(recorded)
        if error is not None:
            self._failed = True
            yield sse("error", failure(error))
        elif isinstance(event, events.StreamPart) and event.mode == "updates" and not event.namespace:
            yield sse("data", event.data)

    def last(self) -> bytes:
        """Return what ends the stream."""
        return b"" if self._failed else END


@dataclass(frozen=True, slots=True)
class Filter:
    """Which callback events a client wants; all where it names none."""

    include_names: frozenset[str] = frozenset()
    include_types: frozenset[str] = frozenset()
    include_tags: frozenset[str] = frozenset()
    exclude_names: frozenset[str] = frozenset()
    exclude_types: frozenset[str] = frozenset()
    exclude_tags: frozenset[str] = frozenset()

    def wants(self, name: str, kind: str, tags: Iterable[str]) -> bool:
        """Say whether something of a name, a type (`chat_model`, `tool`, …) and tags is wanted."""
        tagged = set(tags)
        any_named = self.include_names or self.include_types or self.include_tags
        included = (
            name in self.include_names or kind in self.include_types or bool(tagged & self.include_tags)
        )
        excluded = (
            name in self.exclude_names or kind in self.exclude_types or bool(tagged & self.exclude_tags)
        )
        return (included or not any_named) and not excluded


def kind_of(event: Mapping[str, Any]) -> str:
    """Return the type of what a callback event is about: `on_chat_model_stream` is of a `chat_model`."""
    return str(event["event"]).removeprefix("on_").rpartition("_")[0]


class Callbacks:
    """`/stream_events`: LangChain's callback events, version 2."""

    def __init__(self, wanted: Filter) -> None:
        self._wanted = wanted
        self._root: dict[str, Any] = {}
        self._failed = False

    def encode(self, recorded: Recorded) -> Iterable[bytes]:
        """Yield what an event says."""
        error = error_of(recorded)
        if error is not None:
            self._failed = True
            yield sse("error", failure(error))
        for event in self.events(recorded):
            if self._wanted.wants(event["name"], kind_of(event), event.get("tags") or ()):
                yield sse("data", event)

    def events(self, recorded: Recorded) -> Iterable[dict[str, Any]]:
        """Yield the callback events that one of the log holds; what the graph streams is its root's."""
        part = recorded.event
        if not isinstance(part, events.StreamPart) or part.namespace:
            return
        if part.mode == "events":
            self._root = self._root or part.data
            yield part.data
        elif part.mode == "updates" and self._root:
            shared = {
                key: self._root.get(key) for key in ("name", "run_id", "tags", "metadata", "parent_ids")
            }
            yield {"event": "on_chain_stream", **shared, "data": {"chunk": part.data}}

    def last(self) -> bytes:
        """Return what ends the stream."""
        return b"" if self._failed else END


@dataclass
class Log:
    """`/stream_log`: the same as patches (RFC 6902) of one document about the run and everything within it."""

    run_id: str
    wanted: Filter
    _callbacks: Callbacks = field(default_factory=lambda: Callbacks(Filter()))
    _names: dict[str, str] = field(default_factory=dict[str, str])
    _count: dict[str, int] = field(default_factory=dict[str, int])
    _root: str = ""
    _failed: bool = False

    def encode(self, recorded: Recorded) -> Iterable[bytes]:
        """Yield what an event says."""
        error = error_of(recorded)
        if error is not None:
            self._failed = True
            yield sse("error", failure(error))
        for event in self._callbacks.events(recorded):
            ops = self._ops(event, recorded.at)
            if ops:
                yield sse("data", {"ops": ops})

    def last(self) -> bytes:
        """Return what ends the stream."""
        return b"" if self._failed else END

    def _ops(self, event: dict[str, Any], at: float) -> list[dict[str, Any]]:
        what, data = str(event["event"]).rpartition("_")[2], event.get("data") or {}
        if not self._root:
            self._root = event["run_id"]
            return [{"op": "replace", "path": "", "value": self._begun(event)}]
        if event["run_id"] == self._root:
            if what == "stream":
                return [{"op": "add", "path": "/streamed_output/-", "value": data.get("chunk")}]
            return (
                [{"op": "replace", "path": "/final_output", "value": data.get("output")}]
                if what == "end"
                else []
            )
        if what == "start":
            return self._start(event, at)
        path = self._names.get(event["run_id"])
        if path is None:
            return []
        if what == "stream":
            return self._streamed(path, data.get("chunk"))
        if what == "end":
            return [
                {"op": "add", "path": f"{path}/final_output", "value": data.get("output")},
                {"op": "add", "path": f"{path}/end_time", "value": _time(at)},
            ]
        return []

    def _begun(self, event: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.run_id,
            "streamed_output": [],
            "final_output": None,
            "logs": {},
            "name": event["name"],
            "type": kind_of(event),
        }

    def _start(self, event: dict[str, Any], at: float) -> list[dict[str, Any]]:
        name, tags = event["name"], list(event.get("tags") or [])
        if not self.wanted.wants(name, kind_of(event), tags):
            return []
        self._count[name] = self._count.get(name, 0) + 1
        key = name if self._count[name] == 1 else f"{name}:{self._count[name]}"
        path = f"/logs/{key.replace('~', '~0').replace('/', '~1')}"
        self._names[event["run_id"]] = path
        entry = {
            "id": event["run_id"],
            "name": name,
            "type": kind_of(event),
            "tags": tags,
            "metadata": event.get("metadata") or {},
            "start_time": _time(at),
            "streamed_output": [],
            "streamed_output_str": [],
            "final_output": None,
            "end_time": None,
        }
        if entry["type"] == "tool":  # the client takes it for a ToolMessage, and stops at one without this
            entry["tool_call_id"] = None
        return [{"op": "add", "path": path, "value": entry}]

    def _streamed(self, path: str, chunk: Any) -> list[dict[str, Any]]:
        ops = [{"op": "add", "path": f"{path}/streamed_output/-", "value": chunk}]
        content = chunk.get("content") if isinstance(chunk, dict) else None
        if isinstance(content, str):
            ops.append({"op": "add", "path": f"{path}/streamed_output_str/-", "value": content})
        return ops


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
