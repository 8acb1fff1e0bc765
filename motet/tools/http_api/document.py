"""Reads an OpenAPI document (3.0 or 3.1) into operations: what each takes, and where it goes.

What does not live here: an operation and its requests (`operation`), schemas (`schema`), making the call (`tools`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from motet.errors import InvalidInput
from motet.tools.http_api.operation import Argument, Operation
from motet.tools.http_api.schema import Schemas, as_dict, as_list

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

METHODS = ("get", "head", "put", "delete", "post", "patch", "options")
MAX_DOCUMENT_BYTES = 5_000_000

_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_IN_PATH = re.compile(r"\{([^{}/]+)\}")
_OWN_HEADERS = frozenset({"accept", "content-type", "authorization", "host", "cookie", "content-length"})
"""Headers that no argument sets."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says."""

    server: str
    """Its first server; "" where it names none."""
    operations: list[Operation]


def load_document(path: Path, *, set_headers: Collection[str] = ()) -> Document:
    """Read a document; operations that need a body other than JSON are left out.

    Args:
        path: The file.
        set_headers: Headers that are sent with every call, and that no argument sets.

    Raises:
        InvalidInput: It cannot be read, or is no OpenAPI 3 document.
    """
    try:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise InvalidInput(f"{path} has more than {MAX_DOCUMENT_BYTES:,} bytes.", path=str(path))
        text = path.read_text("utf-8")
        raw: Any = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(f"The OpenAPI document {path} cannot be read: {error}", path=str(path)) from None
    if not isinstance(raw, dict) or not str(cast("dict[str, Any]", raw).get("openapi", "")).startswith("3."):
        raise InvalidInput(f"{path} is no OpenAPI document of version 3.0 or 3.1.", path=str(path))
    root = cast("dict[str, Any]", raw)
    own = _OWN_HEADERS | {name.lower() for name in set_headers}
    return Document(_server(root), list(_named_apart(_operations(root, own))))


def _server(root: dict[str, Any]) -> str:
    """Return the first server's address, its variables by their defaults."""
    first = as_dict(next(iter(as_list(root.get("servers"))), None))
    url = str(first.get("url", ""))
    for name, about in as_dict(first.get("variables")).items():
        url = url.replace("{" + str(name) + "}", str(as_dict(about).get("default", "")))
    return url


def _yaml(text: str) -> Any:
    from ruamel.yaml import YAML, YAMLError  # noqa: PLC0415  # most documents are JSON

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from None


def _operations(root: dict[str, Any], own: Collection[str]) -> Iterator[Operation]:
    for path, item in as_dict(root.get("paths")).items():
        shared = Schemas(root).follow(item)
        for method in METHODS:
            if isinstance(shared.get(method), dict):
                found = _Reader(Schemas(root), own).operation(str(path), method, shared[method], shared)
                if found is not None:
                    yield found


def _named_apart(operations: Iterator[Operation]) -> Iterator[Operation]:
    """Give each operation a name of its own."""
    taken: set[str] = set()
    for operation in operations:
        name = _apart(operation.name, taken)
        taken.add(name)
        yield operation if name == operation.name else replace(operation, name=name)


class _Reader:
    """Reads one operation."""

    def __init__(self, schemas: Schemas, own_headers: Collection[str]) -> None:
        self._schemas = schemas
        self._own_headers = own_headers
        self._properties: dict[str, Any] = {}
        self._places: dict[str, Argument] = {}
        self._required: list[str] = []

    def operation(
        self, path: str, method: str, given: dict[str, Any], shared: dict[str, Any]
    ) -> Operation | None:
        """Return the operation; None for one that cannot be called."""
        self._read_parameters([*as_list(shared.get("parameters")), *as_list(given.get("parameters"))], path)
        body = self._schemas.follow(given.get("requestBody"))
        body_type = self._read_body(body)
        if body.get("required") and not body_type:
            return None
        operation_id = str(given.get("operationId") or "")
        by_place = f"{method}_{plain(path)}".strip("_")
        told = given.get("summary") or given.get("description") or operation_id or f"{method.upper()} {path}"
        schema = {"type": "object", "properties": self._properties, "required": self._required}
        return Operation(
            plain(operation_id) or by_place,
            operation_id,
            method.upper(),
            path,
            str(told).strip()[:500],
            {**schema, "additionalProperties": False},
            self._places,
            body_type,
            bool(body.get("required")),
        )

    def _read_parameters(self, given: list[Any], path: str) -> None:
        """Read parameters: an operation's own in place of the path's of the same name and place."""
        found = [self._schemas.follow(one) for one in given]
        by_name = {(one.get("in"), str(one.get("name", ""))): one for one in found if one}
        for name in _IN_PATH.findall(path):  # a document may forget to tell
            by_name.setdefault(("path", name), {"in": "path", "name": name, "schema": {"type": "string"}})
        for (place, name), parameter in by_name.items():
            if place not in ("path", "query", "header"):
                continue  # cookies are nobody's arguments
            if place == "header" and name.lower() in self._own_headers:
                continue
            as_json = next(iter(as_dict(parameter.get("content")).values()), None)
            schema = self._schemas.read(parameter.get("schema") if as_json is None else as_json.get("schema"))
            style = str(parameter.get("style", ""))
            explode = bool(parameter.get("explode", place == "query" and style in ("", "form", "deepObject")))
            where = Argument(place, name, style, explode, as_json is not None)
            needed = place == "path" or bool(parameter.get("required"))
            self._add(where, schema, parameter.get("description"), needed=needed)

    def _read_body(self, body: dict[str, Any]) -> str:
        """Read a body of JSON; return its media type, "" where there is none."""
        for told, about in as_dict(body.get("content")).items():
            kind = str(told).partition(";")[0].strip().lower()
            if kind != "application/json" and not kind.endswith(("+json", "/*")):
                continue
            schema = self._schemas.read(as_dict(about).get("schema"))
            needs = set(map(str, as_list(schema.get("required")))) if body.get("required") else set[str]()
            if named := as_dict(schema.get("properties")):
                for name, inner in named.items():
                    self._add(Argument("body", name), inner, None, needed=name in needs)
            else:
                self._add(Argument("body", ""), schema, None, needed=bool(body.get("required")))
            return "application/json" if kind.endswith("/*") else kind
        return ""

    def _add(self, where: Argument, schema: dict[str, Any], told: Any, *, needed: bool) -> None:
        key = plain(where.name) or where.place
        if key in self._properties and key != where.place:
            key = f"{where.place}_{key}"
        key = _apart(key, self._properties)
        words = str(told or schema.get("description") or "")[:300]
        if key != where.name and where.name and not where.name.isascii():  # nobody could tell it by its key
            words = f"{where.name}: {words}" if words else where.name
        self._properties[key] = {**schema, "description": words} if words else schema
        self._places[key] = where
        if needed:
            self._required.append(key)


def plain(name: str) -> str:
    """Return a name in letters, digits, `_` and `-`; "" where none of it can be written so."""
    return _ODD.sub("_", name).strip("_") if re.search("[A-Za-z0-9]", name) else ""


def _apart(name: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: with a number behind it."""
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found
