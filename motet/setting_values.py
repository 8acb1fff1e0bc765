"""Reads one setting's raw value, and one settings file.

What does not live here: which settings there are, and which layer wins (`settings`).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.errors import SettingInvalid, did_you_mean
from motet.secret import Secret, hide_password

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def parse_value(key: str, raw: Any, kind: type, origin: str) -> Any:
    """Turn a value of a file, a variable or a caller into `kind`.

    Raises:
        SettingInvalid: It is none; the message names the setting, where its value came from, and what was expected.
    """
    try:
        return _convert(raw, kind)
    except (ValueError, TypeError, KeyError, OverflowError, RuntimeError):  # `~name` may raise the last
        shown = "***" if kind is Secret else hide_password(str(raw))
        raise SettingInvalid(
            f"Setting {key} from {origin} is '{shown}': expected {_WORDS.get(kind, 'a path')}.", setting=key
        ) from None


def _convert(raw: Any, kind: type) -> Any:
    """Turn a value of a file, a variable or a caller into `kind`; nothing is rounded or made up."""
    if kind is bool:
        return _BOOLEANS[str(raw).lower()]
    if issubclass(kind, Path):
        return Path(raw).expanduser().absolute()
    if kind is Secret and isinstance(raw, Secret):
        return raw
    if isinstance(raw, bool | list | dict) or (kind is int and isinstance(raw, float)):
        raise TypeError
    if kind in (str, Secret):
        return kind(str(raw))
    value = kind(raw)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    return value


def parse_limits(text: str, names: Sequence[str]) -> dict[str, str]:
    """Return `{"tokens": "20000", "cost": "0.5"}` for `tokens=20000 cost=0.5`; commas may stand between them.

    Raises:
        SettingInvalid: A part has no `=`, an unknown name, or stands there twice.
    """
    found: dict[str, str] = {}
    for part in text.replace(",", " ").split():
        name, equals, value = part.partition("=")
        if name not in names or not equals or not value:
            raise SettingInvalid(f"'{part}' is no limit: write NAME=NUMBER.{did_you_mean(name, names)}")
        if name in found:
            raise SettingInvalid(f"'{name}' is there twice.")
        found[name] = value
    return found


_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Secret: "a text",
}

_BOOLEANS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def read_file(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield `(group.name, value)` for each line of a TOML file; nothing where there is no file.

    Raises:
        SettingInvalid: It cannot be read, or has another shape; the message names the file.
    """
    if not path.is_file():
        return
    import tomllib  # noqa: PLC0415  # most commands have no file to read

    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingInvalid(f"Settings file {path} cannot be read: {error}", path=str(path)) from None
    for group, fields in data.items():
        if not isinstance(fields, dict):
            raise SettingInvalid(f"Settings file {path}: '{group}' must be a table, like [models].")
        for name, value in fields.items():  # pyright: ignore[reportUnknownVariableType]
            yield f"{group}.{name}", value
