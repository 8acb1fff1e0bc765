"""LangGraph's own stream, and what a run records of it.

What does not live here: what the parts mean (`translate`), and the wires that tell them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.events import StreamPart
from motet.runs.translate import STREAM_MODES, plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langgraph.graph.state import CompiledStateGraph

    from motet.runs.drive import Drive

Part = tuple[tuple[str, ...], str, Any]
"""A namespace, a stream mode, and the data of that mode."""


class Recorder:
    """Turns the parts that a run is to record into events."""

    def __init__(self, drive: Drive) -> None:
        self._wanted = frozenset(drive.record)
        self._subgraphs = drive.subgraphs

    @property
    def modes(self) -> list[Any]:
        """What LangGraph is asked for: what events are made from, and what is recorded."""
        return [*STREAM_MODES, *sorted(self._wanted - {*STREAM_MODES, "events"})]

    @property
    def wants_events(self) -> bool:
        """Whether every callback of the graph is recorded, as `astream_events` tells them."""
        return "events" in self._wanted

    def record(self, part: Part) -> Iterator[StreamPart]:
        """Yield the event of a part that is to be recorded; nothing for another.

        Messages of a graph within the graph are recorded in any case: LangGraph tells each once, where it came from.
        """
        namespace, mode, data = part
        if mode in self._wanted and (self._subgraphs or not namespace or mode == "messages"):
            kept = namespace if self._subgraphs else ()
            yield StreamPart(mode=mode, namespace=list(kept), data=_PLAIN.get(mode, plain)(data))

    @staticmethod
    def is_held(part: Part) -> bool:
        """Say whether a part waits for the checkpoint of its superstep: it tells what a node of the graph did."""
        namespace, mode, data = part
        if namespace:
            return False
        return (
            mode == "updates"
            or (mode == "tasks" and "result" in data)
            or (mode == "debug" and data["type"] == "task_result")
        )


async def parts_of(
    graph: CompiledStateGraph[Any, Any, Any, Any], given: Any, config: Any, recorder: Recorder, **how: Any
) -> AsyncIterator[Part]:
    """Run a graph and yield the parts of its stream; with every callback as a part `events` where those are wanted."""
    how |= {"stream_mode": recorder.modes, "subgraphs": True, "durability": "sync"}
    if not recorder.wants_events:
        stream: Any = graph.astream(given, config, **how)
        async for part in stream:
            yield part
        return
    events: Any = graph.astream_events(given, config, version="v2", **how)
    async for event in events:
        if event["event"] == "on_chain_stream" and not event["parent_ids"]:
            yield event["data"]["chunk"]
        else:
            yield (), "events", event


def _message(data: Any) -> Any:
    chunk, metadata = data
    return [plain(chunk), {key: plain(value) for key, value in metadata.items() if not key.startswith("__")}]


def _checkpoint(data: Any) -> Any:
    told = plain({key: value for key, value in data.items() if key not in ("config", "parent_config")})
    return told | {key: _config(data.get(key)) for key in ("config", "parent_config")}


def _debug(data: Any) -> Any:
    if data["type"] != "checkpoint":
        return plain(data)
    return plain({**data, "payload": None}) | {"payload": _checkpoint(data["payload"])}


def _config(config: Any) -> Any:
    """Return a config without what only LangGraph and Motet know."""
    if config is None:
        return None
    configurable = {k: plain(v) for k, v in config["configurable"].items() if not k.startswith("__")}
    return {"configurable": configurable}


_PLAIN = {"messages": _message, "checkpoints": _checkpoint, "debug": _debug}
