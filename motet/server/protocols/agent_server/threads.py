"""Threads and their states: made, listed, copied, cleared away; looked at, and written.

What does not live here: runs (`runs`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from motet import events
from motet.errors import InvalidInput, UserError
from motet.server.protocols.agent_server import bodies
from motet.server.protocols.agent_server.decode import decode_update
from motet.server.protocols.agent_server.shapes import answer, identity, missing, page, selected, thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.runs.lookup import FoundThread
    from motet.runs.threads.states import Holding
    from motet.server.call import Call

Json = dict[str, Any]

FIELDS = frozenset(
    {
        "thread_id",
        "created_at",
        "updated_at",
        "state_updated_at",
        "metadata",
        "config",
        "context",
        "status",
        "values",
        "interrupts",
        "error",
    }
)
_OF_STATE = frozenset({"values", "interrupts"})

STATE_FIELDS = frozenset(
    {"values", "next", "tasks", "checkpoint", "metadata", "created_at", "parent_checkpoint", "interrupts"}
)

SEARCHED_AT_ONCE = 100
"""A search by values loads so many threads' states at a time."""

MAX_SEARCHED = 1000
"""Most threads whose states one search by values loads; what else it says narrows them down by an index."""


async def thread_of(call: Call) -> FoundThread:
    """Return the thread of the path.

    Raises:
        InvalidInput: Its id is no UUID.
        NotFound: There is none, or it is another's.
    """
    thread_id = identity(call, "thread_id")
    found = await call.desk.lookup.thread(thread_id)
    if found is None:
        raise missing("Thread", thread_id)
    return found


async def create(call: Call) -> Response:
    """Make a thread; with `supersteps`, with a state."""
    asked = await call.read(bodies.ThreadBody)
    metadata = asked.metadata or {}
    graph = str(metadata.get("graph_id", ""))
    if asked.supersteps and graph not in call.desk.graphs():
        raise UserError("A thread with a state needs a graph: name it in metadata.graph_id.")
    thread_id = await call.desk.maker.make(
        thread_id=asked.thread_id,
        graph=graph if graph in call.desk.graphs() else "",
        metadata=metadata,
        ttl_s=_ttl_s(asked.ttl),
        keep=asked.if_exists == "do_nothing",
    )
    if asked.supersteps:
        await _write(call, [step.updates for step in asked.supersteps], graph, thread_id, {})
    return answer(await _shown(call, thread_id))


async def get(call: Call) -> Response:
    """Look at one."""
    return answer(await _shown(call, (await thread_of(call)).thread_id))


async def update(call: Call) -> Response:
    """Add to what is noted about one."""
    thread_id, asked = (await thread_of(call)).thread_id, await call.read(bodies.ThreadPatch)
    await call.desk.maker.note(thread_id, asked.metadata or {})
    if asked.ttl is not None:
        await call.desk.threads.set_ttl(thread_id, _ttl_s(asked.ttl))
    return answer(await _shown(call, thread_id))


async def delete(call: Call) -> Response:
    """Delete one with everything that belongs to it; runs that have not ended are stopped first."""
    found = await thread_of(call)
    for run in await call.desk.lookup.runs(
        thread_id=found.thread_id, statuses=("pending", "running"), limit=1000
    ):
        await stop(call, run.record.run_id)
    await call.desk.threads.delete(found.thread_id)
    return Response(status_code=204)


async def search(call: Call) -> Response:
    """List threads."""
    asked = await call.read(bodies.ThreadSearch)
    wanted = asked.select
    selected({}, wanted, FIELDS)
    for path in (asked.extract or {}).values():
        _extract({}, path)
    found = await _found(call, asked)
    shown: list[Json] = []
    for one, holding in found:
        if holding is None and (asked.extract or wanted is None or _OF_STATE & set(wanted)):
            holding = await call.desk.states.holding(one.thread_id)  # noqa: PLW2901
        whole = thread(one, holding)
        extracted = (
            {"extracted": {k: _extract(whole, p) for k, p in asked.extract.items()}} if asked.extract else {}
        )
        shown.append(selected(whole, wanted, FIELDS) | extracted)
    return answer(shown, headers=page(found, asked.limit, asked.offset))


async def count(call: Call) -> Response:
    """Count threads."""
    asked = await call.read(bodies.ThreadCount)
    if asked.values:
        every = bodies.ThreadSearch(**asked.model_dump(), limit=1000)
        return answer(len(await _found(call, every)))
    return answer(await call.desk.lookup.count_threads(metadata=asked.metadata, status=asked.status))


