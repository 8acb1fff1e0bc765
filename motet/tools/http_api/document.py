"""Reads an OpenAPI document (3.0 or 3.1) into operations: what each takes, and how its request is put together.

What does not live here: making the call (`tools`). References are followed inside the document alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote, urlencode

from motet.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

METHODS = ("get", "head", "put", "delete", "post", "patch", "options")
MAX_DOCUMENT_BYTES = 5_000_000
MAX_DEPTH = 12
"""How deep references are followed; what lies deeper may be anything."""

_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_OWN_HEADERS = frozenset({"accept", "content-type", "authorization", "host", "cookie", "content-length"})
"""Headers that no argument sets."""

Place = Literal["path", "query", "header", "body"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as an agent is offered it."""

    name: str
    """Its id; the method and the path where it has none."""
    method: str
    """In capitals."""
    path: str
    """With `{names}`."""
    description: str
    schema: dict[str, Any]
    """JSON Schema of the arguments, all of them in one flat object."""
    places: Mapping[str, tuple[Place, str]] = field(default_factory=dict[str, tuple[Place, str]])
    """Where each argument goes, and what it is called there; "" for a body that is no object."""
    has_body: bool = False

    def request(self, base: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, str], bytes | None]:
        """Return the address, the headers and the body of a call.

        Raises:
            InvalidInput: An argument cannot stand where it goes.
        """
        path, headers = self.path, {"accept": "application/json"}
        query: list[tuple[str, str]] = []
        body: dict[str, Any] = {}
        whole: Any = None
        for name, value in arguments.items():
            place, there = self.places.get(name, ("", ""))
            if value is None or not place:
                continue
            if place == "path":
                path = path.replace("{" + there + "}", _segment(name, value))
            elif place == "query":
                query += [(there, _text(one)) for one in (_list(value) or [value])]
            elif place == "header":
                headers[there] = _header(name, value)
            elif there:
                body[there] = value
            else:
                whole = value
        url = base.rstrip("/") + path + ("?" + urlencode(query) if query else "")
        if not self.has_body:
            return url, headers, None
        headers["content-type"] = "application/json"
        content = body if whole is None else whole
        return url, headers, json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says."""

    server: str
    """Its first server; "" where it names none."""
    operations: list[Operation]


def load_document(path: Path) -> Document:
    """Read a document.

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
    servers = root.get("servers")
    first = cast("list[Any]", servers)[0] if isinstance(servers, list) and servers else {}
    return Document(str(_dict(first).get("url", "")), list(_operations(root)))


def _yaml(text: str) -> Any:
    from ruamel.yaml import YAML, YAMLError  # noqa: PLC0415  # most documents are JSON

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from None


def _operations(root: dict[str, Any]) -> Iterator[Operation]:
    for path, item in _dict(root.get("paths")).items():
        shared = _dict(_followed(root, item, 0))
        for method in METHODS:
            given = shared.get(method)
            if isinstance(given, dict):
                yield _operation(root, path, method, cast("dict[str, Any]", given), shared)


def _operation(
    root: dict[str, Any], path: str, method: str, given: dict[str, Any], shared: dict[str, Any]
) -> Operation:
    properties: dict[str, Any] = {}
    places: dict[str, tuple[Place, str]] = {}
    required: list[str] = []

    def add(name: str, place: Place, there: str, schema: Any, *, needed: bool) -> None:
        key = _ODD.sub("_", name) or "argument"
        if key in properties:
            key = f"{place}_{key}"
        properties[key] = schema
        places[key] = (place, there)
        if needed:
            required.append(key)

    for parameter in _parameters(root, [*_list(shared.get("parameters")), *_list(given.get("parameters"))]):
        place, name = _place(parameter)
        if place != "body":
            schema = {**_schema(root, parameter.get("schema", {}))}
            if parameter.get("description"):
                schema["description"] = str(parameter["description"])[:300]
            add(name, place, name, schema, needed=place == "path" or bool(parameter.get("required")))
    body = _dict(_followed(root, given.get("requestBody"), 0))
    content = _dict(_dict(body.get("content")).get("application/json"))
    if content:
        schema = _schema(root, content.get("schema", {}))
        if _dict(schema.get("properties")):
            needs = set(map(str, _list(schema.get("required")))) if body.get("required") else set[str]()
            for name, inner in _dict(schema["properties"]).items():
                add(name, "body", name, inner, needed=name in needs)
        else:
            add("body", "body", "", schema, needed=bool(body.get("required")))
    told = str(given.get("summary") or given.get("description") or f"{method.upper()} {path}").strip()
    return Operation(
        _ODD.sub("_", str(given.get("operationId") or f"{method}_{path.strip('/')}")).strip("_"),
        method.upper(),
        path,
        told[:500],
        {"type": "object", "properties": properties, "required": required, "additionalProperties": False},
        places,
        bool(content),
    )


def _place(parameter: dict[str, Any]) -> tuple[Place, str]:
    """Return where a parameter goes and its name; `body` for one that no argument sets, as a cookie."""
    name = str(parameter.get("name", ""))
    match parameter.get("in"):
        case "path":
            return "path", name
        case "query":
            return "query", name
        case "header" if name.lower() not in _OWN_HEADERS:
            return "header", name
        case _:
            return "body", name


def _parameters(root: dict[str, Any], given: list[Any]) -> list[dict[str, Any]]:
    """Return parameters, an operation's own in place of the path's of the same name and place."""
    found = [_dict(_followed(root, one, 0)) for one in given]
    return list({(one.get("in"), one.get("name")): one for one in found if one}.values())


def _schema(root: dict[str, Any], given: Any, depth: int = 0) -> dict[str, Any]:
    """Return a schema with its references put in; the same reference over and over ends as anything."""
    found = _dict(_followed(root, given, depth))
    if depth >= MAX_DEPTH:
        return {}
    made: dict[str, Any] = {}
    for key, value in found.items():
        if key in ("properties", "patternProperties"):
            made[key] = {str(name): _schema(root, inner, depth + 1) for name, inner in _dict(value).items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            made[key] = _schema(root, value, depth + 1)
        elif key in ("allOf", "anyOf", "oneOf"):
            made[key] = [_schema(root, inner, depth + 1) for inner in _list(value)]
        elif key not in ("example", "examples", "xml", "externalDocs", "discriminator", "$ref"):
            made[key] = value
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def _followed(root: dict[str, Any], given: Any, depth: int) -> Any:
    for _ in range(MAX_DEPTH - depth):
        reference = _dict(given).get("$ref")
        if not isinstance(reference, str):
            return given
        if not reference.startswith("#/"):
            return {}
        given = root
        for part in reference[2:].split("/"):
            given = _dict(given).get(part.replace("~1", "/").replace("~0", "~"))
    return {}


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _segment(name: str, value: Any) -> str:
    text = _text(value)
    if text.strip(". ") == "":
        raise InvalidInput(f"'{text}' cannot be the argument '{name}': it is part of the path.")
    return quote(text, safe="")


def _header(name: str, value: Any) -> str:
    text = _text(value)
    if not text.isascii() or not text.isprintable():
        raise InvalidInput(f"The argument '{name}' is a header: write printable ASCII.")
    return text
