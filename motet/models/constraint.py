"""How servers are asked to enforce a JSON schema: each has its own way, and the best that works is found by probing.

What does not live here: the probing (`probe`), and models that enforce none (`structured`, `schema_tools`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from motet.models.base import JsonBy


def constrained(response_format: dict[str, Any], by: JsonBy | None) -> dict[str, Any]:
    """Return the fields of a request body that ask for a schema; {} when nothing enforces one.

    Args:
        response_format: OpenAI's form, `{"type": "json_schema", "json_schema": {"schema": …}}`; other types go as
            they are.
        by: What the server understands.
    """
    schema = (response_format.get("json_schema") or {}).get("schema")
    if schema is None or by == "response_format":
        return {"response_format": response_format}
    return WAYS[by](schema) if by else {}


WAYS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "guided_json": lambda schema: {"guided_json": schema},
    "structured_outputs": lambda schema: {"structured_outputs": {"json": schema}},
    "tgi": lambda schema: {"response_format": {"type": "json", "value": schema}},
    "grammar": lambda schema: {"grammar": grammar_of(schema)},
}
"""Ways other than OpenAI's, in the order in which they are tried: older and newer vLLM, TGI, llama.cpp's grammars."""

_BASE = {
    "string": r'"\"" ( [^"\\\x7F\x00-\x1F] | "\\" ( ["\\/bfnrt] | "u" [0-9a-fA-F]{4} ) )* "\""',
    "integer": '"-"? ( "0" | [1-9] [0-9]{0,15} )',
    "number": '"-"? ( "0" | [1-9] [0-9]{0,15} ) ( "." [0-9]{1,16} )? ( [eE] [-+]? [0-9]{1,3} )?',
    "boolean": '( "true" | "false" )',
    "null": '"null"',
    "value": "( object | array | string | number | boolean | null )",
    "object": '"{" ws ( string ":" ws value ( "," ws string ":" ws value )* )? "}"',
    "array": '"[" ws ( value ( "," ws value )* )? "]"',
    "ws": '" "?',
}
"""Rules that every grammar has."""


def grammar_of(schema: dict[str, Any]) -> str:
    """Return a JSON schema as a GBNF grammar: objects with every property in order, arrays, enums, unions, references.

    What a grammar cannot say (patterns, ranges of numbers, lengths of texts) is left to the check afterwards.

    Source: llama.cpp, grammars/README.md.
    """
    writer = _Writer(schema)
    writer.rules["root"] = writer.write(schema)
    return "\n".join(f"{name} ::= {rule}" for name, rule in {**writer.rules, **_BASE}.items()) + "\n"


class _Writer:
    """Writes one schema; each `$ref` becomes a rule of its own."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.rules: dict[str, str] = {}
        self._definitions: dict[str, Any] = schema.get("$defs") or {}

    def write(self, schema: dict[str, Any]) -> str:
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]))
        if "const" in schema:
            return _literal(schema["const"])
        if "enum" in schema:
            return _any_of(_literal(value) for value in schema["enum"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return _any_of(self.write(option) for option in schema[key])
        kind = schema.get("type")
        if isinstance(kind, list):
            return _any_of(self.write({**schema, "type": one}) for one in cast("list[str]", kind))
        if kind == "object" and schema.get("properties"):
            return self._object(schema["properties"])
        if kind == "array":
            return self._array(schema)
        return str(kind) if kind in _BASE else "value"

    def _reference(self, target: str) -> str:
        name = target.rpartition("/")[2]
        rule = "def-" + re.sub(r"[^a-zA-Z0-9]", "-", name)
        if rule not in self.rules:
            self.rules[rule] = ""  # first, so that a schema that refers to itself ends
            self.rules[rule] = self.write(self._definitions.get(name) or {})
        return rule

    def _object(self, properties: dict[str, Any]) -> str:
        parts = [f'{_literal(name)} ":" ws {self.write(inner)}' for name, inner in properties.items()]
        return '"{" ws ' + ' "," ws '.join(parts) + ' ws "}"'

    def _array(self, schema: dict[str, Any]) -> str:
        item = self.write(schema.get("items") or {})
        least, most = int(schema.get("minItems") or 0), schema.get("maxItems")
        if most == 0:
            return '"[" ws "]"'
        further = f"{{{max(least - 1, 0)},{int(most) - 1 if most is not None else ''}}}"
        inner = f'( {item} ) ( "," ws ( {item} ) ){further}'
        return f'"[" ws {inner} ws "]"' if least else f'"[" ws ( {inner} )? ws "]"'


def _any_of(options: Any) -> str:
    return "( " + " | ".join(options) + " )"


def _literal(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
