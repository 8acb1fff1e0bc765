"""Deletes, copies and prunes checkpoints without breaking what stays.

What does not live here: single puts and loads. A row of a value or a list item goes when no checkpoint that stays
refers to it. The last item of a log stays while the log does: its place must not be given to another item, since
other processes may have the old one in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.errors import Conflict, InvalidInput
from motet.memory.saver.bodies import Body, Inline, Ref, Stored, Windows
from motet.memory.saver.loading import Loader, select_checkpoints
from motet.memory.saver.parts import digests_in
from motet.memory.saver.rows import ScopeName, Statements, Vault
from motet.storage import tables as t

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy.engine import Connection, Row

STRATEGIES = ("keep_latest", "delete")

_CHUNK = 500


class Upkeep:
    """Maintenance of one tenant's checkpoints. Each method is one transaction's work."""

    def __init__(self, vault: Vault, loader: Loader, statements: Statements, tenant_id: str) -> None:
        self._vault = vault
        self._loader = loader
        self._do = statements
        self._tenant_id = tenant_id

    def delete_thread(self, connection: Connection, thread_id: str) -> None:
        """Delete everything of a thread; an unknown one is passed over."""
        for table in (t.checkpoint_scopes, t.checkpoint_dictionaries):
            connection.execute(
                sa.delete(table).where(table.c.tenant_id == self._tenant_id, table.c.thread_id == thread_id)
            )

    def delete_for_runs(self, connection: Connection, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints that some runs made; checkpoints after them get the nearest parent that stays."""
        runs = t.checkpoint_runs
        wanted = set(run_ids)
        begins: dict[int, int] = {}
        for chunk in _chunks(sorted(wanted)):
            rows = connection.execute(
                sa.select(runs.c.scope_key, runs.c.first_seq).where(
                    runs.c.tenant_id == self._tenant_id, runs.c.run_id.in_(chunk)
                )
            )
            for scope_key, first_seq in rows:
                begins[scope_key] = min(first_seq, begins.get(scope_key, first_seq))
        for scope_key, first_seq in begins.items():
            self._lock(connection, scope_key)
            bodies = self._bodies(connection, scope_key)
            gone = {
                row.seq
                for row, body in bodies
                if row.seq >= first_seq and str(body.metadata.get("run_id")) in wanted
            }
            self._keep(connection, scope_key, bodies, {row.seq for row, _ in bodies} - gone)
        for chunk in _chunks(sorted(wanted)):
            connection.execute(
                sa.delete(runs).where(runs.c.tenant_id == self._tenant_id, runs.c.run_id.in_(chunk))
            )

    def prune(self, connection: Connection, thread_ids: Sequence[str], strategy: str) -> None:
        """Keep the newest checkpoint of every namespace of some threads, or none.

        Of a thread with delta channels as many older checkpoints stay as are needed to rebuild the newest.

        Raises:
            InvalidInput: The strategy is neither `keep_latest` nor `delete`.
        """
        if strategy not in STRATEGIES:
            raise InvalidInput(f"Unknown pruning strategy '{strategy}'. Known: {', '.join(STRATEGIES)}.")
        for thread_id in thread_ids:
            if strategy == "delete":
                self.delete_thread(connection, thread_id)
                continue
            for scope_key, _ in self._scopes(connection, thread_id):
                self._lock(connection, scope_key)
                bodies = self._bodies(connection, scope_key)
                if bodies:
                    self._keep(connection, scope_key, bodies, needed_by(bodies, len(bodies) - 1))

    def copy_thread(self, connection: Connection, source_id: str, target_id: str) -> None:
        """Copy a thread's whole history to a thread that has none; an unknown source is passed over.

        Raises:
            Conflict: The target has checkpoints already.
        """
        if source_id == target_id or self._scopes(connection, target_id):
            raise Conflict(f"Thread '{target_id}' has checkpoints already: copy to a new thread id.")
        self._copy_dictionaries(connection, source_id, target_id)
        for scope_key, scope in self._scopes(connection, source_id):
            self._copy_scope(connection, scope_key, scope, scope._replace(thread_id=target_id))

    def _scopes(self, connection: Connection, thread_id: str) -> list[tuple[int, ScopeName]]:
        table = t.checkpoint_scopes
        rows = connection.execute(
            sa.select(table.c.scope_key, table.c.checkpoint_ns)
            .where(table.c.tenant_id == self._tenant_id, table.c.thread_id == thread_id)
            .order_by(table.c.scope_key)
        )
        return [(key, ScopeName(self._tenant_id, thread_id, ns)) for key, ns in rows]

    def _lock(self, connection: Connection, scope_key: int) -> None:
        """Wait for writers of the scope in other processes, as a put does."""
        table = t.checkpoint_scopes
        same = {"last_seq": table.c.last_seq}
        connection.execute(sa.update(table).where(table.c.scope_key == scope_key).values(same))

    def _bodies(self, connection: Connection, scope_key: int) -> list[tuple[Row[Any], Body]]:
        """Read every body of a scope, oldest first."""
        own = t.checkpoints
        rows = connection.execute(
            select_checkpoints(self._tenant_id).where(own.c.scope_key == scope_key).order_by(own.c.seq)
        ).all()
        found: list[tuple[Row[Any], Body]] = []
        for row in rows:
            scope = ScopeName(self._tenant_id, row.thread_id, row.checkpoint_ns)
            found.append((row, self._loader.read_body(connection, scope, row)[0]))
        return found

    def _keep(
        self, connection: Connection, scope_key: int, bodies: list[tuple[Row[Any], Body]], kept: set[int]
    ) -> None:
        """Delete every checkpoint but those, with what only the deleted ones refer to."""
        gone = [row for row, _ in bodies if row.seq not in kept]
        if not gone:
            return
        if not kept:
            self._drop_scope(connection, scope_key, bodies[0][0].thread_id)
            return
        own, writes = t.checkpoints, t.checkpoint_writes
        self._relink(connection, scope_key, bodies, kept)
        for chunk in _chunks([bytes(row.checkpoint_id) for row in gone]):
            for table in (own, writes):
                connection.execute(
                    sa.delete(table).where(table.c.scope_key == scope_key, table.c.checkpoint_id.in_(chunk))
                )
        scope = ScopeName(self._tenant_id, bodies[0][0].thread_id, bodies[0][0].checkpoint_ns)
        refs = [ref for row, body in bodies if row.seq in kept for ref in body.refs.values()]
        self._sweep_items(
            connection, scope_key, [w for ref in refs if isinstance(ref, Windows) for w in ref.windows]
        )
        self._sweep_values(connection, scope, scope_key, refs)
        run_ids = {str(body.metadata.get("run_id")) for row, body in bodies if row.seq in kept}
        self._sweep_runs(connection, scope_key, run_ids)

    def _drop_scope(self, connection: Connection, scope_key: int, thread_id: str) -> None:
        """Delete a scope without checkpoints; with the thread's last one its dictionaries go too."""
        scopes = t.checkpoint_scopes
        connection.execute(sa.delete(scopes).where(scopes.c.scope_key == scope_key))
        if not self._scopes(connection, thread_id):
            self.delete_thread(connection, thread_id)

    def _relink(
        self, connection: Connection, scope_key: int, bodies: list[tuple[Row[Any], Body]], kept: set[int]
    ) -> None:
        """Give checkpoints whose parent goes the nearest ancestor that stays."""
        own = t.checkpoints
        parents = {row.seq: row.parent_seq for row, _ in bodies}
        for seq in kept:
            parent = parents[seq]
            while parent is not None and parent not in kept:
                parent = parents.get(parent)
            if parent != parents[seq]:
                connection.execute(
                    sa.update(own)
                    .where(own.c.scope_key == scope_key, own.c.seq == seq)
                    .values(parent_seq=parent)
                )

    def _sweep_values(
        self, connection: Connection, scope: ScopeName, scope_key: int, refs: Iterable[Ref]
    ) -> None:
        """Delete values and parts that neither those references nor any row that is left refers to."""
        writes = self._loader.read_writes(connection, scope, scope_key)
        roots = [*refs, *(ref for task in writes for _, _, ref in task.items)]
        missing = {ref.digest for ref in roots if isinstance(ref, Stored)}
        missing |= digests_in(ref.data for ref in roots if isinstance(ref, Inline))
        missing |= digests_in(self._open_items(connection, scope, scope_key))
        kept: set[bytes] = set()
        while missing:
            kept |= missing
            missing = digests_in(self._loader.fetch(connection, scope, scope_key, missing).values()) - kept
        table = t.channel_values
        held = connection.execute(sa.select(table.c.digest).where(table.c.scope_key == scope_key)).scalars()
        for chunk in _chunks([digest for digest in map(bytes, held) if digest not in kept]):
            connection.execute(
                sa.delete(table).where(table.c.scope_key == scope_key, table.c.digest.in_(chunk))
            )

    def _open_items(self, connection: Connection, scope: ScopeName, scope_key: int) -> list[bytes]:
        table = t.list_items
        rows = connection.execute(
            sa.select(table.c.log_no, table.c.seq, table.c.value).where(table.c.scope_key == scope_key)
        )
        return [self._vault.open_item(scope, log_no, seq, blob) for log_no, seq, blob in rows]

    def _sweep_items(
        self, connection: Connection, scope_key: int, kept: Iterable[tuple[int, int, int]]
    ) -> None:
        table = t.list_items
        ends = connection.execute(
            sa.select(table.c.log_no, sa.func.max(table.c.seq))
            .where(table.c.scope_key == scope_key)
            .group_by(table.c.log_no)
        ).all()
        spans: dict[int, list[tuple[int, int]]] = {}
        for log_no, lo, hi in kept:
            spans.setdefault(log_no, []).append((lo, hi))
        for log_no, last in ends:
            own = (table.c.scope_key == scope_key, table.c.log_no == log_no)
            if log_no not in spans:
                connection.execute(sa.delete(table).where(*own))
                continue
            for lo, hi in _gaps(spans[log_no], last):
                connection.execute(sa.delete(table).where(*own, table.c.seq >= lo, table.c.seq < hi))

    def _sweep_runs(self, connection: Connection, scope_key: int, kept: set[str]) -> None:
        table = t.checkpoint_runs
        held = (
            connection.execute(sa.select(table.c.run_id).where(table.c.scope_key == scope_key))
            .scalars()
            .all()
        )
        for chunk in _chunks([run_id for run_id in held if run_id not in kept]):
            connection.execute(
                sa.delete(table).where(table.c.scope_key == scope_key, table.c.run_id.in_(chunk))
            )

    def _copy_dictionaries(self, connection: Connection, source_id: str, target_id: str) -> None:
        table = t.checkpoint_dictionaries
        source, target = (ScopeName(self._tenant_id, thread, "") for thread in (source_id, target_id))
        rows = connection.execute(
            sa.select(table.c.dictionary_id, table.c.value).where(
                table.c.tenant_id == self._tenant_id, table.c.thread_id == source_id
            )
        ).all()
        for dictionary_id, blob in rows:
            dictionary = self._vault.open_dictionary(source, dictionary_id, blob)
            row = {"dictionary_id": dictionary_id, "value": self._vault.close_dictionary(target, dictionary)}
            connection.execute(
                self._do.put_dictionary, {"tenant_id": self._tenant_id, "thread_id": target_id, **row}
            )

    def _copy_scope(
        self, connection: Connection, scope_key: int, source: ScopeName, target: ScopeName
    ) -> None:
        """Copy every row of a scope, sealed for its new place."""
        scopes = t.checkpoint_scopes
        counters = connection.execute(
            sa.select(scopes.c.last_seq, scopes.c.last_log).where(scopes.c.scope_key == scope_key)
        ).one()
        new_key = connection.execute(
            self._do.open_scope,
            {**target._asdict(), "new_seqs": counters.last_seq, "new_logs": counters.last_log},
        ).one()[0]
        for table, columns in _COPIED.items():
            rows = connection.execute(sa.select(table).where(table.c.scope_key == scope_key)).mappings().all()
            for chunk in _chunks(rows):
                copied = [
                    {
                        **row,
                        "scope_key": new_key,
                        columns[-1]: self._moved(source, target, table, columns, row),
                    }
                    for row in chunk
                ]
                connection.execute(sa.insert(table), copied)
        runs = t.checkpoint_runs
        rows = connection.execute(sa.select(runs).where(runs.c.scope_key == scope_key)).mappings().all()
        if rows:
            connection.execute(sa.insert(runs), [{**row, "scope_key": new_key} for row in rows])

    def _moved(
        self, source: ScopeName, target: ScopeName, table: sa.Table, columns: tuple[str, ...], row: Any
    ) -> bytes:
        key = tuple(
            bytes(row[name]) if isinstance(row[name], memoryview) else row[name] for name in columns[:-1]
        )
        return self._vault.move(row[columns[-1]], source, target, table.name, *key)


