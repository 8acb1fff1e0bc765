"""Rows of the checkpoint tables: their keys, their sealed bytes and the statements that read and write them.

What does not live here: what is written when. `Vault` is the only thing that turns values into stored bytes and back.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from motet.memory.saver.bodies import Dictionary, inflate_body, squeeze, unsqueeze
from motet.storage import tables as t
from motet.storage.ready import Ready

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from motet.storage.seal import Seal


class ScopeName(NamedTuple):
    """A namespace of a thread of a tenant: where one chain of checkpoints lives."""

    tenant_id: str
    thread_id: str
    checkpoint_ns: str

    @property
    def shape(self) -> str:
        """The namespace without the ids of tasks: the same for every call of one sub-graph."""
        return "|".join(part.partition(":")[0] for part in self.checkpoint_ns.split("|"))


def pack_id(identifier: str) -> bytes:
    """Return an id's key: a UUID's 16 bytes, any other text's bytes after a zero byte."""
    try:
        parsed = uuid.UUID(identifier)
    except ValueError:
        parsed = None
    if parsed is not None and parsed.bytes[0] and str(parsed) == identifier:
        return parsed.bytes
    return b"\x00" + identifier.encode("utf-8", "surrogatepass")


def unpack_id(key: bytes) -> str:
    """Undo `pack_id`."""
    if key[:1] == b"\x00":
        return bytes(key[1:]).decode("utf-8", "surrogatepass")
    return str(uuid.UUID(bytes=bytes(key)))


def one_moment(connection: Connection) -> Connection:
    """Make all reads of a connection see one moment, as SQLite's do by themselves; return it."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    return connection


class Vault:
    """Seals the bytes of one tenant's rows, and opens them again. Values are deflated where that helps.

    Every `open_…` raises StateCorrupt, naming table and row, for bytes that were not sealed for that row.
    """

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def close_item(self, scope: ScopeName, log_no: int, seq: int, data: bytes) -> bytes:
        """Seal a list's item."""
        return self._close(squeeze(data), scope, "list_items", log_no, seq)

    def open_item(self, scope: ScopeName, log_no: int, seq: int, blob: bytes) -> bytes:
        """Open a list's item."""
        return unsqueeze(self._open(blob, scope, "list_items", log_no, seq))

    def close_value(self, scope: ScopeName, digest: bytes, data: bytes) -> bytes:
        """Seal a value or a part that is a row of its own."""
        return self._close(squeeze(data), scope, "channel_values", digest)

    def open_value(self, scope: ScopeName, digest: bytes, blob: bytes) -> bytes:
        """Open a value or a part that is a row of its own."""
        return unsqueeze(self._open(blob, scope, "channel_values", digest))

    def close_body(self, scope: ScopeName, key: bytes, deflated: bytes) -> bytes:
        """Seal a body that is deflated."""
        return self._close(deflated, scope, "checkpoints", key)

    def open_body(self, scope: ScopeName, key: bytes, blob: bytes, known: Dictionary | None) -> bytes:
        """Open a body and inflate it."""
        return inflate_body(self._open(blob, scope, "checkpoints", key), known)

    def close_writes(self, scope: ScopeName, key: bytes, task: bytes, data: bytes) -> bytes:
        """Seal a task's pending writes."""
        return self._close(squeeze(data), scope, "checkpoint_writes", key, task)

    def open_writes(self, scope: ScopeName, key: bytes, task: bytes, blob: bytes) -> bytes:
        """Open a task's pending writes."""
        return unsqueeze(self._open(blob, scope, "checkpoint_writes", key, task))

    def close_dictionary(self, scope: ScopeName, dictionary: Dictionary) -> bytes:
        """Seal a dictionary, for the thread whatever the namespace."""
        whole = scope._replace(checkpoint_ns="")
        return self._close(
            squeeze(dictionary.data), whole, "checkpoint_dictionaries", dictionary.dictionary_id
        )

    def open_dictionary(self, scope: ScopeName, dictionary_id: int, blob: bytes) -> Dictionary:
        """Open a dictionary."""
        whole = scope._replace(checkpoint_ns="")
        return Dictionary(
            dictionary_id, unsqueeze(self._open(blob, whole, "checkpoint_dictionaries", dictionary_id))
        )

    def move(self, blob: bytes, source: ScopeName, target: ScopeName, table: str, *row: int | bytes) -> bytes:
        """Return a row's bytes, sealed for the same row of another scope."""
        return self._close(self._open(blob, source, table, *row), target, table, *row)

    def _close(self, data: bytes, scope: ScopeName, table: str, *row: int | bytes) -> bytes:
        return self._seal.seal(data, scope.tenant_id, table, scope.thread_id, scope.checkpoint_ns, *row)

    def _open(self, blob: bytes, scope: ScopeName, table: str, *row: int | bytes) -> bytes:
        return self._seal.unseal(blob, scope.tenant_id, table, scope.thread_id, scope.checkpoint_ns, *row)


