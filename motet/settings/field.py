"""How one setting is declared: a field of its group with its variable, its meaning and its bounds."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def setting(
    default: Any, env: str, doc: str, *, positive: bool = False, choices: tuple[str, ...] = ()
) -> Any:
    """Declare a setting.

    Args:
        default: Its value unless set; its type is the setting's.
        env: The environment variable that sets it.
        doc: One sentence for docs/settings.md.
        positive: A number that would stop all work, or never let it rest, at 0. Other numbers are 0 or more.
        choices: The only values it may have.
    """
    return field(default=default, metadata={"env": env, "doc": doc, "positive": positive, "choices": choices})
