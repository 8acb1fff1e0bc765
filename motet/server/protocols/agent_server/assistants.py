"""Assistants: listed, made, changed in versions, drawn.

What does not live here: what their settings do to a run (`decode`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from motet.errors import InvalidInput, UserError
from motet.runs.assistants import Said
from motet.server.protocols.agent_server import bodies
from motet.server.protocols.agent_server.shapes import answer, assistant, identity, page, selected

if TYPE_CHECKING:
    from motet.runs.assistants import AssistantRecord
    from motet.server.call import Call

FIELDS = frozenset(
    {
        "assistant_id",
        "graph_id",
        "name",
        "description",
        "config",
        "context",
        "created_at",
        "updated_at",
        "metadata",
        "version",
    }
)

_UUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


async def assistant_of(call: Call, name: str) -> AssistantRecord:
    """Return the assistant that a run names: by its id, or the graph's own by the graph's name.

    Raises:
        InvalidInput: It is neither.
        NotFound: There is none of this id.
    """
    graphs = call.desk.graphs()
    if name not in graphs and not _UUID.fullmatch(name):
        known = ", ".join(graphs)
        raise InvalidInput(
            f"Invalid assistant: '{name[:100]}'. It must be the UUID of an assistant, or one of the graphs: {known}"
        )
    return await call.desk.assistants.find(name)


async def search(call: Call) -> Response:
    """List assistants."""
    asked = await call.read(bodies.AssistantSearch)
    selected({}, asked.select, FIELDS)
    found = await call.desk.assistants.search(
        graph=asked.graph_id,
        name=asked.name,
        metadata=asked.metadata,
        sort_by=asked.sort_by,
        ascending=asked.sort_order == "asc",
        limit=asked.limit,
        offset=asked.offset,
    )
    shown = [selected(assistant(one), asked.select, FIELDS) for one in found]
    return answer(shown, headers=page(found, asked.limit, asked.offset))


async def count(call: Call) -> Response:
    """Count assistants."""
    asked = await call.read(bodies.Count)
    return answer(
        await call.desk.assistants.count(graph=asked.graph_id, name=asked.name, metadata=asked.metadata)
    )


async def create(call: Call) -> Response:
    """Make one."""
    asked = await call.read(bodies.AssistantBody)
    made = await call.desk.assistants.create(
        asked.graph_id, _said(asked), assistant_id=asked.assistant_id, keep=asked.if_exists == "do_nothing"
    )
    return answer(assistant(made))


async def get(call: Call) -> Response:
    """Look at one."""
    return answer(assistant(await call.desk.assistants.get(identity(call, "assistant_id"))))


async def update(call: Call) -> Response:
    """Say something new about one, as a new version."""
    assistant_id, asked = identity(call, "assistant_id"), await call.read(bodies.AssistantPatch)
    return answer(assistant(await call.desk.assistants.update(assistant_id, _said(asked))))


async def delete(call: Call) -> Response:
    """Delete one; with `delete_threads`, also the threads that were begun with it."""
    assistant_id = identity(call, "assistant_id")
    await call.desk.assistants.delete(assistant_id)
    if call.query("delete_threads").lower() in ("true", "1"):
        while found := await call.desk.lookup.threads(metadata={"assistant_id": assistant_id}, limit=100):
            for thread in found:
                await call.desk.threads.delete(thread.thread_id)
    return Response(status_code=204)


async def versions(call: Call) -> Response:
    """List one's versions."""
    assistant_id, asked = identity(call, "assistant_id"), await call.read(bodies.VersionSearch)
    found = await call.desk.assistants.versions(
        assistant_id, metadata=asked.metadata, limit=asked.limit, offset=asked.offset
    )
    return answer([assistant(one, version=True) for one in found])


async def latest(call: Call) -> Response:
    """Have another version count."""
    assistant_id, asked = identity(call, "assistant_id"), await call.read(bodies.LatestBody)
    return answer(assistant(await call.desk.assistants.set_latest(assistant_id, asked.version)))


async def graph(call: Call) -> Response:
    """Draw one's graph."""
    from motet.runs.drawing import drawing  # noqa: PLC0415  # LangGraph is loaded when somebody draws

    compiled = await call.desk.graph((await _named(call)).graph)
    raw = call.query("xray", "false").lower()
    if raw not in ("true", "false") and not re.fullmatch(r"[1-9][0-9]?", raw):
        raise InvalidInput(f"xray is {raw[:40]!r}; true, false or a number of levels was expected.")
    return answer(await drawing(compiled, xray=int(raw) if raw.isdigit() else raw == "true"))


async def schemas(call: Call) -> Response:
    """Return the schemas of one's graph."""
    from motet.runs.drawing import schemas as schemas_of  # noqa: PLC0415

    name = (await _named(call)).graph
    return answer({"graph_id": name, **schemas_of(await call.desk.graph(name))})


async def subgraphs(call: Call) -> Response:
    """Return the schemas of the graphs within one's graph."""
    from motet.runs.drawing import inner_schemas  # noqa: PLC0415

    compiled = await call.desk.graph((await _named(call)).graph)
    namespace: Any = call.request.path_params.get("namespace")
    recurse = call.query("recurse").lower() in ("true", "1")
    return answer(await inner_schemas(compiled, namespace=namespace, recurse=recurse))


async def _named(call: Call) -> AssistantRecord:
    """Return the assistant of the path, which may be a graph's name: `RemoteGraph` knows no more."""
    name = str(call.request.path_params["assistant_id"])
    if name in call.desk.graphs():
        return await call.desk.assistants.find(name)
    return await call.desk.assistants.get(identity(call, "assistant_id"))


def _said(asked: bodies.AssistantBody | bodies.AssistantPatch) -> Said:
    given, context = asked.config, asked.context
    config = None if given is None else given.model_dump(exclude_unset=True)
    if given is not None and given.configurable and context:
        raise UserError("An assistant has either config.configurable or context, and not both.")
    # What a graph reads from one it may read from the other: both say the same, as on LangGraph's own server.
    if context:
        config = {**(config or {}), "configurable": context}
    elif given is not None and given.configurable:
        context = given.configurable
    return Said(
        graph=asked.graph_id,
        name=asked.name,
        description=asked.description,
        config=config,
        context=context,
        metadata=asked.metadata,
    )
