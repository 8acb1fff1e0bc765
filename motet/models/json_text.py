"""JSON that a model wrote: found in its text, checked against a schema.

What does not live here: asking the model again (`structured`, `schema_tools`).
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, UnknownType, best_match
from referencing.exceptions import Unresolvable
from referencing.jsonschema import EMPTY_REGISTRY

_FENCE = re.compile(r"```[\w-]*\s*\n?(.*?)(?:```|\Z)", re.DOTALL)
_MAX_CHARS = 400_000
_MAX_STARTS = 64
_NOISE = ("title", "default", "examples", "$schema")


def find_json(text: str) -> Any:
    """Return the JSON object or array in a text: the whole of it, a fenced block, or the first one in the prose.

    Raises:
        ValueError: There is none, or it is nested too deeply to be read.
    """
    text = text[:_MAX_CHARS].strip()
    decoder = json.JSONDecoder(strict=False)
    for candidate in (text, *(block.strip() for block in _FENCE.findall(text))):
        try:
            value = decoder.decode(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, (dict, list)):
            return cast("Any", value)
    return _first_inside(text, decoder)


def _first_inside(text: str, decoder: json.JSONDecoder) -> Any:
    starts = [match.start() for match in re.finditer(r"[{\[]", text)]
    for start in starts[:_MAX_STARTS]:
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) or (isinstance(value, list) and value):
            return cast("Any", value)
    raise ValueError("no JSON object was found")


def schema_problem(value: Any, schema: dict[str, Any]) -> str:
    """Return what is wrong with a value by a JSON schema, in one short line; "" when nothing is.

    A schema that is itself invalid, or refers to another document, is not the value's fault: "". Nothing is fetched.
    """
    try:
        error = best_match(Draft202012Validator(schema, registry=EMPTY_REGISTRY).iter_errors(value))
    except (SchemaError, UnknownType, Unresolvable, RecursionError, re.error):
        return ""
    if error is None:
        return ""
    path = ".".join(str(part) for part in error.absolute_path)
    return f"{path}: {error.message}"[:300] if path else str(error.message)[:300]


def strict_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a JSON schema in the form that servers enforce.

    Every object is closed, every property required (an optional one may be null or its default), and titles,
    defaults and examples are left out. Source: OpenAI, structured outputs, "supported schemas".
    """
    return cast("dict[str, Any]", _strict(schema))


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    mapping = cast("dict[str, Any]", node)
    found: dict[str, Any] = {}
    for key, value in mapping.items():
        if key in ("properties", "$defs"):
            found[key] = {name: _strict(inner) for name, inner in value.items()}
        elif key not in _NOISE:
            found[key] = value if key in ("enum", "const", "required") else _strict(value)
    if isinstance(found.get("properties"), dict):
        found["required"] = list(found["properties"])
        found["additionalProperties"] = False
    return found
