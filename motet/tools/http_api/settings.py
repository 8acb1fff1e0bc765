"""Which HTTP services there are: only those of the operator's own settings file, by a document on this machine.

What does not live here: reading the document (`document`). It lies on disk and is not fetched, so that what an
operator looked at is what is called.

    [http_api.shop]
    document = "shop.openapi.json"            beside the settings file; JSON or YAML
    url = "https://shop.example.com/v1"       instead of the document's first server
    operations = ["getOrder", "list*"]        all of them unless given, at most 32
    headers = { Authorization = "Bearer …" }
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from motet.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_KEYS = {"document", "url", "operations", "headers"}


@dataclass(frozen=True, slots=True)
class HttpApi:
    """One service."""

    name: str
    document: str
    """Path of its OpenAPI document."""
    url: str = ""
    """Where it is called; the document's first server unless given. No other host is ever called for it."""
    operations: tuple[str, ...] = ()
    """Patterns of operation ids."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def read_apis(raw: Mapping[str, Any]) -> list[HttpApi]:
    """Read `[http_api.NAME]` of the settings.

    Raises:
        SettingInvalid: A name, a key or a value is wrong.
    """
    return [_read(name, value) for name, value in raw.items()]


def _read(name: str, value: Any) -> HttpApi:
    where = f"http_api.{name}"
    if not _NAME.fullmatch(name):
        raise SettingInvalid(f"[{where}]: write a name of a-z, 0-9, _ and -.", setting=where)
    if not isinstance(value, dict):
        raise SettingInvalid(f"{where} must be a table, [{where}].", setting=where)
    given = cast("dict[str, Any]", value)
    operations, headers = given.get("operations", []), given.get("headers", {})
    problem = ""
    if unknown := sorted(given.keys() - _KEYS):
        problem = f"'{unknown[0]}' is unknown; known: {', '.join(sorted(_KEYS))}"
    elif not isinstance(given.get("document"), str) or not given["document"]:
        problem = 'name its OpenAPI document: document = "service.openapi.json"'
    elif not isinstance(operations, list) or not all(
        isinstance(one, str) for one in cast("list[Any]", operations)
    ):
        problem = 'operations must be a list of ids, like ["getOrder", "list*"]'
    elif not isinstance(headers, dict):
        problem = 'headers must be a table, like { Authorization = "Bearer …" }'
    if problem:
        raise SettingInvalid(f"[{where}]: {problem}.", setting=where)
    return HttpApi(
        name,
        given["document"],
        str(given.get("url", "")),
        tuple(cast("list[str]", operations)),
        {str(key): str(word) for key, word in cast("dict[Any, Any]", headers).items()},
    )
