"""What the server counts, for Prometheus: requests by operation and status, their time, open streams.

What does not live here: the route that shows it. The library is an extra; without the setting nothing is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.errors import ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds."""


class Metrics:
    """Counts for one server, in a registry of its own: two servers of one process do not mix.

    Labels are operation ids and statuses alone: nothing that callers choose.
    """

    def __init__(self, open_streams: Callable[[], int]) -> None:
        """Make the counters; `open_streams` says how many streams are open.

        Raises:
            ExtraMissing: The library is not installed.
        """
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram  # noqa: PLC0415  # an extra
        except ImportError:
            raise ExtraMissing("Metrics need: pip install 'motet[metrics]'.", extra="metrics") from None
        self._registry = CollectorRegistry()
        labels = ["operation", "status"]
        self._requests = Counter("motet_requests", "Requests answered", labels, registry=self._registry)
        self._seconds = Histogram(
            "motet_request_seconds", "Time of requests, streams to their end", ["operation"],
            buckets=BUCKETS, registry=self._registry,
        )  # fmt: skip
        Gauge("motet_open_streams", "Streams that are open", registry=self._registry).set_function(
            open_streams
        )

    def count(self, operation: str, status: int, took_s: float) -> None:
        """Count one request that was answered."""
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(took_s)

    def text(self) -> bytes:
        """Return everything in Prometheus' text form."""
        from prometheus_client import generate_latest  # noqa: PLC0415

        return generate_latest(self._registry)
