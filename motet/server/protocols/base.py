"""The port of a wire: what a protocol brings so that the server can speak it.

What does not live here: who is asking (`server.auth`), and what happens to a request (`server.http`). A wire is one
file (or a folder, where it has many operations) with a `WIRE`, and one line in `PROTOCOLS`. It decodes its dialect
into a `RunRequest` (or a question to the desk), and encodes events and records; it imports no graph, no agent and no
other wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from motet.server.errors import problem_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.responses import Response

    from motet.server.call import Call
    from motet.server.desk import Desk
    from motet.server.errors import Problem

PROTOCOLS: dict[str, str] = {
    "system": "motet.server.protocols.system:WIRE",
    "motet": "motet.server.protocols.native.wire:WIRE",
    "openai": "motet.server.protocols.openai.wire:WIRE",
    "langserve": "motet.server.protocols.langserve.wire:WIRE",
    "agent_server": "motet.server.protocols.agent_server.wire:WIRE",
}
"""Known wires. `system` is always spoken; the setting `server.protocols` may leave out the others."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

Scope = Literal[
    "public",
    "graphs:read",
    "runs:read",
    "runs:write",
    "threads:read",
    "threads:write",
    "store:read",
    "store:write",
    "knowledge:read",
    "knowledge:write",
    "memory:read",
    "memory:write",
    "schedules:read",
    "schedules:write",
    "admin",
]
"""What a route needs of its caller. `public` needs no credential: only what tells nothing about anybody."""


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the authorisation table, and what answers it. Every route of the server is one."""

    method: Method
    path: str
    """From the root, with `{name}` for a segment that is an id or a name, `{name:path}` for the rest."""
    operation_id: str
    """Stable name in the OpenAPI document and in the metrics; no two routes share one."""
    scope: Scope
    endpoint: Callable[[Call], Awaitable[Response]]
    summary: str
    """One line for the OpenAPI document."""
    body: Mapping[str, Any] | type[Any] | None = None
    """What the request's body is: a pydantic model or a JSON Schema; None where there is none."""
    answer: Mapping[str, Any] | type[Any] | None = None
    """What a good answer's JSON is, likewise; None for any JSON."""
    status: int = 200
    """Status of a good answer."""
    media: str = "application/json"
    """Media type of a good answer; `text/event-stream` for streams alone."""
    errors: tuple[int, ...] = ()
    """Statuses of errors beside those that every route has (401, 403, 404, 408, 413, 422, 429, 500, 503)."""
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    """Query parameters that it reads, each with a line on what it is."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A protocol that the server speaks."""

    name: str
    title: str
    routes: Sequence[Route]
    error: Callable[[Problem], Response] = problem_response
    """The wire's own form of an error; RFC 9457's problem+json unless it has one."""
    webhook: Callable[[Desk, str], Awaitable[Any]] | None = None
    """What is sent to who asked on this wire to be told of a run's end; NotFound where the run is gone."""


def known_wires(names: Sequence[str]) -> list[Wire]:
    """Load wires by name, `system` first; every one where none is named.

    Raises:
        NotFound: No wire has a name.
    """
    from motet.errors import NotFound, did_you_mean  # noqa: PLC0415  # the table is read without it

    wires: list[Wire] = []
    for name in dict.fromkeys(["system", *(names or PROTOCOLS)]):
        if name not in PROTOCOLS:
            raise NotFound(f"Unknown protocol '{name}'.{did_you_mean(name, PROTOCOLS)}", protocol=name)
        module, _, attribute = PROTOCOLS[name].partition(":")
        wires.append(getattr(import_module(module), attribute))
    return wires
