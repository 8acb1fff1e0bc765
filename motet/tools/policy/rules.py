"""Rules on tools and their arguments, and which of them decides.

What does not live here: whether a run has read what strangers wrote (`guard`).
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, field_validator

from motet.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Access = Literal["read", "write", "egress", "exec", "unknown"]
"""What a call reaches: it only reads, it changes something, it speaks to the outside, it runs code; nobody said."""

Action = Literal["deny", "allow", "ask"]

_RULE = re.compile(r"(?P<tool>@?[\w.*?\[\]!-]+)(?::(?P<arguments>.*))?", re.DOTALL)
_SHELL = set(";|&`$<>\n\\")
"""Characters that join a command to another one."""

DEFAULTS: dict[Access, Action] = {
    "read": "allow",
    "egress": "allow",
    "write": "ask",
    "exec": "ask",
    "unknown": "allow",
}
"""What becomes of a call that no rule is about."""


class Permissions(BaseModel):
    """Rules of one layer: the settings', an agent's, a tenant's or a run's.

    A rule is `tool`, `tool:*` or `tool:argument=pattern, other=pattern`; `@write` stands for every tool of a class.
    In patterns `*` is anything. Of all layers' rules one that denies wins, then one that allows, then one that asks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    deny: list[str] = []
    allow: list[str] = []
    ask: list[str] = []
    allow_tainted: list[str] = []
    """Calls that need no approval even where the run has read what strangers wrote."""
    trusted: list[str] = []
    """Tools whose results are as good as the user's own words."""

    @field_validator("deny", "allow", "ask", "allow_tainted", "trusted")
    @classmethod
    def _readable(cls, rules: list[str]) -> list[str]:
        for rule in rules:
            Rule.read(rule)
        return rules


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as the rules see it."""

    tool: str
    access: Access
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, read."""

    tool: str
    arguments: tuple[tuple[str, str], ...]
    text: str

    @classmethod
    def read(cls, text: str) -> Rule:
        """Read a rule.

        Raises:
            InvalidInput: It is none.
        """
        match = _RULE.fullmatch(text.strip())
        if match is None:
            raise InvalidInput(f"'{text}' is no rule. Write tool, tool:argument=pattern or @class.")
        pairs: list[tuple[str, str]] = []
        for part in re.split(r",(?=\s*[\w.-]+=)", match["arguments"] or ""):
            name, equals, pattern = part.strip().partition("=")
            if equals:
                pairs.append((name, pattern))
            elif name not in ("", "*"):
                raise InvalidInput(f"'{text}' is no rule: '{name}' has no '='. Write tool:argument=pattern.")
        return cls(match["tool"], tuple(pairs), text.strip())

    def matches(self, asked: Asked, *, strictly: bool) -> bool:
        """Say whether the rule is about a call.

        Args:
            asked: The call.
            strictly: For rules that permit: every way to read a value must match. Rules that forbid match by any.
        """
        if self.tool.startswith("@"):
            if self.tool[1:] != asked.access:
                return False
        elif not fnmatchcase(asked.tool, self.tool):
            return False
        every = all if strictly else any
        for name, pattern in self.arguments:
            if name not in asked.arguments:
                if pattern:
                    return False
                continue  # `name=` is a call that leaves it out, too
            value = asked.arguments[name]
            if pattern == escape(value):
                continue  # this value and no other
            if (
                strictly
                and isinstance(value, str)
                and set(value) & _SHELL - set(pattern)
                and _is_command(name)
            ):
                return False
            if not every(fnmatchcase(reading, pattern) for reading in _readings(value, strictly=strictly)):
                return False
        return True


def escape(value: Any) -> str:
    """Return a pattern that matches a value alone."""
    text = value if isinstance(value, str) else str(value)
    return "".join(f"[{character}]" if character in "*?[," else character for character in text)


def _is_command(name: str) -> bool:
    return name in ("command", "cmd", "script", "shell")


def _readings(value: Any, *, strictly: bool) -> list[str]:
    """Return a value's text, and what it is as a path or an address; of a list or a table those of all that is in it.

    Rules that forbid are shown the whole of a list as well, and other ways to write a number, yes and no.
    """
    if isinstance(value, list | dict) and value:
        inner = cast("list[Any]", value if isinstance(value, list) else [*value.values()])
        found = [reading for one in inner for reading in _readings(one, strictly=strictly)]
        return found if strictly else [str(cast("object", value)), *found]
    if isinstance(value, bool) or value is None:
        return [json.dumps(value)] if strictly else [json.dumps(value), str(value)]
    if isinstance(value, float) and not strictly and value.is_integer():
        return [str(value), str(int(value))]
    text = value if isinstance(value, str) else str(value)
    if not isinstance(value, str) or "/" not in text:
        return [text]
    return [text, _plain_address(text) if "://" in text else posixpath.normpath(text)]


def _plain_address(text: str) -> str:
    """Return an address as it would be called: schemes and hosts have no case, and a usual port goes without saying."""
    try:
        parts = urlsplit(text.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return text
    shown = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    netloc = shown if port in (None, usual) else f"{shown}:{port}"
    return urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))


def find(rules: Iterable[str], asked: Asked, *, strictly: bool) -> str:
    """Return the first rule that is about a call; "" when none is."""
    return next((rule for rule in rules if Rule.read(rule).matches(asked, strictly=strictly)), "")


def decide(layers: Sequence[Permissions], asked: Asked, default: Action) -> tuple[Action, str]:
    """Return what the rules say of a call, and the rule that said it; "" where it is the default."""
    if rule := find((r for layer in layers for r in layer.deny), asked, strictly=False):
        return "deny", rule
    if rule := find((r for layer in layers for r in layer.allow), asked, strictly=True):
        return "allow", rule
    if rule := find((r for layer in layers for r in layer.ask), asked, strictly=False):
        return "ask", rule
    return default, ""
