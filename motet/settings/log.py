"""Settings of Motet's own log, and of traces."""

from __future__ import annotations

from dataclasses import dataclass

from motet.settings.field import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged to stderr, and what is traced."""

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
    otlp_endpoint: str = setting(
        "",
        "MOTET_OTLP_ENDPOINT",
        "OpenTelemetry collector that is sent spans of runs, `http://127.0.0.1:4318`; none unless set.",
    )
    traces: bool = setting(
        False,
        "MOTET_TRACES",
        "Whether runs make spans for the OpenTelemetry provider of the program that Motet is part of.",
    )
    trace_content: bool = setting(
        False, "MOTET_TRACE_CONTENT", "Whether spans hold what was said, given to tools and found."
    )
