"""Reads what LangServe's client sends: inputs of several forms, and configs, one of them packed into the path.

The packing is lz-string's `compressToEncodedURIComponent` (pieroxy, lz-string 1.5); only unpacking is needed here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from motet.errors import InvalidInput, UserError
from motet.runs.drive import Drive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from motet.runs.drive import RecordMode

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-$"
MAX_CONFIG_CHARS = 100_000
ROLES: Mapping[str, str] = {
    "human": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessageChunk": "system",
    "tool": "tool",
    "ToolMessageChunk": "tool",
}
KEPT = ("id", "name", "tool_calls", "tool_call_id")


class BadConfigHash(UserError):
    """The path's config hash does not unpack to a config."""

    code = "bad_config_hash"


def read_input(value: Any) -> dict[str, Any]:
    """Return a graph's input: a state as it is, a text or messages as one.

    Messages may be LangChain's objects as its client writes them, `{"role": …}`, or pairs of a role and a text.
    """
    if isinstance(value, dict) and "messages" in value:
        return value | {"messages": _messages(value["messages"])}
    if isinstance(value, dict) and not ("content" in value and ("type" in value or "role" in value)):
        return value
    if isinstance(value, str | list | dict):
        return {"messages": _messages(value)}
    raise InvalidInput(f"The input is {value!r}; an object, a text or a list of messages was expected.")


def _messages(value: Any) -> list[Any]:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value):
        value = [value]  # one pair of a role and a text
    return [_message(item) for item in (value if isinstance(value, list) else [value])]


def _message(item: Any) -> Any:
    if isinstance(item, str):
        return {"role": "user", "content": item}
    if isinstance(item, list) and len(item) == 2:
        return {"role": item[0], "content": item[1]}
    if isinstance(item, dict) and item.get("type") in ROLES and "role" not in item:
        kept = {name: item[name] for name in KEPT if item.get(name)}
        return {"role": ROLES[item["type"]], "content": item.get("content", ""), **kept}
    return item


def check_input(model: type[BaseModel], given: Mapping[str, Any]) -> None:
    """Refuse an input that is not of the form of a graph's; messages have more forms here, and the gate looks at them.

    Raises:
        InvalidInput: A field has a wrong type, or there is none; `fields["errors"]` says where.
    """
    try:
        model.model_validate({name: value for name, value in given.items() if name != "messages"})
    except ValidationError as error:
        wrong = [
            {"type": one["type"], "loc": list(one["loc"]), "msg": one["msg"]}
            for one in error.errors(include_url=False, include_context=False, include_input=False)
            if one["loc"][:1] != ("messages",)
        ]
        if wrong:
            where = ".".join(str(part) for part in wrong[0]["loc"])
            raise InvalidInput(f"{where or 'input'}: {wrong[0]['msg']}.", errors=wrong[:20]) from None
    except (TypeError, ValueError):
        return  # a message in another field, in a form that LangChain's union of messages does not know


def read_configurable(config: Any, packed: str | None) -> dict[str, Any]:
    """Return what a config sets: the path's, and over it the body's.

    Raises:
        BadConfigHash: What the path brings is no config.
        InvalidInput: What the body brings is none.
    """
    if config is not None and not isinstance(config, dict):
        raise InvalidInput("config: an object was expected.")
    merged: dict[str, Any] = {}
    for one in (unpack(packed) if packed else {}, config or {}):
        configurable = one.get("configurable") or {}
        if not isinstance(configurable, dict):
            raise InvalidInput("config.configurable: an object was expected.")
        merged |= configurable
    return merged


def drive_of(
    configurable: dict[str, Any], context_names: Sequence[str], *, record: Sequence[RecordMode]
) -> Drive:
    """Return how a graph is driven by a config: what names a field of the graph's context counts for the context.

    Of `configurable` the gate lets through what the settings name.
    """
    context = {name: configurable[name] for name in context_names if name in configurable}
    return Drive(configurable=configurable, context=context or None, record=list(record))


def unpack(packed: str) -> dict[str, Any]:
    """Return the config that a path's hash packs.

    Raises:
        BadConfigHash: It packs none.
    """
    try:
        config = json.loads(_Unpacker(packed.replace(" ", "+")).text())
    except (ValueError, IndexError, KeyError):
        config = None
    if not isinstance(config, dict):
        raise BadConfigHash("Invalid config hash")
    return config


class _Unpacker:
    """Unpacks one text, six bits a character, by lz-string's variant of LZ78."""

    def __init__(self, packed: str) -> None:
        self._values = [ALPHABET.index(char) for char in packed]
        self._at = 0

    def text(self) -> str:
        entries: list[str] = ["", "", ""]
        width, room = 3, 4
        code = self._bits(2)
        if code == 2:
            return ""
        entries.append(word := self._char(code))
        said = [word]
        length = len(word)
        while length <= MAX_CONFIG_CHARS:
            code = self._bits(width)
            if code == 2:
                return "".join(said)
            if code in (0, 1):
                entries.append(self._char(code))
                code = len(entries) - 1
                room -= 1
            if room == 0:
                room, width = 1 << width, width + 1
            entry = entries[code] if code < len(entries) else word + word[0]
            if code > len(entries):
                raise ValueError("an entry that is not there")
            said.append(entry)
            length += len(entry)
            entries.append(word + entry[0])
            word = entry
            room -= 1
            if room == 0:
                room, width = 1 << width, width + 1
        raise ValueError("too long")

    def _char(self, code: int) -> str:
        return chr(self._bits(8 if code == 0 else 16))

    def _bits(self, count: int) -> int:
        """Return the next bits as a number, the lowest first."""
        number = 0
        for power in range(count):
            value = self._values[self._at // 6]
            number |= ((value >> (5 - self._at % 6)) & 1) << power
            self._at += 1
        return number
