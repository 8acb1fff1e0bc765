"""Reads one setting's raw value, and the settings files.

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


def read_files(paths: Sequence[Path], profile: str) -> Iterator[tuple[str, Any, Path, str]]:
    """Yield `(group.name, value, file, where it stands)` for each line of TOML files, the strongest last.

    Args:
        paths: The files, the weakest first; one that is not there is left out.
        profile: Which of the tables `[profile.NAME.group]` count as well, after all the others; "" for none.

    Raises:
        SettingInvalid: A file cannot be read, or has another shape, or no file has the profile.
    """
    profiles: dict[str, list[tuple[str, Any, Path, str]]] = {}
    for path in paths:
        data = _read_toml(path)
        named = _table(data.pop("profile", {}), "profile", path)
        for group, fields in data.items():
            for name, value in _table(fields, group, path).items():
                yield f"{group}.{name}", value, path, str(path)
        for name, groups in named.items():
            found = profiles.setdefault(name, [])
            for group, fields in _table(groups, f"profile.{name}", path).items():
                table = _table(fields, f"profile.{name}.{group}", path)
                found += [
                    (f"{group}.{key}", value, path, f"{path} [profile.{name}]")
                    for key, value in table.items()
                ]
    if profile and profile not in profiles:
        where = f"Write [profile.{profile}.models] or the like into {paths[-1]}." if not profiles else ""
        raise SettingInvalid(f"There is no profile '{profile}'.{did_you_mean(profile, profiles)}{where}")
    yield from profiles.get(profile, ())


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            return {}
        import tomllib  # noqa: PLC0415  # most commands have no file to read

        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:  # is_file raises too where a folder above is closed
        raise SettingInvalid(f"Settings file {path} cannot be read: {error}", path=str(path)) from None


def _table(value: Any, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingInvalid(f"Settings file {path}: '{name}' must be a table, like [models].")
    return value  # pyright: ignore[reportUnknownVariableType]
