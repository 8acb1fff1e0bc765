"""A thread's state as plain JSON: now, at a checkpoint, through its history, and as a run left it.

What does not live here: changing a state (that is a run: `Drive.supersteps`), and turns (`points`). A graph is asked
where it matters what would come next; what a state holds is read off the checkpoint alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motet.runs.translate import plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import CheckpointTuple
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.types import PregelTask, StateSnapshot

    from motet.memory.checkpoints import MotetSaver

    Graph = CompiledStateGraph[Any, Any, Any, Any]

Json = dict[str, Any]

_PLACE = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")


@dataclass(frozen=True, slots=True)
class Holding:
    """What a thread's newest checkpoint holds."""

    values: Any = None
    """The state as plain JSON; None where nothing was stored yet."""
    interrupts: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    """What is asked, by the id of the task that asks."""


class States:
    """The states of one tenant's threads. `graph` gives a graph by name, with the tenant's checkpointer."""

    def __init__(self, saver: MotetSaver, graph: Callable[[str], Awaitable[Graph]]) -> None:
        self._saver = saver
        self._graph = graph

    async def holding(self, thread_id: str) -> Holding:
        """Return what a thread holds now."""
        newest = await self._saver.aget_tuple({"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}})
        if newest is None:
            return Holding()
        asked: dict[str, list[Json]] = {}
        for task_id, channel, value in newest.pending_writes or []:
            if channel == "__interrupt__":
                asked[task_id] = [interrupt_of(one) for one in value]
        return Holding(values_of(newest), asked)

    async def state(
        self, graph: str, thread_id: str, place: Mapping[str, Any], *, subgraphs: bool = False
    ) -> Json:
        """Return a thread's state, at a checkpoint where `place` names one; an empty one where there is none.

        Args:
            graph: Name of the thread's graph.
            thread_id: The thread.
            place: `checkpoint_id` and `checkpoint_ns`, each where it counts.
            subgraphs: Show the states of graphs within the graph too.

        Raises:
            NotFound: There is no such graph (any more).
        """
        compiled = await self._graph(graph)
        config: RunnableConfig = {"configurable": {**place, "thread_id": thread_id}}
        try:
            return snapshot(await compiled.aget_state(config, subgraphs=subgraphs))
        except ValueError:  # no graph within the graph has this namespace
            return empty(config)

    async def history(
        self,
        graph: str,
        thread_id: str,
        place: Mapping[str, Any],
        *,
        limit: int = 10,
        before: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> list[Json]:
        """Return a thread's states, the newest first, length 0..limit; see `state`.

        Args:
            graph: Name of the thread's graph.
            thread_id: The thread.
            place: Where it narrows what is listed.
            limit: At most so many.
            before: Only states before this checkpoint.
            metadata: Values that a checkpoint's metadata has.
        """
        compiled = await self._graph(graph)
        config: RunnableConfig = {"configurable": {**place, "thread_id": thread_id}}
        earlier: RunnableConfig | None = None
        if before is not None:
            earlier = {"configurable": {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": before}}
        states = compiled.aget_state_history(
            config, filter=dict(metadata) if metadata else None, before=earlier, limit=limit
        )
        return [snapshot(state) async for state in states]

    async def outcome(self, graph: str, thread_id: str, run_id: str) -> tuple[Any, list[Json]]:
        """Return the output that a run left, and what it asks; None where it stored nothing."""
        config: RunnableConfig = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
        async for found in self._saver.alist(config, filter={"run_id": run_id}, limit=1):
            asked = [
                interrupt_of(one) | {"response_schema": plain(one.response_schema)}
                for _, channel, value in found.pending_writes or []
                if channel == "__interrupt__"
                for one in value
            ]
            return await self._output(graph, values_of(found)), asked
        return None, []

    async def _output(self, graph: str, values: Any) -> Any:
        names = (await self._graph(graph)).output_channels
        if isinstance(names, str):
            return values.get(names) if isinstance(values, dict) else values
        return {name: values[name] for name in names if name in values}


def values_of(found: CheckpointTuple) -> Any:
    """Return the state that a checkpoint holds, as plain JSON, without what LangGraph keeps for itself."""
    held = found.checkpoint["channel_values"]
    if "__root__" in held:
        return plain(held["__root__"])
    return {key: plain(value) for key, value in held.items() if not key.startswith(("__", "branch:"))}


def interrupt_of(interrupt: Any) -> Json:
    """Return what an interrupt asks."""
    schema = (
        {} if interrupt.response_schema is None else {"response_schema": plain(interrupt.response_schema)}
    )
    return {"id": interrupt.id, "value": plain(interrupt.value), **schema}


def snapshot(state: StateSnapshot) -> Json:
    """Return a state as plain JSON."""
    checkpoint, parent = _place(state.config), _place(state.parent_config)
    return {
        "values": plain(state.values),
        "next": list(state.next),
        "tasks": [_task(task) for task in state.tasks],
        "metadata": _metadata(state),
        "created_at": state.created_at,
        "checkpoint": checkpoint,
        "parent_checkpoint": parent,
        "interrupts": [interrupt_of(interrupt) for interrupt in state.interrupts],
        "checkpoint_id": checkpoint.get("checkpoint_id") if checkpoint else None,
        "parent_checkpoint_id": parent.get("checkpoint_id") if parent else None,
    }


def empty(config: Any = None) -> Json:
    """Return the state of a thread that has none."""
    checkpoint = _place(config)
    return {
        "values": {},
        "next": [],
        "tasks": [],
        "metadata": None,
        "created_at": None,
        "checkpoint": checkpoint,
        "parent_checkpoint": None,
        "interrupts": [],
        "checkpoint_id": checkpoint.get("checkpoint_id") if checkpoint else None,
        "parent_checkpoint_id": None,
    }


def _task(task: PregelTask) -> Json:
    inner = task.state
    return {
        "id": task.id,
        "name": task.name,
        "path": plain(task.path),
        "error": None if task.error is None else str(task.error),
        "interrupts": [interrupt_of(interrupt) for interrupt in task.interrupts],
        "checkpoint": _place(inner) if isinstance(inner, dict) else None,
        "state": snapshot(inner) if inner is not None and not isinstance(inner, dict) else None,
        "result": plain(task.result),
    }


def _place(config: Any) -> Json | None:
    if config is None:
        return None
    return {key: plain(value) for key, value in config["configurable"].items() if key in _PLACE and value} | (
        {"checkpoint_ns": ""} if config["configurable"].get("checkpoint_ns") == "" else {}
    )


def _metadata(state: StateSnapshot) -> Json | None:
    if state.metadata is None:
        return None
    place: dict[str, Any] = state.config.get("configurable", {})
    return {**plain(dict(state.metadata)), "thread_id": place.get("thread_id")}
