"""Settings of the queue, the log and what is kept."""

from __future__ import annotations

from dataclasses import dataclass

from motet.settings.field import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How runs are queued and kept."""

    queue: str = setting(
        "sql", "MOTET_QUEUE", "Which queue hands runs to workers: `sql`, or another package's by its name."
    )
    lease_s: float = setting(
        15.0, "MOTET_LEASE_S", "A worker that is silent this long loses its run to another.", positive=True
    )
    heartbeat_s: float = setting(
        3.0, "MOTET_HEARTBEAT_S", "How often a worker says that it lives.", positive=True
    )
    poll_s: float = setting(
        0.05,
        "MOTET_POLL_S",
        "How often readers look for new events where the database cannot tell them.",
        positive=True,
    )
    max_attempts: int = setting(
        5, "MOTET_MAX_ATTEMPTS", "How often a run is taken up again after a crash.", positive=True
    )
    interrupt_ttl_s: float = setting(
        0.0, "MOTET_INTERRUPT_TTL_S", "How long a run waits for a person's answer; 0 waits for ever."
    )
    tenant_concurrency: int = setting(
        0, "MOTET_TENANT_CONCURRENCY", "Runs of one tenant at once, over all workers; no limit at 0."
    )
    max_retries: int = setting(
        3, "MOTET_MAX_RETRIES", "How often a run is tried again when a model is not there or too busy."
    )
    retry_delay_s: float = setting(
        2.0,
        "MOTET_RETRY_DELAY_S",
        "Pause before the first such retry; it doubles, with some chance in it.",
        positive=True,
    )
    retry_max_delay_s: float = setting(
        300.0,
        "MOTET_RETRY_MAX_DELAY_S",
        "Longest such pause; a server that asks for a longer one gets it.",
        positive=True,
    )
    concurrency: int = setting(
        4, "MOTET_CONCURRENCY", "Runs that one process works on at once.", positive=True
    )
    drain_s: float = setting(
        30.0, "MOTET_DRAIN_S", "How long a worker that is asked to stop lets its runs go on."
    )
    record: bool = setting(
        False, "MOTET_RECORD", "Record what goes to models and tools and comes back, to play runs again."
    )
    fold_events_days: float = setting(
        1.0,
        "MOTET_FOLD_EVENTS_DAYS",
        "Days after a run's end the pieces of its whole messages leave its log; 0 keeps them.",
    )
    keep_events_days: float = setting(
        0.0, "MOTET_KEEP_EVENTS_DAYS", "Days after its end a run's log is kept; 0 keeps it for good."
    )
    thread_ttl_days: float = setting(
        0.0,
        "MOTET_THREAD_TTL_DAYS",
        "Days after its last use a conversation is deleted, with its runs; 0 keeps every one.",
    )
