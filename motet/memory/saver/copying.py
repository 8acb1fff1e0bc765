"""Copies a thread's checkpoints to another thread: first every row is read and sealed anew, then all are written.

What does not live here: which checkpoints are copied (`history`). The first part may be done on a reading connection,
so that only the writing holds the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from motet.memory.saver.rows import ScopeName, Statements, Vault
from motet.memory.saver.sweeping import chunks
from motet.storage import tables as t

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

    from motet.memory.saver.sweeping import Sweep

_SEALED: dict[sa.Table, tuple[str, ...]] = {
    t.checkpoints: ("checkpoint_id", "body"),
    t.channel_values: ("digest", "value"),
    t.list_items: ("log_no", "seq", "value"),
    t.checkpoint_writes: ("checkpoint_id", "task_id", "value"),
}
"""The tables of a scope's rows: the columns of the place a row is sealed for, then the sealed one."""

Fields = dict[str, Any]


class ScopeCopy(NamedTuple):
    """A scope's rows for their new place; the scope's key is not known yet."""

    scope: ScopeName
    last_seq: int
    last_log: int
    rows: dict[sa.Table, list[Fields]]


class Copier:
    """Copies between threads of one tenant."""

    def __init__(self, vault: Vault, statements: Statements, tenant_id: str) -> None:
        self._vault = vault
        self._do = statements
        self._tenant_id = tenant_id

    def dictionaries(self, connection: Connection, source_id: str, target_id: str) -> list[Fields]:
        """Return the rows of a thread's dictionaries, sealed for another thread."""
        table = t.checkpoint_dictionaries
        source, target = (ScopeName(self._tenant_id, thread, "") for thread in (source_id, target_id))
        found = connection.execute(
            sa.select(table.c.dictionary_id, table.c.value).where(
                table.c.tenant_id == self._tenant_id, table.c.thread_id == source_id
            )
        ).all()
        opened = [self._vault.open_dictionary(source, number, blob) for number, blob in found]
        return [
            {
                "tenant_id": self._tenant_id,
                "thread_id": target_id,
                "dictionary_id": one.dictionary_id,
                "value": self._vault.close_dictionary(target, one),
            }
            for one in opened
        ]

    def scope(
        self, connection: Connection, scope_key: int, source: ScopeName, target_id: str, without: Sweep | None
    ) -> ScopeCopy:
        """Read a scope's rows but for what `without` says, and seal them for their new place."""
        scopes, target = t.checkpoint_scopes, source._replace(thread_id=target_id)
        counters = connection.execute(
            sa.select(scopes.c.last_seq, scopes.c.last_log).where(scopes.c.scope_key == scope_key)
        ).one()
        rows: dict[sa.Table, list[Fields]] = {}
        for table in (*_SEALED, t.checkpoint_runs):
            found = connection.execute(sa.select(table).where(table.c.scope_key == scope_key)).mappings()
            left = _left(table, (dict(row) for row in found), without)
            rows[table] = [self._moved(source, target, table, row) for row in left]
        return ScopeCopy(target, counters.last_seq, counters.last_log, rows)

    def write(
        self, connection: Connection, dictionaries: Iterable[Fields], scopes: Iterable[ScopeCopy]
    ) -> None:
        """Write what was read."""
        for row in dictionaries:
            self._do.put_dictionary.do(connection, row)
        for one in scopes:
            counters = {"new_seqs": one.last_seq, "new_logs": one.last_log}
            new_key = self._do.open_scope.one(connection, {**one.scope._asdict(), **counters})[0]
            for table, rows in one.rows.items():
                for chunk in chunks(rows):
                    connection.execute(sa.insert(table), [{**row, "scope_key": new_key} for row in chunk])

    def _moved(self, source: ScopeName, target: ScopeName, table: sa.Table, row: Fields) -> Fields:
        if table not in _SEALED:
            return row
        *place, sealed = _SEALED[table]
        key = tuple(bytes(row[name]) if isinstance(row[name], memoryview) else row[name] for name in place)
        return {**row, sealed: self._vault.move(row[sealed], source, target, table.name, *key)}


def _left(table: sa.Table, rows: Iterable[Fields], without: Sweep | None) -> Iterable[Fields]:
    """Leave out and change what a sweep would."""
    if without is None:
        return rows
    if table is t.list_items:
        gaps = without.gaps
        return (
            row
            for row in rows
            if not any(row["log_no"] == log_no and lo <= row["seq"] < hi for log_no, lo, hi in gaps)
        )
    name, gone = {
        t.checkpoints: ("checkpoint_id", without.checkpoint_ids),
        t.checkpoint_writes: ("checkpoint_id", without.checkpoint_ids),
        t.channel_values: ("digest", without.digests),
        t.checkpoint_runs: ("run_id", without.run_ids),
    }[table]
    unwanted = set(gone)
    left = (row for row in rows if _plain(row[name]) not in unwanted)
    if table is t.checkpoints:
        return ({**row, "parent_seq": without.parents.get(row["seq"], row["parent_seq"])} for row in left)
    return left


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else bytes(value)
