"""A task's inputs: read from words, filled with defaults, checked against their JSON Schemas.

What does not live here: where the words come from (the doors).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, did_you_mean
from motet.models.json_text import schema_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motet.tasks.spec import Task

_MAX_FILE_BYTES = 4 * 1024 * 1024
_JSON_TYPES = ("integer", "number", "boolean", "array", "object", "null")


def complete(task: Task, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's inputs: what is given, and defaults for the rest, in the file's order.

    Raises:
        InvalidInput: One is unknown, missing, or does not fit its schema.
    """
    for name in given:
        if name not in task.inputs:
            raise InvalidInput(
                f"{task.name} has no input '{name}'.{did_you_mean(name, task.inputs)}", input=name
            )
    made: dict[str, Any] = {}
    for name, schema in task.inputs.items():
        if name not in given and "default" not in schema:
            about = f" ({schema['description']})" if schema.get("description") else ""
            raise InvalidInput(f"{task.name} needs the input '{name}'{about}: -i {name}=…", input=name)
        value = given.get(name, schema.get("default"))
        wrong = schema_problem(value, schema)
        if wrong:
            raise InvalidInput(f"Input '{name}' does not fit: {wrong}.", input=name)
        made[name] = value
    return made


def read_pairs(task: Task, pairs: Sequence[str], *, folder: Path) -> dict[str, Any]:
    """Read `key=value` words; `key=@FILE` takes the file's text, `key=@@…` is a text that begins with `@`.

    A value for an input that is no text is read as JSON. A name that is given several times makes a list. Paths
    (inputs of `format: path`) begin in `folder`.

    Raises:
        InvalidInput: A word has no `=`, an input is unknown, a value is no JSON, or a file cannot be read.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InvalidInput(f"'{pair}' is no input: write -i NAME=VALUE, or NAME=@FILE.")
        if name not in task.inputs:
            raise InvalidInput(
                f"{task.name} has no input '{name}'.{did_you_mean(name, task.inputs)}", input=name
            )
        schema = task.inputs[name]
        value = _value(name, text, schema, folder)
        if schema.get("type") == "array" and not isinstance(value, list):
            found[name] = [*found.get(name, []), value]
        elif name in found:
            raise InvalidInput(f"Input '{name}' is given twice.", input=name)
        else:
            found[name] = value
    return found


def _value(name: str, text: str, schema: Mapping[str, Any], folder: Path) -> Any:
    if text.startswith("@@"):
        text = text[1:]
    elif text.startswith("@"):
        text = _file_text(name, text[1:], folder)
    kind = schema.get("type", "string")
    if kind == "string":
        return str(folder / Path(text).expanduser()) if schema.get("format") == "path" else text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        items: Any = schema.get("items") or {}
        if kind == "array" and items.get("type", "string") == "string":
            return text
        if kind in _JSON_TYPES:
            raise InvalidInput(
                f"Input '{name}' is '{text[:60]}'; expected {kind} as JSON.", input=name
            ) from None
        return text


def _file_text(name: str, path: str, folder: Path) -> str:
    file = folder / Path(path).expanduser()
    try:
        data = file.read_bytes()
        if len(data) > _MAX_FILE_BYTES:
            raise InvalidInput(f"Input '{name}': {path} has more than {_MAX_FILE_BYTES:,} bytes.", input=name)
        return data.decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput(f"Input '{name}': {path} cannot be read: {reason}.", input=name) from None
    except UnicodeDecodeError:
        raise InvalidInput(f"Input '{name}': {path} is not UTF-8 text.", input=name) from None


def read_json_file(path: Path) -> dict[str, Any]:
    """Read a file with one JSON object: a task's inputs by name.

    Raises:
        InvalidInput: It cannot be read, or holds something else; the message names the line.
    """
    try:
        value = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{path}:{error.lineno}: this is not JSON: {error.msg}.") from None
    except ValueError as error:
        raise InvalidInput(f"{path}: this is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise InvalidInput(f"{path}: expected one JSON object, with an input for each name.")
    return value
