"""Every table, in one MetaData, a file a subject. The migrations build them; a test compares the two.

Rules: `tenant_id` is in every table and every key that a caller can name; times are unix seconds, UTC, by the
database's clock (`storage.clock.db_now`); big values are JSON text or authenticated bytes.
"""

from __future__ import annotations

from motet.storage.tables.api_keys import api_keys
from motet.storage.tables.assistants import assistant_versions, assistants
from motet.storage.tables.base import metadata
from motet.storage.tables.checkpoints import (
    channel_values,
    checkpoint_dictionaries,
    checkpoint_runs,
    checkpoint_scopes,
    checkpoint_writes,
    checkpoints,
    list_items,
)
from motet.storage.tables.control import (
    budget_holds,
    budget_meters,
    recorded_calls,
    recorded_values,
)
from motet.storage.tables.documents import collections, documents, failures, passages, roots
from motet.storage.tables.keys import encryption_keys
from motet.storage.tables.runs import events, queue_turns, runs, schedules, tool_calls, webhooks
from motet.storage.tables.store import store_items, store_revisions, store_texts
from motet.storage.tables.threads import messages, thread_tags, thread_terms, thread_trust, threads

__all__ = [
    "api_keys",
    "assistant_versions",
    "assistants",
    "budget_holds",
    "budget_meters",
    "channel_values",
    "checkpoint_dictionaries",
    "checkpoint_runs",
    "checkpoint_scopes",
    "checkpoint_writes",
    "checkpoints",
    "collections",
    "documents",
    "encryption_keys",
    "events",
    "failures",
    "list_items",
    "messages",
    "metadata",
    "passages",
    "queue_turns",
    "recorded_calls",
    "recorded_values",
    "roots",
    "runs",
    "schedules",
    "store_items",
    "store_revisions",
    "store_texts",
    "thread_tags",
    "thread_terms",
    "thread_trust",
    "threads",
    "tool_calls",
    "webhooks",
]
