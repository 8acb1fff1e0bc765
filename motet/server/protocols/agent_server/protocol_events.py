"""A run's events as the newer protocol of this wire has them ("Protocol v2"): channels, namespaces, blocks of content.

What does not live here: who subscribes to them, and commands (`protocol`). Shapes: package `langchain-protocol` 0.0.20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet import events
from motet.server.protocols.agent_server.stream import Encoder, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from motet.events import Recorded
    from motet.runs.lookup import FoundRun

Json = dict[str, Any]
Told = tuple[str, list[str], Any]
"""A method, a namespace, and data."""

MODES = ["values", "updates", "messages-tuple", "custom", "tasks", "checkpoints"]
"""What a run records that a command of this protocol began."""

CHANNELS = ("values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom")

PER_RUN, PER_EVENT = 10**9, 1000
"""A number of an event: its run's place in the thread, its number in the run's log, its place among its parts."""


def number_of(run_index: int, seq: int, part: int) -> int:
    """Return an event's number in its thread; numbers only grow."""
    return run_index * PER_RUN + seq * PER_EVENT + part


class ProtocolEncoder:
    """Turns a run's log, from its beginning on, into events of the protocol."""

    def __init__(self, run: FoundRun, run_index: int) -> None:
        self._run, self._index = run, run_index
        self._frames = Encoder(run, MODES)
        self._messages = _Messages()

    def encode(self, recorded: Recorded) -> Iterator[Json]:
        """Yield what an event of the log says."""
        for part, (method, namespace, data) in enumerate(self._told(recorded)):
            yield {
                "type": "event",
                "event_id": f"{recorded.seq}-{part}.{tag_of(recorded.run_id)}",
                "seq": number_of(self._index, recorded.seq, part),
                "method": method,
                "params": {"namespace": namespace, "timestamp": int(recorded.at * 1000), "data": data},
            }

    def _told(self, recorded: Recorded) -> Iterator[Told]:
        event = recorded.event
        if isinstance(event, events.RunStarted):
            phase = "started" if event.attempt == 1 else "running"
            yield "lifecycle", [], {"event": phase, "graph_name": self._run.job.graph}
        for name, data in self._frames.frames(recorded):
            method, *namespace = name.split("|")
            yield from self._part(method, namespace, data)
        if event.type in events.TERMINAL:
            yield from self._messages.end()
        yield from _own(event)

    def _part(self, method: str, namespace: list[str], data: Any) -> Iterator[Told]:
        match method:
            case "values" | "tasks":
                yield method, namespace, data
            case "updates":
                for node, values in data.items():
                    yield method, namespace, {"node": node, "values": values}
            case "checkpoints":
                yield method, namespace, _checkpoint(data)
            case "custom":
                yield method, namespace, {"payload": data}
            case "messages":
                yield from self._messages.told(namespace, *data)
            case _:
                return


def _own(event: events.Event) -> Iterator[Told]:
    """Yield what the run itself says: of its tools, of what it asks, of its end."""
    match event:
        case events.ToolStarted(tool_call_id=call_id, name=name, arguments=given):
            yield "tools", [], _tool("started", call_id, tool_name=name, input=given)
        case events.ToolCompleted(tool_call_id=call_id, content=content, status="success"):
            yield "tools", [], _tool("finished", call_id, output=content)
        case events.ToolCompleted(tool_call_id=call_id, content=content):
            yield "tools", [], _tool("error", call_id, message=content)
        case events.InterruptRequested(interrupt_id=interrupt_id, value=value):
            asked = {"interrupt_id": interrupt_id, "payload": value, "value": value}  # clients read either
            yield "input.requested", [], asked
        case events.RunInterrupted():
            yield "lifecycle", [], {"event": "interrupted"}
        case events.RunCompleted():
            yield "lifecycle", [], {"event": "completed"}
        case events.RunFailed(error=error):
            yield "lifecycle", [], {"event": "failed", "error": str(error.get("message") or "")}
        case events.RunCancelledEvent(reason=reason):
            yield "lifecycle", [], {"event": "failed", "error": reason or "The run was stopped."}
        case _:
            return