async def copy(call: Call) -> Response:
    """Make a thread that holds what one holds."""
    found = await thread_of(call)
    made = await call.desk.threads.copy(found.thread_id)
    return answer(await _shown(call, made.thread_id))


async def prune(call: Call) -> Response:
    """Delete threads, or all their checkpoints but the newest; return how many threads those were."""
    asked = await call.read(bodies.PruneBody)
    mine = [
        found.thread_id for found in await call.desk.lookup.threads(thread_ids=asked.thread_ids, limit=1000)
    ]
    if asked.strategy == "keep_latest":
        return answer({"pruned_count": (await call.desk.threads.compact(mine)).threads})
    for thread_id in mine:
        await call.desk.threads.delete(thread_id)
    return answer({"pruned_count": len(mine)})


async def state(call: Call) -> Response:
    """Look at a thread's state, now or at a checkpoint."""
    at = call.request.path_params.get("checkpoint_id")
    place: Json = {} if at is None else {"checkpoint_id": str(at)}
    return answer(await _state(call, place, subgraphs=call.query("subgraphs").lower() in ("true", "1")))


async def state_at(call: Call) -> Response:
    """Look at a thread's state at a checkpoint."""
    asked = await call.read(bodies.StateAt)
    return answer(
        await _state(call, asked.checkpoint.model_dump(exclude_none=True), subgraphs=asked.subgraphs)
    )


async def update_state(call: Call) -> Response:
    """Write to a thread's state."""
    found, asked = await thread_of(call), await call.read(bodies.StateUpdate)
    graph = found.graph or str(found.metadata.get("graph_id", ""))
    if graph not in call.desk.graphs():
        raise UserError(
            f"Thread {found.thread_id} has no graph yet: start a run, or name one in metadata.graph_id."
        )
    place: Json = asked.checkpoint.model_dump(exclude_none=True) if asked.checkpoint is not None else {}
    if asked.checkpoint_id is not None:
        place["checkpoint_id"] = asked.checkpoint_id
    write = bodies.StateWriteBody(values=asked.values, as_node=asked.as_node, command=asked.command)
    made = await _write(call, [[write]], graph, found.thread_id, place)
    return answer({"checkpoint": made, "checkpoint_id": made.get("checkpoint_id"), "configurable": made})


async def history(call: Call) -> Response:
    """List a thread's states."""
    found, asked = await thread_of(call), await call.read(bodies.HistoryBody)
    before: Any = asked.before
    if isinstance(before, dict):
        before = before.get("checkpoint_id") or (before.get("configurable") or {}).get("checkpoint_id")
    place = asked.checkpoint.model_dump(exclude_none=True) if asked.checkpoint is not None else {}
    place.pop("checkpoint_id", None)
    listed = await _history(call, found, place, limit=asked.limit, before=before, metadata=asked.metadata)
    return answer([_pick(one, asked.select) for one in listed])


async def history_list(call: Call) -> Response:
    """List a thread's states, by a request without a body."""
    found = await thread_of(call)
    limit = call.number("limit", 10, least=1)
    return answer(await _history(call, found, {}, limit=limit, before=call.query("before") or None))


async def stop(call: Call, run_id: str, *, undo: bool = False, reason: str = "cancelled") -> None:
    """Stop a run, and return when it has ended."""
    if await call.desk.cancel(run_id, reason=reason, undo=undo):
        async for _ in call.desk.pages(run_id):
            pass


async def _found(call: Call, asked: bodies.ThreadSearch) -> list[tuple[FoundThread, Holding | None]]:
    """Return the threads of a search; with what they hold where that was looked at.

    Raises:
        InvalidInput: It looks for values in too many threads.
    """

    async def read(limit: int, offset: int) -> list[FoundThread]:
        return await call.desk.lookup.threads(
            thread_ids=asked.ids,
            metadata=asked.metadata,
            status=asked.status,
            sort_by="updated_at" if asked.sort_by == "state_updated_at" else asked.sort_by,
            ascending=asked.sort_order == "asc",
            limit=limit,
            offset=offset,
        )

    if not asked.values:
        return [(one, None) for one in await read(asked.limit, asked.offset)]
    found: list[tuple[FoundThread, Holding | None]] = []
    at, wanted = 0, asked.offset + asked.limit
    while len(found) < wanted and (some := await read(SEARCHED_AT_ONCE, at)):
        at += len(some)
        if at > MAX_SEARCHED:
            raise InvalidInput(
                f"More than {MAX_SEARCHED} threads would have to be looked into for these values: narrow the search "
                "down by metadata, status or ids."
            )
        for one in some:
            holding = await call.desk.states.holding(one.thread_id)
            if _holds(holding.values, asked.values):
                found.append((one, holding))
    return found[asked.offset : wanted]


