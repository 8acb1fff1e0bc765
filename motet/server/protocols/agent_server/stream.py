"""A run's events as this wire streams them: LangGraph's parts that the run recorded, else made from Motet's events.

What does not live here: the stream itself (`motet.server.sse`). An event's id is `SEQ-PART.RUN`: its number in the
run's log, its place among the frames of that number, and the beginning of the run's id. Whoever comes back with it
gets what follows, and whoever comes with another run's is told so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from motet import events
from motet.errors import InvalidInput
from motet.runs.budgets.question import STOPPED
from motet.server.plain import json_text
from motet.server.protocols.agent_server.shapes import failure
from motet.server.sse import frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from motet.events import Recorded, StreamPart
    from motet.runs.lookup import FoundRun

Json = dict[str, Any]
Frame = tuple[str, Any]
"""An event's name and its data."""

_ID = re.compile(r"([0-9]{1,12})-([0-9]{1,6})\.([0-9a-f]{8})")
_START = ("", "-1", "0", "0-0")
"""What clients send to see everything."""

FOLDED = ["values", "updates", "messages-tuple", "custom"]
"""What is shown of a run that recorded nothing, unless less was asked for."""


class Encoder:
    """Turns a run's log into frames, from its beginning on; those up to `seen` are made and not given.

    Args:
        run: The run.
        modes: What is shown; everything that there is unless given.
        seen: The id of the last event that the client has.
        tells_end: Say that the run is done, where more comes after it.
    """

    def __init__(
        self, run: FoundRun, modes: Sequence[str] | None, seen: str = "", *, tells_end: bool = False
    ) -> None:
        self._tells_end = tells_end
        self._run_id = run.record.run_id
        self._seen = place_of(seen, self._run_id)
        recorded = list(run.job.drive.record)
        shown = modes if modes is not None else ([_shown(mode) for mode in recorded] or FOLDED)
        self._modes = frozenset(shown)
        self._recorded = frozenset(recorded)
        self._messages = _Messages()
        self._asked: list[Json] = []
        self._values: Json = {}

    @property
    def seen(self) -> int:
        """The number of the last event that the client has; 0 for none."""
        return self._seen[0]

    @property
    def after(self) -> int:
        """Where the log has to be read from: what a frame says may hang on what came before."""
        needs_all = "messages" in self._modes or not self._modes <= {_shown(mode) for mode in self._recorded}
        return 0 if needs_all else max(0, self._seen[0] - 1)

    def encode(self, recorded: Recorded) -> Iterable[bytes]:
        """Return the frames of an event."""
        for part, (name, data) in enumerate(self.frames(recorded)):
            if (recorded.seq, part) > self._seen:
                event_id = f"{recorded.seq}-{part}.{tag_of(self._run_id)}"
                text = json_text(data, compact=True)
                yield frame(text, event=name, event_id=event_id, newline="\r\n")

    def frames(self, recorded: Recorded) -> Iterator[Frame]:
        """Yield names and data of what an event says."""
        event = recorded.event
        if isinstance(event, events.RunStarted):
            yield "metadata", {"run_id": self._run_id, "attempt": event.attempt}
            if event.attempt == 1 and "values" in self._modes - self._recorded and self._values:
                yield "values", self._values
        elif isinstance(event, events.StreamPart):
            yield from self._part(event)
        elif isinstance(event, events.RunFailed):
            yield "error", failure(event.error)
        elif isinstance(event, events.RunCancelledEvent):
            kind = "UserRollback" if event.undone else "UserInterrupt"
            yield "error", {"error": kind, "message": event.reason}
        else:
            yield from self._fold(event)
        if self._tells_end and event.type in events.TERMINAL:
            yield "metadata", {"status": "run_done", "run_id": self._run_id}

    def _part(self, part: StreamPart) -> Iterator[Frame]:
        where = "".join(f"|{name}" for name in part.namespace)
        if part.mode == "messages":
            if "messages-tuple" in self._modes:
                yield f"messages{where}", part.data
            elif "messages" in self._modes:
                for name, data in self._messages.told(part.data):
                    yield name + where, data
        elif part.mode in self._modes:
            yield part.mode + where, _debug(part.data) if part.mode == "debug" else part.data

    def _fold(self, event: events.Event) -> Iterator[Frame]:
        """Tell one of Motet's events as LangGraph would, in the modes that the run did not record."""
        for name, mode, data in self._folded(event):
            if (mode not in self._recorded or _is_stop(event)) and (
                mode in self._modes or (mode == "messages" and self._tuples)
            ):
                yield name, data

    @property
    def _tuples(self) -> bool:
        return "messages-tuple" in self._modes

    def _folded(self, event: events.Event) -> Iterator[tuple[str, str, Any]]:
        """Yield names, modes and data."""
        match event:
            case events.RunAccepted(input=given):
                self._values = dict(given)  # told when it starts: its metadata comes first
            case events.MessageDelta(message_id=message_id, text=text):
                if "messages" not in self._recorded:
                    yield from self._chunk(_message("AIMessageChunk", message_id, text))
            case events.MessageCompleted(role="assistant", message_id=message_id, text=text):
                message = _message("ai", message_id, text)
                if _is_stop(event):
                    yield from self._chunk(message)
                elif not self._tuples and not self._messages.knows(message_id):
                    yield "messages/complete", "messages", [message]
                yield "updates", "updates", {"motet": {"messages": [message]}}
            case events.InterruptRequested():
                schema = event.response_schema
                self._asked.append(
                    {"id": event.interrupt_id, "value": event.value, "response_schema": schema}
                )
            case events.RunInterrupted():
                yield "updates", "updates", {"__interrupt__": self._asked}
                yield "values", "values", self._values | {"__interrupt__": self._asked}
            case events.RunCompleted(output=output):
                yield "values", "values", _joined(self._values, output)
            case _:
                yield from _custom(event)

    def _chunk(self, chunk: Json) -> Iterator[tuple[str, str, Any]]:
        pair = [chunk, {"run_id": self._run_id}]
        if self._tuples:
            yield "messages", "messages", pair
            return
        for name, data in self._messages.told(pair):
            yield name, "messages", data


