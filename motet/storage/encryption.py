"""Which rows are encrypted, and whether a database and its key fit together.

What does not live here: the encryption itself (`storage.cipher`), and encrypting what is there (`storage.reseal`).
A database is encrypted as a whole or not at all: the table `encryption_keys` says so, not the settings, so nothing
plain gets into an encrypted database by mistake.

Not encrypted: what is searched or sorted by (transcripts, titles, passages, vectors, full-text indexes), ids, names,
times and counts. Encrypt the disk where these are secret too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from motet.errors import EncryptionMismatch
from motet.secret import hide_password
from motet.storage import tables as t
from motet.storage.cipher import Unreadable
from motet.storage.clock import db_now
from motet.storage.seal import place_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from motet.storage.cipher import Cipher
    from motet.storage.engine import Database

_PROOF = b"motet"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column whose values are sealed or encrypted, each for the row it stands in."""

    column: sa.Column[Any]
    row: tuple[str, ...]
    """Columns that name the row within its tenant; in order, as they are sealed."""
    ending: tuple[str, ...] = ()
    """What is sealed after them."""
    scoped: bool = False
    """Whether the row belongs to a scope, whose tenant, thread and namespace come before."""
    late: bool = False
    """Whether it may still be plain in a database that was encrypted by an older version."""

    @property
    def is_text(self) -> bool:
        """Whether it is a text, which stays plain in a database that is not encrypted."""
        return isinstance(self.column.type, sa.Text)


SEALED = (
    Sealed(t.checkpoints.c.body, ("checkpoint_id",), scoped=True),
    Sealed(t.channel_values.c.value, ("digest",), scoped=True),
    Sealed(t.list_items.c.value, ("log_no", "seq"), scoped=True),
    Sealed(t.checkpoint_writes.c.value, ("checkpoint_id", "task_id"), scoped=True),
    Sealed(t.checkpoint_dictionaries.c.value, ("thread_id", "", "dictionary_id")),
    Sealed(t.runs.c.job, ("run_id",), ("job",)),
    Sealed(t.runs.c.error, ("run_id",), ("error",)),
    Sealed(t.events.c.event, ("run_id", "seq")),
    Sealed(t.tool_calls.c.result, ("call_key",)),
    Sealed(t.store_items.c.value, ("namespace", "key")),
    Sealed(t.schedules.c.request, ("name",)),
    Sealed(t.schedules.c.details, ("name",), ("details",), late=True),
    Sealed(t.assistant_versions.c.settings, ("assistant_id", "version")),
    Sealed(t.recorded_calls.c.call, ("run_id", "number")),
    Sealed(t.recorded_values.c.value, ("thread_id", "digest")),
    Sealed(t.webhooks.c.url, ("run_id",), ("url",)),
    Sealed(t.webhooks.c.body, ("run_id",), ("body",)),
)
"""Every column that is encrypted. A new one is closed and opened by `texts_of(connection)`, or by the seal."""