def _holds(values: Any, wanted: Any) -> bool:
    """Say whether plain JSON has what is wanted: every name of an object, every item of a list."""
    if isinstance(wanted, dict):
        items: list[tuple[Any, Any]] = list(wanted.items())
        return isinstance(values, dict) and all(k in values and _holds(values[k], v) for k, v in items)
    if isinstance(wanted, list):
        parts: list[Any] = wanted
        held: list[Any] = values if isinstance(values, list) else []
        return isinstance(values, list) and all(any(_holds(one, part) for one in held) for part in parts)
    return type(values) is type(wanted) and values == wanted


async def _shown(call: Call, thread_id: str) -> Json:
    found = await call.desk.lookup.thread(thread_id)
    if found is None:
        raise missing("Thread", thread_id)
    return thread(found, await call.desk.states.holding(thread_id))


async def _state(call: Call, place: Json, *, subgraphs: bool) -> Json:
    from motet.runs.threads.states import empty  # noqa: PLC0415  # LangGraph is loaded when a state is looked at

    found = await thread_of(call)
    graph = found.graph or str(found.metadata.get("graph_id", ""))
    if graph not in call.desk.graphs():
        return empty()
    return await call.desk.states.state(graph, found.thread_id, place, subgraphs=subgraphs)


async def _history(call: Call, found: FoundThread, place: Json, **how: Any) -> list[Json]:
    graph = found.graph or str(found.metadata.get("graph_id", ""))
    if graph not in call.desk.graphs():
        return []
    return await call.desk.states.history(graph, found.thread_id, place, **how)


async def _write(
    call: Call, steps: Sequence[Sequence[bodies.StateWriteBody]], graph: str, thread_id: str, place: Json
) -> Json:
    """Write a state by a run of its own, and return the checkpoint that came of it.

    Raises:
        UserError: The graph refuses the write.
        Conflict: A run of the thread has not ended.
    """
    request = decode_update(steps, graph=graph, thread_id=thread_id, place=place)
    accepted = await call.desk.submit(request)
    async for page_ in call.desk.pages(accepted.run_id):
        for recorded in page_:
            if isinstance(recorded.event, events.RunCompleted):
                return recorded.event.output["checkpoint"]
            if isinstance(recorded.event, events.RunFailed):
                words = str(recorded.event.error["message"])
                raise UserError(words.partition(": ")[2] or words)
    raise UserError(f"The write to thread {thread_id} was stopped.")


def _ttl_s(ttl: bodies.ThreadTtl | float | None) -> float | None:
    """Return seconds; this wire counts minutes."""
    if ttl is None:
        return None
    return (ttl.ttl if isinstance(ttl, bodies.ThreadTtl) else ttl) * 60


_STEP = re.compile(r"([^.\[\]]+)|\[(-?[0-9]{1,9})\]")


def _extract(whole: Json, path: str) -> Any:
    """Return what stands at a path like `values.messages[-1].content`; None where nothing does.

    Raises:
        InvalidInput: It is no path.
    """
    steps = _STEP.findall(path)
    if "".join(name or f"[{index}]" for name, index in steps) != path.replace(".", ""):
        raise InvalidInput(f"'{path[:100]}' is no path: write it like values.messages[-1].content.")
    found: Any = whole
    for name, index in steps:
        try:
            found = found[name] if name else found[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    return found


def _pick(one: Json, wanted: Sequence[str] | None) -> Json:
    """Return the fields of a state that were asked for; `values.NAME` is one name of its values."""
    if wanted is None:
        return one
    names = {name.partition(".")[0] for name in wanted}
    kept = selected(one, sorted(names), STATE_FIELDS)
    inner = [name.partition(".")[2] for name in wanted if name.startswith("values.")]
    if inner and "values" not in wanted:
        kept["values"] = {name: one["values"].get(name) for name in inner if name in one["values"]}
    return kept | {"checkpoint": one["checkpoint"]}
