"""The OpenAPI document, made from the table of routes: what it says is what is served.

What does not live here: the table (`http.table`) and the page that shows the document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter

from motet.server.errors import TITLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from motet.server.protocols.base import Route, Wire

EVERYWHERE = (403, 408, 413, 422, 429, 431, 500, 503)
"""Statuses of errors that any route may answer with."""

PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "fields": {"type": "object"},
    },
    "required": ["type", "title", "status", "detail", "code", "request_id"],
}


def document(rows: Iterable[tuple[Wire, Route]], *, version: str, below: str = "") -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a table of routes, which are served below a prefix, or "" for none."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    for wire, route in rows:
        path = re.sub(r"\{(\w+):path\}", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(wire, route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Motet",
            "version": version,
            "description": "Agents behind several wires, over one log.",
        },
        "servers": [{"url": below or "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _operation(wire: Wire, route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Well"}
    if route.status != 204:
        good["content"] = {route.media: {"schema": _schema(route.answer, schemas)}}
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "tags": [wire.title],
        "responses": {str(route.status): good, **_errors(wire, route)},
        "security": [] if route.scope == "public" else [{"bearer": []}, {"key": []}, {}],
        "x-scope": route.scope,
    }
    parameters = [*_in_path(wire, route.path), *_in_query(route.query)]
    if route.media == "text/event-stream" and route.method == "GET":
        parameters.append({"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}})
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        schema = _schema(route.body, schemas)
        media = "application/octet-stream" if schema.get("format") == "binary" else "application/json"
        operation["requestBody"] = {"required": True, "content": {media: {"schema": schema}}}
    return operation


def _errors(wire: Wire, route: Route) -> dict[str, Any]:
    # What a wire of others is told has that wire's form; only Motet's own is drawn here.
    own = wire.name in ("motet", "system")
    form = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    content = {"content": form} if own else {}
    statuses = {*EVERYWHERE, *route.errors, 400, *([] if route.scope == "public" else [401, 404])}
    statuses |= {404} if "{" in route.path else set()
    statuses |= {502, 507} if route.scope == "runs:write" else set()
    return {
        str(status): {"description": TITLES.get(status, "Error"), **content} for status in sorted(statuses)
    }


def _in_path(wire: Wire, path: str) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)(?::path)?\}", path)
    return [{"name": name, "in": "path", "required": True, "schema": _segment(wire, name)} for name in names]


def _segment(wire: Wire, name: str) -> dict[str, Any]:
    """Return what a segment of a path may be; an assistant may be named by its graph."""
    if wire.name == "agent_server" and name in ("thread_id", "run_id", "cron_id"):
        return {"type": "string", "format": "uuid"}
    return {"type": "string", "minLength": 1, "maxLength": 128}


def _in_query(query: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "description": what, "schema": {"type": "string"}}
        for name, what in query.items()
    ]


def _schema(shape: Mapping[str, Any] | type[Any] | None, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return a shape as a schema; what a model names goes to the components."""
    if shape is None:
        return {}
    if not isinstance(shape, type):
        return dict(shape)
    made = TypeAdapter(shape).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(made.pop("$defs", {}))
    if issubclass(shape, BaseModel):
        schemas[shape.__name__] = made
        return {"$ref": f"#/components/schemas/{shape.__name__}"}
    return made