READABLE: dict[str, set[str]] = {
    "threads": {"tenant_id", "thread_id", "owner_id", "title", "graph", "metadata"},
    "thread_tags": {"tenant_id", "thread_id", "tag"},
    "thread_terms": {"tenant_id", "term", "thread_id"},
    "thread_trust": {"tenant_id", "thread_id", "kind", "item_key", "value"},
    "runs": {
        "tenant_id",
        "run_id",
        "thread_id",
        "owner_id",
        "graph",
        "status",
        "worker_id",
        "idempotency_key",
        "request_hash",
        "trimmed",
    },
    "queue_turns": {"tenant_id"},
    "api_keys": {"key_id", "tenant_id", "owner_id", "name", "scopes", "secret_hash"},
    "schedules": {"tenant_id", "name", "cron", "time_zone", "missed", "last_run_id", "error"},
    "webhooks": {"tenant_id", "run_id", "thread_id", "owner_id", "wire", "status", "answer"},
    "assistants": {"tenant_id", "assistant_id", "owner_id", "graph"},
    "assistant_versions": {"tenant_id", "assistant_id", "graph", "name", "description", "metadata"},
    "events": {"tenant_id", "run_id"},
    "tool_calls": {
        "tenant_id",
        "call_key",
        "thread_id",
        "run_id",
        "tool",
        "arguments_digest",
        "effect",
        "status",
        "reused_key",
    },
    "budget_meters": {"tenant_id", "scope", "scope_id", "thread_id", "granted"},
    "budget_holds": {"tenant_id", "hold_id", "run_id", "thread_id", "meters"},
    "recorded_calls": {"tenant_id", "run_id", "thread_id"},
    "recorded_values": {"tenant_id", "thread_id", "digest"},
    "messages": {"tenant_id", "thread_id", "message_id", "run_id", "role", "text", "citations"},
    "documents": {
        "tenant_id",
        "collection",
        "source",
        "title",
        "content_hash",
        "labels",
        "etag",
        "last_modified",
    },
    "passages": {"tenant_id", "collection", "passage_id", "heading", "text", "vector"},
    "collections": {"tenant_id", "collection", "embedder", "chinese"},
    "document_roots": {"tenant_id", "collection", "root"},
    "document_failures": {
        "tenant_id",
        "collection",
        "source",
        "content_hash",
        "read_by",
        "reason",
        "message",
    },
    "checkpoint_scopes": {"tenant_id", "thread_id", "checkpoint_ns"},
    "checkpoint_runs": {"tenant_id", "run_id"},
    "checkpoint_dictionaries": {"tenant_id", "thread_id"},
    "checkpoints": {"checkpoint_id"},
    "channel_values": {"digest"},
    "checkpoint_writes": {"checkpoint_id", "task_id"},
    "store_items": {"tenant_id", "namespace", "key"},
    "store_texts": {"tenant_id", "namespace", "key", "path", "digest", "embedder", "vector"},
    "store_revisions": {"tenant_id"},
    "encryption_keys": {"key_id", "proof"},
}
"""Columns of text or bytes that stay readable, by table: names, and what is searched. Every other is in `SEALED`."""


def check_keys(database: Database) -> None:
    """Refuse a database and a key that do not fit together; note the newest key in an encrypted or an empty one.

    Raises:
        EncryptionMismatch: The key is missing or another one, or the database holds data that is not encrypted.
    """
    cipher = database.texts.cipher
    stored = database.read_sync(stored_keys)
    if cipher is None and not stored:
        return
    where = hide_password(database.url)
    if cipher is None:
        raise EncryptionMismatch(
            f"The database {where} is encrypted: set MOTET_ENCRYPTION_KEY or MOTET_ENCRYPTION_KEY_FILE to its key. "
            "It was left as it is."
        )
    if not stored and database.read_sync(_has_data):
        raise EncryptionMismatch(
            f"MOTET_ENCRYPTION_KEY is set and the database {where} is not encrypted: run 'motet storage encrypt' once, "
            "or unset the key. It was left as it is."
        )
    for key_id, proof in stored.items():
        check_proof(cipher, key_id, proof, where)
    if cipher.newest_id not in stored:
        database.write_sync(lambda connection: note_key(connection, cipher))


def stored_keys(connection: Connection) -> dict[str, bytes]:
    """Return the proof of each key of the database, by the key's name; {} where it is not encrypted."""
    rows = connection.execute(sa.select(t.encryption_keys.c.key_id, t.encryption_keys.c.proof))
    return {key_id: bytes(proof) for key_id, proof in rows}


def _has_data(connection: Connection) -> bool:
    tables = dict.fromkeys(sealed.column.table for sealed in SEALED)
    return any(
        connection.execute(sa.select(sa.literal(1)).select_from(one).limit(1)).first() for one in tables
    )


def _place_of_proof(key_id: str) -> bytes:
    return place_of("", "encryption_keys", (key_id,))


def check_proof(cipher: Cipher, key_id: str, proof: bytes, where: str) -> None:
    """Refuse a cipher without a key that the database is encrypted with.

    Raises:
        EncryptionMismatch: The key is missing, or another one has its name.
    """
    try:
        fits = cipher.decrypt(proof, _place_of_proof(key_id)) == _PROOF
    except Unreadable:
        fits = False
    if key_id not in cipher.key_ids or not fits:
        given = ", ".join(cipher.key_ids)
        raise EncryptionMismatch(
            f"The database {where} is encrypted with the key {key_id}, which is not among those given ({given}): "
            "give the right key, older ones first. It was left as it is."
        )


def note_key(connection: Connection, cipher: Cipher) -> None:
    """Say in the database that it is encrypted with the cipher's newest key; a second call does nothing."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    proof = cipher.encrypt(_PROOF, _place_of_proof(cipher.newest_id))
    row = {"key_id": cipher.newest_id, "proof": proof, "added_at": db_now()}
    connection.execute(insert(t.encryption_keys).values(row).on_conflict_do_nothing())
