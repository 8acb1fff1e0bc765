"""Schemas of an OpenAPI document as JSON Schema of a request: references put in, what only answers hold left out.

What does not live here: operations (`document`). References are followed inside the document alone.
"""

from __future__ import annotations

from typing import Any, cast

MAX_DEPTH = 12
"""How deep references are followed; what lies deeper may be anything."""
MAX_PARTS = 500
"""Parts of the schemas of one operation: each is part of every prompt. What comes after may be anything."""

_TOLD = ("example", "examples", "xml", "externalDocs", "discriminator", "$ref", "readOnly", "writeOnly")
"""What is of no use in a request's schema."""


class Schemas:
    """Puts the schemas of one operation together."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._left = MAX_PARTS

    def read(self, given: Any, within: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return a schema with its references put in.

        One that is inside of itself may be anything of its type there, and so may what is too deep or too much.
        """
        references, found = self._follow(given)
        self._left -= 1
        if self._left < 0 or len(within) >= MAX_DEPTH or (references and references[-1] in within):
            return {"type": found["type"]} if isinstance(found.get("type"), str) else {}
        inside = (*within, references[-1] if references else "")
        made = {key: self._part(key, value, inside) for key, value in found.items() if key not in _TOLD}
        _without_answers(made, found.get("properties"), self)
        return _of_3_1(made)

    def follow(self, given: Any) -> dict[str, Any]:
        """Return what a reference leads to, or the thing itself; {} for nothing."""
        return self._follow(given)[1]

    def _part(self, key: str, value: Any, within: tuple[str, ...]) -> Any:
        if key in ("properties", "patternProperties"):
            return {
                str(name): self.read(inner, within)
                for name, inner in as_dict(value).items()
                if self.follow(inner).get("readOnly") is not True
            }
        if key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            return self.read(value, within)
        if key in ("allOf", "anyOf", "oneOf"):
            return [self.read(inner, within) for inner in as_list(value)]
        return value

    def _follow(self, given: Any) -> tuple[list[str], dict[str, Any]]:
        """Return the references on the way, and what is at its end with what stood beside them."""
        references: list[str] = []
        beside: dict[str, Any] = {}
        while isinstance(reference := as_dict(given).get("$ref"), str):
            if len(references) >= MAX_DEPTH or not reference.startswith("#/"):
                return references, {}
            references.append(reference)
            beside = {**{key: value for key, value in as_dict(given).items() if key != "$ref"}, **beside}
            given = self._root
            for part in reference[2:].split("/"):
                given = as_dict(given).get(part.replace("~1", "/").replace("~0", "~"))
        return references, {**as_dict(given), **beside}


def _without_answers(made: dict[str, Any], properties: Any, schemas: Schemas) -> None:
    """Do not ask for what only answers hold."""
    answers = {
        str(name)
        for name, inner in as_dict(properties).items()
        if schemas.follow(inner).get("readOnly") is True
    }
    if answers and isinstance(made.get("required"), list):
        made["required"] = [name for name in made["required"] if name not in answers]


def _of_3_1(made: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of OpenAPI 3.0 as 3.1 says it."""
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(made.get(exclusive), bool) and made.pop(exclusive) and limit in made:
            made[exclusive] = made.pop(limit)
    if made.pop("nullable", False):
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
            if isinstance(made.get("enum"), list) and None not in made["enum"]:
                made["enum"] = [*made["enum"], None]
        elif made and "type" not in made:
            return {"anyOf": [made, {"type": "null"}]}
    return made


def as_dict(value: Any) -> dict[str, Any]:
    """Return a mapping as it is; {} for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list as it is; [] for anything else."""
    return cast("list[Any]", value) if isinstance(value, list) else []
