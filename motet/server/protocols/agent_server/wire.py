"""The routes of the Agent Server wire: its rows in the authorisation table.

What does not live here: what answers them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.server.protocols.agent_server import (
    assistants,
    bodies,
    crons,
    protocol,
    runs,
    store,
    system,
    thread_stream,
    threads,
)
from motet.server.protocols.agent_server.shapes import error
from motet.server.protocols.base import Route, Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

    from motet.server.call import Call
    from motet.server.protocols.base import Method, Scope

    Endpoint = Callable[[Call], Awaitable[Response]]

_GRAPHS, _READS, _RUNS = "graphs:read", "threads:read", "runs:write"


def _row(method: Method, path: str, name: str, scope: Scope, endpoint: Endpoint, **more: Any) -> Route:
    """Return a row of the table; what it does is said where it is done."""
    summary = (endpoint.__doc__ or "").strip().splitlines()[0].rstrip(".")
    return Route(method, path, f"agent_server.{name}", scope, endpoint, summary, **more)


def _streams(method: Method, path: str, name: str, scope: Scope, endpoint: Endpoint, **more: Any) -> Route:
    return _row(method, path, name, scope, endpoint, media="text/event-stream", **more)


_THREAD, _OF_RUN = "/threads/{thread_id}", "/threads/{thread_id}/runs/{run_id}"
_ASSISTANT = "/assistants/{assistant_id}"
_MODES = {"stream_mode": "A mode to show; may be repeated", "cancel_on_disconnect": "`true` stops the run"}
_WAITS = {"cancel_on_disconnect": "`true` stops the run when the client leaves"}
_CANCELS = {"action": "`interrupt` or `rollback`", "wait": "`true` answers when the run has ended"}

_SYSTEM = (
    _row("GET", "/ok", "ok", "public", system.ok),
    _row("GET", "/info", "info", "public", system.info),
)

_ASSISTANTS = (
    _row("POST", "/assistants", "assistants.create", "runs:write", assistants.create, body=bodies.AssistantBody),
    _row("POST", "/assistants/search", "assistants.search", _GRAPHS, assistants.search, body=bodies.AssistantSearch),
    _row("POST", "/assistants/count", "assistants.count", _GRAPHS, assistants.count, body=bodies.Count),
    _row("GET", _ASSISTANT, "assistants.get", _GRAPHS, assistants.get),
    _row("PATCH", _ASSISTANT, "assistants.update", "runs:write", assistants.update, body=bodies.AssistantPatch),
    _row("DELETE", _ASSISTANT, "assistants.delete", "threads:write", assistants.delete, status=204,
         query={"delete_threads": "`true` deletes the threads that were begun with it"}),
    _row("GET", f"{_ASSISTANT}/graph", "assistants.graph", _GRAPHS, assistants.graph,
         query={"xray": "`true`, or how many levels of graphs within the graph"}),
    _row("GET", f"{_ASSISTANT}/schemas", "assistants.schemas", _GRAPHS, assistants.schemas),
    _row("GET", f"{_ASSISTANT}/subgraphs", "assistants.subgraphs", _GRAPHS, assistants.subgraphs,
         query={"recurse": "`true` for those within them too"}),
    _row("GET", f"{_ASSISTANT}/subgraphs/{{namespace}}", "assistants.subgraph", _GRAPHS, assistants.subgraphs),
    _row("POST", f"{_ASSISTANT}/versions", "assistants.versions", _GRAPHS, assistants.versions,
         body=bodies.VersionSearch),
    _row("POST", f"{_ASSISTANT}/latest", "assistants.latest", "runs:write", assistants.latest,
         body=bodies.LatestBody),
)  # fmt: skip

_THREADS = (
    _row("POST", "/threads", "threads.create", "threads:write", threads.create, body=bodies.ThreadBody,
         errors=(409,)),
    _row("POST", "/threads/search", "threads.search", _READS, threads.search, body=bodies.ThreadSearch),
    _row("POST", "/threads/count", "threads.count", _READS, threads.count, body=bodies.ThreadCount),
    _row("POST", "/threads/prune", "threads.prune", "threads:write", threads.prune, body=bodies.PruneBody),
    _row("GET", _THREAD, "threads.get", _READS, threads.get),
    _row("PATCH", _THREAD, "threads.update", "threads:write", threads.update, body=bodies.ThreadPatch),
    _row("DELETE", _THREAD, "threads.delete", "threads:write", threads.delete, status=204, errors=(409,)),
    _row("POST", f"{_THREAD}/copy", "threads.copy", "threads:write", threads.copy, errors=(409,)),
    _row("GET", f"{_THREAD}/state", "threads.state", _READS, threads.state,
         query={"subgraphs": "`true` shows the states of graphs within the graph"}),
    _row("POST", f"{_THREAD}/state", "threads.update_state", "threads:write", threads.update_state,
         body=bodies.StateUpdate, errors=(400, 409)),
    _row("POST", f"{_THREAD}/state/checkpoint", "threads.state_at", _READS, threads.state_at,
         body=bodies.StateAt),
    _row("GET", f"{_THREAD}/state/{{checkpoint_id}}", "threads.state_of", _READS, threads.state),
    _streams("GET", f"{_THREAD}/stream", "threads.stream", "runs:read", thread_stream.stream,
             query={"stream_mode": "`run_modes` (all that is told), or `lifecycle`"}),
    _row("POST", f"{_THREAD}/commands", "threads.command", _RUNS, protocol.command, body=protocol.CommandBody,
         errors=(409, 410)),
    _streams("POST", f"{_THREAD}/stream/events", "threads.events", "runs:read", protocol.events,
             body=protocol.SubscribeBody),
    _row("POST", f"{_THREAD}/history", "threads.history", _READS, threads.history, body=bodies.HistoryBody),
    _row("GET", f"{_THREAD}/history", "threads.history_list", _READS, threads.history_list,
         query={"limit": "At most so many", "before": "Only states before this checkpoint"}),
)  # fmt: skip

_ON_THREADS = (
    _row("POST", f"{_THREAD}/runs/crons", "crons.create_on_thread", "schedules:write", crons.create_on_thread,
         body=bodies.CronBody),
    _row("POST", f"{_THREAD}/runs", "runs.create", _RUNS, runs.create, body=bodies.RunBody, errors=(400, 409, 410)),
    _row("GET", f"{_THREAD}/runs", "runs.list", "runs:read", runs.list_runs,
         query={"limit": "At most so many", "offset": "From here on", "status": "Only these", "select": "A field"}),
    _streams("POST", f"{_THREAD}/runs/stream", "runs.stream", _RUNS, runs.stream, body=bodies.RunBody,
             errors=(400, 409, 410)),
    _row("POST", f"{_THREAD}/runs/wait", "runs.wait", _RUNS, runs.wait, body=bodies.RunBody, errors=(400, 409, 410)),
    _row("GET", _OF_RUN, "runs.get", "runs:read", runs.get),
    _row("DELETE", _OF_RUN, "runs.delete", _RUNS, runs.delete, status=204, errors=(409,)),
    _row("POST", f"{_OF_RUN}/cancel", "runs.cancel", _RUNS, runs.cancel, status=202, query=_CANCELS),
    _row("GET", f"{_OF_RUN}/join", "runs.join", "runs:read", runs.join, query=_WAITS),
    _streams("GET", f"{_OF_RUN}/stream", "runs.join_stream", "runs:read", runs.join_stream, query=_MODES),
)  # fmt: skip

_BY_THEMSELVES = (
    _row("POST", "/runs/crons", "crons.create", "schedules:write", crons.create, body=bodies.CronBody),
    _row("POST", "/runs/crons/search", "crons.search", "schedules:read", crons.search, body=bodies.CronSearch),
    _row("POST", "/runs/crons/count", "crons.count", "schedules:read", crons.count, body=bodies.CronCount),
    _row("GET", "/runs/crons/{cron_id}", "crons.get", "schedules:read", crons.get),
    _row("PATCH", "/runs/crons/{cron_id}", "crons.update", "schedules:write", crons.update, body=bodies.CronPatch),
    _row("DELETE", "/runs/crons/{cron_id}", "crons.delete", "schedules:write", crons.delete, status=204),
    _row("POST", "/runs", "runs.create_stateless", _RUNS, runs.create_stateless, body=bodies.RunBody, errors=(400,)),
    _streams("POST", "/runs/stream", "runs.stream_stateless", _RUNS, runs.stream_stateless, body=bodies.RunBody,
             errors=(400,)),
    _row("POST", "/runs/wait", "runs.wait_stateless", _RUNS, runs.wait_stateless, body=bodies.RunBody, errors=(400,)),
    _row("POST", "/runs/batch", "runs.batch", _RUNS, runs.create_batch,
         body={"type": "array", "items": {"type": "object"}}, errors=(400, 409)),
    _row("POST", "/runs/cancel", "runs.cancel_many", _RUNS, runs.cancel_many, body=bodies.CancelBody, status=204,
         query={"action": "`interrupt` or `rollback`"}),
    _streams("GET", "/runs/{run_id}/stream", "runs.join_stream_stateless", "runs:read", runs.join_stream,
             query=_MODES),
)  # fmt: skip

_STORE = (
    _row("PUT", "/store/items", "store.put", "store:write", store.put, body=bodies.PutItem, status=204, errors=(400,)),
    _row("GET", "/store/items", "store.get", "store:read", store.get, errors=(400,),
         query={"namespace": "Labels, separated by dots", "key": "Which item", "refresh_ttl": "`true` or `false`"}),
    _row("DELETE", "/store/items", "store.delete", "store:write", store.delete, body=bodies.DeleteItem, status=204),
    _row("POST", "/store/items/search", "store.search", "store:read", store.search, body=bodies.SearchItems),
    _row("POST", "/store/namespaces", "store.namespaces", "store:read", store.namespaces, body=bodies.Namespaces),
)  # fmt: skip

WIRE = Wire(
    name="agent_server",
    title="LangGraph's Agent Server",
    routes=(*_SYSTEM, *_ASSISTANTS, *_THREADS, *_ON_THREADS, *_BY_THEMSELVES, *_STORE),
    error=error,
    webhook=runs.told,
)