def _is_stop(event: events.Event) -> bool:
    """Say whether an event is of a run that a person stopped at a limit: no graph ran, so nothing was recorded."""
    match event:
        case events.MessageCompleted(message_id=message_id):
            return message_id.startswith(STOPPED)
        case events.RunCompleted(output={"messages": [{"id": str(message_id)}]}):
            return message_id.startswith(STOPPED)
        case _:
            return False


def is_beginning(event_id: str) -> bool:
    """Say whether an id means that everything is wanted."""
    return event_id.strip() in _START


def place_of(event_id: str, run_id: str) -> tuple[int, int]:
    """Return the number and the part of an event's id; what is before all for the ids that mean the beginning.

    Raises:
        InvalidInput: It is no id of this run's events.
    """
    if is_beginning(event_id):
        return (0, -1)
    found = _ID.fullmatch(event_id.strip())
    if found is None or found[3] != tag_of(run_id):
        raise InvalidInput(
            f"Last-Event-ID is {event_id[:60]!r}; the id of an event of run {run_id} was expected."
        )
    return (int(found[1]), int(found[2]))


def tag_of(run_id: str) -> str:
    """Return what an event's id says of its run."""
    return run_id.replace("-", "")[:8]


def _shown(mode: str) -> str:
    return "messages-tuple" if mode == "messages" else mode


def _custom(event: events.Event) -> Iterator[tuple[str, str, Any]]:
    """Yield what only Motet's graphs tell: plans, steps, passages, as they write them to LangGraph's stream."""
    if isinstance(event, events.Custom):
        yield "custom", "custom", event.data
    elif not isinstance(event, _UNTOLD):
        yield "custom", "custom", event.model_dump(mode="json")


_UNTOLD = (events.RunRetrying, events.MessageCompleted, events.EventsRemoved, events.Usage)


class _Messages:
    """Puts pieces of messages together, as the mode `messages` tells them."""

    def __init__(self) -> None:
        self._whole: dict[str, Any] = {}

    def knows(self, message_id: str) -> bool:
        return message_id in self._whole

    def told(self, pair: Sequence[Json]) -> Iterator[Frame]:
        """Yield what a piece makes: its metadata once, then the message as far as it is."""
        message, metadata = pair
        message_id = str(message.get("id") or "")
        if message_id not in self._whole:
            yield "messages/metadata", {message_id: {"metadata": metadata}}
        if message.get("type") != "AIMessageChunk":
            self._whole[message_id] = message
            yield "messages/complete", [message]
            return
        whole = self._add(message_id, message)
        yield "messages/partial", [whole]

    def _add(self, message_id: str, piece: Json) -> Json:
        from langchain_core.messages import AIMessageChunk, message_chunk_to_message  # noqa: PLC0415

        chunk = AIMessageChunk.model_validate(piece)
        so_far = self._whole.get(message_id)
        whole: Any = chunk if not isinstance(so_far, AIMessageChunk) else so_far + chunk
        self._whole[message_id] = whole
        return message_chunk_to_message(whole).model_dump(mode="json", fallback=str)


def _message(kind: str, message_id: str, text: str) -> Json:
    return {
        "type": kind,
        "id": message_id,
        "content": text,
        "name": None,
        "additional_kwargs": {},
        "response_metadata": {},
        "tool_calls": [],
        "invalid_tool_calls": [],
        "usage_metadata": None,
        **({"tool_call_chunks": []} if kind == "AIMessageChunk" else {}),
    }


def _joined(given: Json, output: Json) -> Json:
    """Return a run's output after its input: the messages of both, in order."""
    if "messages" not in output:
        return output
    before: list[Any] = given.get("messages") or []
    return output | {"messages": [*before, *output["messages"]]}


def _debug(data: Json) -> Json:
    """Return a part of the mode `debug`, with a checkpoint's place where its clients look for it."""
    if data.get("type") != "checkpoint":
        return data
    payload: Json = data["payload"]
    places = {name: _place(payload.get(config)) for name, config in _PLACES}
    return data | {"payload": payload | places}


_PLACES = (("checkpoint", "config"), ("parent_checkpoint", "parent_config"))


def _place(config: Json | None) -> Json | None:
    if config is None:
        return None
    kept = ("thread_id", "checkpoint_ns", "checkpoint_id")
    return {key: value for key, value in config["configurable"].items() if key in kept}
