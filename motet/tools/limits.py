"""How many tool calls a run may make, how many at once, and how long each and its result may be.

What does not live here: counting them (`ledger`) and holding to it (`ledger.keep`). Tools have limits of their own,
with better words; these are for those that have none, a stranger's or the user's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from motet.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motet.settings import ToolSettings

ALL = ""
"""The key of the limit of all tools together."""

GRACE_S = 5.0
"""A tool that keeps a time itself says better what was too slow."""

GRACE_CHARS = 1000
"""What a tool says around a result that it has cut itself."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What the calls of one run are held to; 0 for no limit."""

    calls: Mapping[str, int] = field(default_factory=dict[str, int])
    """By a tool's name, `ALL` for all together."""
    parallel: int = 0
    timeout_s: float = 0.0
    output_chars: int = 0

    def reached(self, tool: str, made: Mapping[str, int]) -> str:
        """Return what an agent is told of a call that is one too many; "" while there are not too many."""
        total = sum(made.values())
        if ALL in self.calls and total >= self.calls[ALL]:
            return (
                f"This run has made the {self.calls[ALL]} tool calls that it may. Answer with what you know."
            )
        if tool in self.calls and made.get(tool, 0) >= self.calls[tool]:
            return f"{tool} was called {self.calls[tool]} times in this run, as often as it may. Go on without it."
        return ""


def read_limits(settings: ToolSettings) -> CallLimits:
    """Read the limits of the settings.

    Raises:
        SettingInvalid: `tools.calls` is no list of numbers.
    """
    calls: dict[str, int] = {}
    for word in settings.calls.replace(",", " ").split():
        match = re.fullmatch(r"(?:([\w.-]+)=)?(\d+)", word)
        if match is None:
            raise SettingInvalid(
                f"tools.calls is '{settings.calls}'. Write numbers such as 100 web_search=10.",
                setting="tools.calls",
            )
        calls[match[1] or ALL] = int(match[2])
    return CallLimits(
        calls, settings.parallel, settings.timeout_s + GRACE_S, settings.max_output_chars + GRACE_CHARS
    )