class Statements:
    """The statements of the saver, for one dialect."""

    def __init__(self, dialect: str) -> None:
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        scopes, checkpoints = t.checkpoint_scopes, t.checkpoints
        made = insert(scopes).values(
            tenant_id=sa.bindparam("tenant_id"),
            thread_id=sa.bindparam("thread_id"),
            checkpoint_ns=sa.bindparam("checkpoint_ns"),
            last_seq=sa.bindparam("new_seqs"),
            last_log=sa.bindparam("new_logs"),
        )
        self.open_scope = Ready(
            made.on_conflict_do_update(
                index_elements=["tenant_id", "thread_id", "checkpoint_ns"],
                set_={
                    "last_seq": scopes.c.last_seq + made.excluded.last_seq,
                    "last_log": scopes.c.last_log + made.excluded.last_log,
                },
            ).returning(scopes.c.scope_key, scopes.c.last_seq, scopes.c.last_log)
        )
        """Find or make a scope, take `new_seqs` checkpoint numbers and `new_logs` log numbers; locks it."""
        put = insert(checkpoints)
        self.put_checkpoint = Ready(
            put.on_conflict_do_update(
                index_elements=["scope_key", "checkpoint_id"],
                set_={
                    "parent_seq": put.excluded.parent_seq,
                    "dictionary_id": put.excluded.dictionary_id,
                    "body": put.excluded.body,
                },
            )
        )
        """Insert a checkpoint, or give one its new body; it keeps its place in the order."""
        self.put_dictionary = Ready(insert(t.checkpoint_dictionaries).on_conflict_do_nothing())
        self.put_value = Ready(insert(t.channel_values).on_conflict_do_nothing())
        self.put_run = Ready(insert(t.checkpoint_runs).on_conflict_do_nothing())
        self.put_item = Ready(insert(t.list_items).on_conflict_do_nothing().returning(t.list_items.c.seq))
        """Insert an item; gives no row when its place is taken."""
        self.put_items = Ready(sa.insert(t.list_items))
        writes = t.checkpoint_writes
        self.put_writes = Ready(insert(writes).on_conflict_do_nothing().returning(writes.c.scope_key))
        """Insert a task's writes; gives no row when there are some."""
        self.replace_writes = (
            sa.update(writes)
            .where(
                writes.c.scope_key == sa.bindparam("b_scope_key"),
                writes.c.checkpoint_id == sa.bindparam("b_checkpoint_id"),
                writes.c.task_id == sa.bindparam("b_task_id"),
            )
            .values(value=sa.bindparam("value"))
        )


FIND_SEQ = Ready(
    sa.select(t.checkpoints.c.seq).where(
        t.checkpoints.c.scope_key == sa.bindparam("scope_key"),
        t.checkpoints.c.checkpoint_id == sa.bindparam("checkpoint_id"),
    )
)
"""A checkpoint's number in the order, by its id."""
