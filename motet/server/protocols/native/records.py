"""Threads, graphs and memories on Motet's own wire.

What does not live here: runs (`runs`) and documents (`knowledge`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from motet.errors import InvalidInput
from motet.runs import shapes
from motet.runs.request import ThreadRecord
from motet.server.plain import PlainAnswer
from motet.server.protocols.base import Route

if TYPE_CHECKING:
    from motet.server.call import Call

PREFIX = "/motet/v1"
MAX_QUERY_CHARS = 8000
LIMIT = {"limit": "At most so many, 1 to 1000"}


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AskedFork(_Asked):
    """Where a thread is forked, and what the new one is called."""

    at: str | None = Field(default=None, max_length=64)
    """Number of a turn, or a checkpoint's id; now unless given."""
    title: str | None = Field(default=None, max_length=200)


class Waiting(BaseModel):
    """What a thread waits for an answer to."""

    interrupt_id: str
    value: Any
    response_schema: dict[str, Any] | None


async def list_threads(call: Call) -> Response:
    """Return threads, the one used last first."""
    limit, offset = call.number("limit", 50, least=1), call.number("offset", 0, most=10**9)
    tags = [tag for tag in call.query("tags").split(",") if tag]
    found = await call.desk.records.threads(limit=limit, offset=offset, tags=tags)
    return PlainAnswer([thread.model_dump(mode="json") for thread in found])


async def get_thread(call: Call) -> Response:
    """Return a thread, and what it waits for."""
    thread = await call.desk.thread(call.param("thread_id"))
    newest = await call.desk.records.runs(thread.thread_id, limit=1)
    asked = await call.desk.records.questions(newest[0]) if newest else []
    waits = [Waiting.model_validate(q, from_attributes=True).model_dump(mode="json") for q in asked]
    return PlainAnswer(thread.model_dump(mode="json") | {"waiting": waits})


async def thread_messages(call: Call) -> Response:
    """Return the newest messages of a thread, oldest first."""
    thread = await call.desk.thread(call.param("thread_id"))
    found = await call.desk.records.messages(thread.thread_id, limit=call.number("limit", 200, least=1))
    return PlainAnswer([message.model_dump(mode="json") for message in found])


async def fork_thread(call: Call) -> Response:
    """Make a new thread that holds what one held at a point."""
    thread = await call.desk.thread(call.param("thread_id"))
    asked = await call.read(AskedFork)
    made = await call.desk.threads.fork(thread.thread_id, at=asked.at, title=asked.title)
    where = {"Location": call.below(f"{PREFIX}/threads/{made.thread_id}")}
    return PlainAnswer(made.model_dump(mode="json"), 201, where)


async def delete_thread(call: Call) -> Response:
    """Delete a thread with its runs, events, transcript and checkpoints."""
    thread = await call.desk.thread(call.param("thread_id"))
    await call.desk.threads.delete(thread.thread_id)
    return Response(status_code=204)


async def search_messages(call: Call) -> Response:
    """Search every transcript, best first, in Chinese and English."""
    query = call.query("q")
    if len(query) > MAX_QUERY_CHARS:
        raise InvalidInput(f"q has {len(query)} characters; at most {MAX_QUERY_CHARS} are taken.")
    found = await call.desk.records.search(query, limit=call.number("limit", 20, least=1))
    rows = [{"thread": t.model_dump(mode="json"), "message": m.model_dump(mode="json")} for t, m in found]
    return PlainAnswer(rows)


async def list_graphs(call: Call) -> Response:
    """Return every graph, and what it is good for."""
    return PlainAnswer([{"name": n, "description": d} for n, d in call.desk.graphs().items()])


async def get_graph(call: Call) -> Response:
    """Return a graph with the JSON Schemas of its input and output."""
    name = call.param("graph")
    graph = await call.desk.graph(name)
    schemas = {"input_schema": shapes.input_schema(graph), "output_schema": shapes.output_schema(graph)}
    return PlainAnswer({"name": name, "description": call.desk.graphs()[name], **schemas})


async def list_memories(call: Call) -> Response:
    """Return what agents remember: nearest to `q` first, or all, the newest first."""
    query = call.query("q")
    if len(query) > MAX_QUERY_CHARS:
        raise InvalidInput(f"q has {len(query)} characters; at most {MAX_QUERY_CHARS} are taken.")
    return PlainAnswer(await call.desk.library.memories(query, call.number("limit", 50, least=1)))


async def forget_memory(call: Call) -> Response:
    """Forget a memory for good, every version."""
    await call.desk.library.forget(call.param("memory_id"))
    return Response(status_code=204)


THREADS = f"{PREFIX}/threads"
THREAD = f"{THREADS}/{{thread_id}}"

ROUTES = (
    Route(
        "GET", THREADS, "threads.list", "threads:read", list_threads, "List threads",
        query={**LIMIT, "offset": "Leave out so many", "tags": "Only those with all of these tags, with commas"},
    ),
    Route("GET", THREAD, "threads.get", "threads:read", get_thread, "Look at a thread", answer=ThreadRecord),
    Route(
        "GET", f"{THREAD}/messages", "threads.messages", "threads:read", thread_messages,
        "Read a thread's messages", query=LIMIT,
    ),
    Route(
        "POST", f"{THREAD}/fork", "threads.fork", "threads:write", fork_thread, "Fork a thread",
        body=AskedFork, answer=ThreadRecord, status=201, errors=(409,),
    ),
    Route(
        "DELETE", THREAD, "threads.delete", "threads:write", delete_thread, "Delete a thread",
        status=204, errors=(409,),
    ),
    Route(
        "GET", f"{PREFIX}/messages", "messages.search", "threads:read", search_messages,
        "Search every transcript", query={**LIMIT, "q": "What is searched for"},
    ),
    Route("GET", f"{PREFIX}/graphs", "graphs.list", "graphs:read", list_graphs, "List graphs"),
    Route("GET", f"{PREFIX}/graphs/{{graph}}", "graphs.get", "graphs:read", get_graph, "Look at a graph"),
    Route(
        "GET", f"{PREFIX}/memories", "memories.list", "memory:read", list_memories, "List or search memories",
        query={**LIMIT, "q": "What is searched for"},
    ),
    Route(
        "DELETE", f"{PREFIX}/memories/{{memory_id}}", "memories.forget", "memory:write", forget_memory,
        "Forget a memory", status=204,
    ),
)  # fmt: skip
