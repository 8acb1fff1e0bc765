"""Where spans of runs go: to a collector that the settings name, or to the provider that a host program set up.

What does not live here: the spans (`runs.traces`).
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from motet.errors import ExtraMissing
from motet.runs.redact import MIN_CHARS
from motet.runs.traces import Traces
from motet.telemetry import Redactor

if TYPE_CHECKING:
    from motet.settings import Settings


@dataclass(frozen=True, slots=True)
class Tracing:
    """Traces, and their provider where it is this app's own."""

    traces: Traces
    own: Any = None

    def close(self) -> None:
        """Send what is left. Where the provider is a host program's, that one does."""
        if self.own is not None:
            self.own.shutdown()


def open_tracing(settings: Settings) -> Tracing | None:
    """Return what makes spans; None unless the settings ask for it.

    Raises:
        ExtraMissing: OpenTelemetry is not installed.
    """
    log = settings.log
    if not (log.traces or log.otlp_endpoint):
        return None
    try:
        from opentelemetry import trace  # noqa: PLC0415  # an extra
    except ImportError:
        raise ExtraMissing("Traces need OpenTelemetry: pip install 'motet[otel]'.", extra="otel") from None
    own = _own_provider(log.otlp_endpoint) if log.otlp_endpoint else None
    tracer = (own or trace.get_tracer_provider()).get_tracer("motet", importlib.metadata.version("motet"))
    redactor = Redactor(settings.secrets(), at_least=MIN_CHARS)
    return Tracing(Traces(tracer, log.trace_content, redactor), own)


def _own_provider(endpoint: str) -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise ExtraMissing("Traces need OpenTelemetry: pip install 'motet[otel]'.", extra="otel") from None
    provider = TracerProvider(resource=Resource.create({"service.name": "motet"}), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
