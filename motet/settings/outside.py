"""Settings of what reaches outside (the way out) and of what is kept inside (the sandbox)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from motet.errors import SettingInvalid
from motet.settings.field import setting

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressSettings:
    """What may be called on other machines, by tools, webhooks and MCP."""

    allow: str = setting(
        "",
        "MOTET_EGRESS_ALLOW",
        "Hosts and networks that may be called though they are not public: `10.1.0.0/16, wiki.internal:8080`.",
    )
    hosts: str = setting(
        "",
        "MOTET_EGRESS_HOSTS",
        "Public hosts that may be called, those below them too; every one unless set.",
    )
    ports: str = setting("80,443", "MOTET_EGRESS_PORTS", "Ports of public hosts that may be called.")
    webhooks: str = setting(
        "",
        "MOTET_WEBHOOK_HOSTS",
        "Hosts that runs may name to be told of their end, those below them too; `*` for any. None unless set.",
    )
    timeout_s: float = setting(
        30.0, "MOTET_EGRESS_TIMEOUT_S", "Longest time of one call, redirects included.", positive=True
    )
    max_bytes: int = setting(
        5_000_000, "MOTET_EGRESS_MAX_BYTES", "Longest answer, unpacked, in bytes.", positive=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """The box that untrusted code runs in."""

    bwrap: str = setting(
        "", "MOTET_BWRAP", "Path of bubblewrap's program; the system's or motet[sandbox]'s unless set."
    )
    uid: int = setting(
        60_000,
        "MOTET_SANDBOX_UID",
        "First of 64 user ids that the box runs as where Motet is root.",
        positive=True,
    )


def merge_rules(before: Any, name: str, value: Any, path: Path, *, own: bool) -> Any:
    """Return a list of rules with those of a later file added. A project's file may deny and ask, and allow nothing.

    Raises:
        SettingInvalid: It is no list or table, or not for a project's file.
    """
    if not own and name not in ("deny", "ask"):
        raise SettingInvalid(
            f"permissions.{name} stands in {path}: a project's file may only deny and ask. "
            "Move it to your own settings file.",
            setting=f"permissions.{name}",
        )
    if not isinstance(value, list | dict):
        raise SettingInvalid(f"permissions.{name} in {path} must be a list of rules.", setting=name)
    if isinstance(value, list) and isinstance(before, list):
        return [*cast("list[Any]", before), *cast("list[Any]", value)]
    return value


GUARDED = ("permissions", "mcp", "functions", "http_api", "searches")
"""Tables that say what is run or called; a project's file, which comes with what somebody cloned, may not."""

_MIN_SECRET_CHARS = 8
_SECRET = re.compile(r"key|token|secret|passw|auth|credential", re.IGNORECASE)
_PUBLIC_HEADERS = frozenset({"accept", "accept-language", "content-type", "user-agent"})


def merge_guarded(before: Any, key: str, value: Any, path: Path, *, own: bool) -> Any:
    """Return the value of a key of a `GUARDED` table, with what an earlier file said of it.

    All but `[permissions]` stand in the user's own settings file alone: they say what is started and called. The
    document of an `[http_api.NAME]` is looked for beside that file.

    Raises:
        SettingInvalid: The value has another shape, or a project's file may not say it.
    """
    group, _, name = key.partition(".")
    if group == "permissions":
        return merge_rules(before, name, value, path, own=own)
    if not own:
        raise SettingInvalid(f"{key} stands in {path}. Move it to your own settings file.", setting=key)
    if group == "http_api" and isinstance(value, dict) and isinstance(value.get("document"), str):
        given = cast("dict[str, Any]", value)
        return {**given, "document": str(path.parent.absolute() / Path(given["document"]).expanduser())}
    return value


def secrets_of(table: Mapping[str, Any]) -> list[str]:
    """Return the values of the headers and variables that entries of a table send along; logs do not show them."""
    found: list[str] = []
    for entry in table.values():
        for part in ("headers", "env"):
            pairs = entry.get(part) if isinstance(entry, dict) else None
            for name, value in (cast("dict[str, Any]", pairs) if isinstance(pairs, dict) else {}).items():
                public = name.lower() in _PUBLIC_HEADERS if part == "headers" else not _SECRET.search(name)
                if not public and len(str(value)) >= _MIN_SECRET_CHARS:
                    found.append(str(value))
    return found