def _tool(what: str, call_id: str, **more: Any) -> Json:
    return {"event": f"tool-{what}", "tool_call_id": call_id, **more}


def _checkpoint(data: Json) -> Json:
    """Return a checkpoint's place and origin, without its values."""
    parent = ((data.get("parent_config") or {}).get("configurable") or {}).get("checkpoint_id")
    about = data.get("metadata") or {}
    place = ((data.get("config") or {}).get("configurable") or {}).get("checkpoint_id")
    told = {"id": place, "step": about.get("step"), "source": about.get("source")}
    return told | ({"parent_id": parent} if parent else {})


class _Messages:
    """Tells messages as blocks of content: text while it comes, calls of tools when they are whole."""

    def __init__(self) -> None:
        self._open: dict[str, _Message] = {}
        self._told: set[str] = set()

    def told(self, namespace: list[str], message: Json, metadata: Json) -> Iterator[Told]:
        """Yield what a piece of a message, or a whole one, adds."""
        message_id = str(message.get("id") or "")
        if message_id in self._told:
            return
        if message_id not in self._open:
            yield from self.end(namespace)  # the one before, of the same graph, is whole now
            self._open[message_id] = _Message(message_id, namespace)
            start = {"role": _role(message), "id": message_id, "metadata": metadata}
            yield self._open[message_id].event("message-start", **start)
        one = self._open[message_id]
        yield from one.add(message)
        if message.get("type") != "AIMessageChunk" or message.get("chunk_position") == "last":
            yield from self._end(one)

    def end(self, namespace: list[str] | None = None) -> Iterator[Told]:
        """Yield the ends of messages that are open: of one graph, or of all."""
        for one in list(self._open.values()):
            if namespace is None or one.namespace == namespace:
                yield from self._end(one)

    def _end(self, one: _Message) -> Iterator[Told]:
        del self._open[one.message_id]
        self._told.add(one.message_id)
        yield from one.end()


class _Message:
    """One message that is being told."""

    def __init__(self, message_id: str, namespace: list[str]) -> None:
        self.message_id, self.namespace = message_id, namespace
        self._text = ""
        self._whole: Any = None
        self._usage: Json | None = None

    def event(self, what: str, **data: Any) -> Told:
        return "messages", self.namespace, {"event": what, "message_id": self.message_id, **data}

    def add(self, message: Json) -> Iterator[Told]:
        from langchain_core.messages import AIMessageChunk  # noqa: PLC0415  # not for what only lists

        self._usage = message.get("usage_metadata") or self._usage
        text = _text(message.get("content"))
        if text:
            if not self._text:
                yield self.event("content-block-start", index=0, content={"type": "text", "text": ""})
            self._text += text
            yield self.event("content-block-delta", index=0, delta={"type": "text-delta", "text": text})
        if message.get("type") == "AIMessageChunk":
            chunk = AIMessageChunk.model_validate(message)
            self._whole = chunk if self._whole is None else self._whole + chunk
        elif message.get("type") == "ai":
            self._whole = AIMessageChunk(content="", tool_calls=message.get("tool_calls") or [])

    def end(self) -> Iterator[Told]:
        index = 0
        if self._text:
            yield self.event("content-block-finish", index=0, content={"type": "text", "text": self._text})
            index = 1
        for call in self._whole.tool_calls if self._whole is not None else ():
            block = {"type": "tool_call", "id": call["id"], "name": call["name"], "args": call["args"]}
            yield self.event("content-block-start", index=index, content=block)
            yield self.event("content-block-finish", index=index, content=block)
            index += 1
        yield self.event("message-finish", **({"usage": self._usage} if self._usage else {}))


def _role(message: Json) -> str:
    kind = str(message.get("type") or "ai")
    return "ai" if kind == "AIMessageChunk" else kind


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks: list[Any] = content if isinstance(content, list) else []
    return "".join(str(b.get("text", "")) for b in blocks if isinstance(b, dict) and b.get("type") == "text")