_COPIED: dict[sa.Table, tuple[str, ...]] = {
    t.checkpoints: ("checkpoint_id", "body"),
    t.channel_values: ("digest", "value"),
    t.list_items: ("log_no", "seq", "value"),
    t.checkpoint_writes: ("checkpoint_id", "task_id", "value"),
}
"""The tables of a scope's rows: the columns of the place a row is sealed for, then the sealed one."""


def needed_by(bodies: list[tuple[Row[Any], Body]], index: int) -> set[int]:
    """Return a checkpoint's number, and those of the ancestors its delta channels are rebuilt from."""
    by_seq = {row.seq: (row, body) for row, body in bodies}
    row, body = bodies[index]
    kept = {row.seq}
    waiting = {
        name for name in body.metadata.get("counters_since_delta_snapshot", ()) if name not in body.refs
    }
    while waiting and row.parent_seq in by_seq:
        row, body = by_seq[row.parent_seq]
        kept.add(row.seq)
        waiting -= body.refs.keys()
    return kept


def _gaps(spans: Collection[tuple[int, int]], last: int) -> list[tuple[int, int]]:
    """Return the stretches below `last` that no span covers."""
    found: list[tuple[int, int]] = []
    at = 0
    for lo, hi in sorted(spans):
        if lo > at:
            found.append((at, lo))
        at = max(at, hi)
    if at < last:
        found.append((at, last))
    return found


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))
