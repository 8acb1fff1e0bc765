"""A task file's text: YAML 1.2 into plain values, each with the line it stands on.

What does not live here: which keys there may be (`spec`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

Place = tuple[str | int, ...]
"""Where a value stands: keys and, in lists, numbers from 0."""

MAX_BYTES = 1_000_000
"""Largest task file."""

_MAX_VALUES = 50_000
"""Most values of a file, those that aliases repeat counted each time."""
_PLAIN = "tag:yaml.org,2002:"
_TEXTS = {f"{_PLAIN}str", f"{_PLAIN}timestamp"}
_VALUES = {f"{_PLAIN}{kind}" for kind in ("int", "float", "bool", "null")}


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was read."""

    name: str
    """The file's name as it is shown."""
    data: Any
    """Plain JSON values."""
    lines: dict[Place, int] = field(default_factory=dict[Place, int], repr=False)

    def line(self, place: Place) -> int:
        """Return the line of a value, from 1; of the nearest one around it where there is none."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def where(self, place: Place) -> str:
        """Return `file:line`."""
        return f"{self.name}:{self.line(place)}"


def read_source(path: Path, *, name: str | None = None) -> Source:
    """Read a YAML file.

    Raises:
        InvalidInput: It cannot be read, is too large, or is not YAML; the message names the line.
    """
    shown = name or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{shown} cannot be read: {error.strerror or error}.", path=str(path)) from None
    if len(raw) > MAX_BYTES:
        raise InvalidInput(f"{shown} has more than {MAX_BYTES:,} bytes; a task file is smaller.", path=shown)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InvalidInput(f"{shown}:{line}: the file is not UTF-8. Save it as UTF-8.", path=shown) from None
    return parse_source(text, shown)


def parse_source(text: str, name: str) -> Source:
    """Read YAML text; see `read_source`."""
    from ruamel.yaml import YAML  # noqa: PLC0415  # only task files need it
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    reader = YAML(typ="safe", pure=True)
    try:
        root: Any = reader.compose(text)
    except MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        problem = " ".join(str(error.problem or error.context or "it cannot be read").split())
        raise InvalidInput(f"{name}:{line}: this is not YAML: {problem}.", path=name) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{name}: this is not YAML: {' '.join(str(error).split())}.", path=name) from None
    if root is None:
        raise InvalidInput(
            f"{name}:1: the file is empty. 'motet task init' writes one to begin with.", path=name
        )
    walker = _Walker(name, reader.constructor)
    return Source(name, walker.value(root, ()), walker.lines)


class _Walker:
    """Turns YAML's nodes into plain values and notes their lines."""

    def __init__(self, name: str, constructor: Any) -> None:
        self.lines: dict[Place, int] = {}
        self._name = name
        self._constructor = constructor
        self._open: list[int] = []

    def value(self, node: Any, place: Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if len(self.lines) > _MAX_VALUES or id(node) in self._open:
            raise self._refuse(node, f"more than {_MAX_VALUES:,} values, or an alias inside of itself")
        if node.id == "scalar":
            return self._scalar(node)
        self._open.append(id(node))
        made = self._mapping(node, place) if node.id == "mapping" else self._list(node, place)
        self._open.pop()
        return made

    def _list(self, node: Any, place: Place) -> list[Any]:
        self._expect(node, "seq")
        return [self.value(item, (*place, number)) for number, item in enumerate(node.value)]

    def _mapping(self, node: Any, place: Place) -> dict[str, Any]:
        self._expect(node, "map")
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar" or str(key_node.tag) not in _TEXTS | _VALUES:
                raise self._refuse(
                    key_node, f"a key must be plain text, not {str(key_node.tag)[len(_PLAIN) :]}"
                )
            key = str(key_node.value)
            if key in made:
                raise self._refuse(key_node, f"the key '{key}' stands twice")
            self.lines[(*place, key)] = key_node.start_mark.line + 1
            made[key] = self.value(value_node, (*place, key))
        return made

    def _scalar(self, node: Any) -> Any:
        tag = str(node.tag)
        if tag in _TEXTS:
            return str(node.value)
        if tag in _VALUES:
            try:
                value = self._constructor.construct_object(node)
            except ValueError as error:
                raise self._refuse(node, str(error)) from None
            if isinstance(value, float) and not math.isfinite(value):
                raise self._refuse(node, f"'{node.value}' is no number that can be written down")
            return value
        raise self._refuse(node, f"'{node.value}' has the tag {tag}, which a task file does not know")

    def _expect(self, node: Any, kind: str) -> None:
        if str(node.tag) != _PLAIN + kind:
            raise self._refuse(node, f"the tag {node.tag} is not known in a task file")

    def _refuse(self, node: Any, why: str) -> InvalidInput:
        return InvalidInput(f"{self._name}:{node.start_mark.line + 1}: {why}.", path=self._name)
