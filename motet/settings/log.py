"""Settings of Motet's own log."""

from __future__ import annotations

from dataclasses import dataclass

from motet.settings.field import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged to stderr."""

    level: str = setting(
        "warning",
        "MOTET_LOG_LEVEL",
        "`debug`, `info`, `warning` or `error`.",
        choices=("debug", "info", "warning", "error"),
    )
    form: str = setting(
        "text",
        "MOTET_LOG_FORMAT",
        "`text`, or `json`: one object a line.",
        choices=("text", "json"),
    )
