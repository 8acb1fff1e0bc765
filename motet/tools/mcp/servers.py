"""Which MCP servers there are: only those of the operator's own settings file.

What does not live here: talking to them (`client`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from motet.errors import SettingInvalid
from motet.tools.policy.rules import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motet.tools.policy.rules import Access

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_KEYS = {"command", "url", "headers", "env", "class", "effect"}


@dataclass(frozen=True, slots=True)
class McpServer:
    """One server, by a command of this machine or by its URL."""

    name: str
    command: tuple[str, ...] = ()
    """The program and its arguments, exactly; no shell reads them."""
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    access: Access = "egress"
    """What its calls reach; what the server says of itself does not count."""
    effect: str = "once"


def read_servers(raw: Mapping[str, Any]) -> dict[str, McpServer]:
    """Read `[mcp.NAME]` of the settings.

    Raises:
        SettingInvalid: A name, a key or a value is wrong.
    """
    return {name: _read(name, value) for name, value in raw.items()}


def _read(name: str, value: Any) -> McpServer:
    if not _NAME.fullmatch(name):
        raise SettingInvalid(f"[mcp.{name}]: write a name of a-z, 0-9, _ and -.", setting=f"mcp.{name}")
    if not isinstance(value, dict):
        raise SettingInvalid(f"mcp.{name} must be a table, [mcp.{name}].", setting=f"mcp.{name}")
    given = cast("dict[str, Any]", value)
    unknown = sorted(given.keys() - _KEYS)
    command, url = given.get("command"), given.get("url", "")
    words = cast("list[Any]", command) if isinstance(command, list) else []
    strings = bool(words) and all(isinstance(word, str) for word in words)
    access = given.get("class", "egress")
    problem = ""
    if unknown:
        problem = f"'{unknown[0]}' is unknown; known: {', '.join(sorted(_KEYS))}"
    elif bool(command) == bool(url):
        problem = "name either a command or a url"
    elif command and not strings:
        problem = 'command must be a list of words, like ["npx", "server"]'
    elif access not in DEFAULTS:
        problem = f"class is '{access}'; known: {', '.join(DEFAULTS)}"
    if problem:
        raise SettingInvalid(f"[mcp.{name}]: {problem}.", setting=f"mcp.{name}")
    return McpServer(
        name,
        tuple(words),
        str(url),
        {str(key): str(word) for key, word in given.get("headers", {}).items()},
        {str(key): str(word) for key, word in given.get("env", {}).items()},
        cast("Access", access),
        str(given.get("effect", "once")),
    )
