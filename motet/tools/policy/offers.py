"""The rules that a person is offered with "always": no wider than what they can see at a glance.

What does not live here: where a rule is kept (`trust`, `standing`).
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from motet.tools.policy.rules import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motet.tools.policy.rules import Access


def for_conversation(
    tool: str, arguments: Mapping[str, Any], *, is_tainted: bool, left_out: Mapping[str, Any] | None = None
) -> str:
    """Return what "always" means in a thread: this tool; where strangers' words were read, these very arguments.

    `left_out` is what the tool takes for arguments that the call does not say: they are to stay so.
    """
    return exactly(tool, {**arguments, **(left_out or {})}) if is_tainted else f"{tool}:*"


def for_settings(
    tool: str, access: Access, arguments: Mapping[str, Any], left_out: Mapping[str, Any] | None = None
) -> str:
    """Return what "always" could mean everywhere.

    Files of the same folder, pages of the same host; for what runs code, and where there is neither, these very
    arguments.
    """
    wide = {} if access == "exec" else {name: _wider(value) for name, value in arguments.items()}
    found = ", ".join(f"{name}={pattern}" for name, pattern in wide.items() if pattern)
    return f"{tool}:{found}" if found else exactly(tool, {**arguments, **(left_out or {})})


def exactly(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return a rule that is about one call alone."""
    pairs = ", ".join(f"{name}={escape(value)}" for name, value in arguments.items())
    return f"{tool}:{pairs or '*'}"


def _wider(value: Any) -> str:
    """Return a pattern for a link's host or a path's folder; "" for what is neither."""
    if not isinstance(value, str) or any(character.isspace() for character in value):
        return ""
    link = urlsplit(value) if "://" in value else None
    if link is not None:
        return f"{link.scheme}://{escape(link.netloc)}/*" if link.netloc and link.path else ""
    folder = posixpath.dirname(value)
    is_path = value == posixpath.normpath(value) and folder.strip("/") and not folder.startswith("..")
    return f"{escape(folder)}/*" if is_path else ""
