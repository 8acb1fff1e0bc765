"""Deletes, copies and prunes checkpoints without breaking what stays.

What does not live here: single puts and loads, and how rows are cleared away (`sweeping`) and copied (`copying`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from motet.errors import Conflict, InvalidInput
from motet.memory.saver.copying import Copier
from motet.memory.saver.rows import ScopeName, Statements, Vault
from motet.memory.saver.sweeping import Sweeper, chunks
from motet.storage import tables as t

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from motet.memory.saver.copying import Fields, ScopeCopy
    from motet.memory.saver.loading import Loader
    from motet.memory.saver.sweeping import Link

STRATEGIES = ("keep_latest", "delete")

Stamp = tuple[tuple[int, ...], ...]


class ThreadCopy(NamedTuple):
    """A thread's checkpoints as they were read, sealed for another thread."""

    target_id: str
    dictionaries: list[Fields]
    scopes: list[ScopeCopy]


class Upkeep:
    """Maintenance of one tenant's checkpoints. Each method is one transaction's work."""

    def __init__(self, vault: Vault, loader: Loader, statements: Statements, tenant_id: str) -> None:
        self._vault = vault
        self._loader = loader
        self._do = statements
        self._tenant_id = tenant_id
        self._sweeper = Sweeper(vault, loader, tenant_id)
        self._copier = Copier(vault, statements, tenant_id)

    def stamp(self, connection: Connection, thread_id: str) -> Stamp:
        """Return what changes whenever a thread's checkpoints do: what was read counts while it is the same."""
        scopes, own = t.checkpoint_scopes, t.checkpoints
        held = sa.select(sa.func.count()).where(own.c.scope_key == scopes.c.scope_key).scalar_subquery()
        rows = connection.execute(
            sa.select(scopes.c.scope_key, scopes.c.last_seq, scopes.c.last_log, held)
            .where(scopes.c.tenant_id == self._tenant_id, scopes.c.thread_id == thread_id)
            .order_by(scopes.c.scope_key)
        )
        return tuple(tuple(row) for row in rows)

    def lock(self, connection: Connection, thread_id: str) -> None:
        """Wait for writers of a thread in other processes, and keep them out until the transaction's end."""
        for scope_key, _ in self._scopes(connection, thread_id):
            self._lock(connection, scope_key)

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
        for chunk in chunks(sorted(wanted)):
            rows = connection.execute(
                sa.select(runs.c.scope_key, runs.c.first_seq).where(
                    runs.c.tenant_id == self._tenant_id, runs.c.run_id.in_(chunk)
                )
            )
            for scope_key, first_seq in rows:
                begins[scope_key] = min(first_seq, begins.get(scope_key, first_seq))
        for scope_key, first_seq in begins.items():
            self._lock(connection, scope_key)
            scope = self._name(connection, scope_key)
            links = self._sweeper.links(connection, scope_key)
            later = [link.seq for link in links if link.seq >= first_seq]
            bodies = self._sweeper.bodies(connection, scope_key, later)
            gone = {seq for seq, body in bodies.items() if str(body.metadata.get("run_id")) in wanted}
            if gone:
                self._sweep(connection, scope_key, scope, links, {link.seq for link in links} - gone)
        for chunk in chunks(sorted(wanted)):
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
            for scope_key, scope in self._scopes(connection, thread_id):
                self._lock(connection, scope_key)
                links = self._sweeper.links(connection, scope_key)
                if links:
                    newest = self._sweeper.needed_by(connection, scope_key, links, [links[-1].seq])
                    self._sweep(connection, scope_key, scope, links, newest)

    def copy_thread(self, connection: Connection, source_id: str, target_id: str) -> None:
        """Copy a thread's whole history to a thread that has none; an unknown source is passed over.

        Raises:
            Conflict: The target has checkpoints already.
        """
        self.put_copy(connection, self.read_copy(connection, source_id, target_id))

    def read_copy(
        self,
        connection: Connection,
        source_id: str,
        target_id: str,
        kept: Mapping[int, Collection[int]] | None = None,
    ) -> ThreadCopy:
        """Read a thread's checkpoints and seal them for another thread; nothing is written.

        Args:
            connection: Any connection.
            source_id: The thread to copy.
            target_id: The thread that is to have them.
            kept: By the key of a scope the numbers of the checkpoints to copy; without it, all of them.
        """
        scopes: list[ScopeCopy] = []
        for scope_key, scope in self._scopes(connection, source_id):
            without = None
            if kept is not None:
                if not kept[scope_key]:
                    continue
                links = self._sweeper.links(connection, scope_key)
                without = self._sweeper.plan(connection, scope_key, scope, links, kept[scope_key])
            scopes.append(self._copier.scope(connection, scope_key, scope, target_id, without))
        words = self._copier.dictionaries(connection, source_id, target_id)
        return ThreadCopy(target_id, words, scopes)

    def put_copy(self, connection: Connection, copy: ThreadCopy) -> None:
        """Write what `read_copy` read.

        Raises:
            Conflict: The target has checkpoints already.
        """
        if self._scopes(connection, copy.target_id):
            raise Conflict(f"Thread '{copy.target_id}' has checkpoints already: copy to a new thread id.")
        self._copier.write(connection, copy.dictionaries, copy.scopes)

    def _name(self, connection: Connection, scope_key: int) -> ScopeName:
        table = t.checkpoint_scopes
        query = sa.select(table.c.thread_id, table.c.checkpoint_ns).where(table.c.scope_key == scope_key)
        return ScopeName(self._tenant_id, *connection.execute(query).one())

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

    def _sweep(
        self,
        connection: Connection,
        scope_key: int,
        scope: ScopeName,
        links: Sequence[Link],
        kept: set[int],
    ) -> None:
        """Delete every checkpoint but those, with what only the deleted ones refer to."""
        if kept:
            plan = self._sweeper.plan(connection, scope_key, scope, links, kept)
            self._sweeper.carry_out(connection, plan)
        elif links:
            self._drop_scope(connection, scope_key, scope.thread_id)

    def _drop_scope(self, connection: Connection, scope_key: int, thread_id: str) -> None:
        """Delete a scope without checkpoints; with the thread's last one its dictionaries go too."""
        scopes = t.checkpoint_scopes
        connection.execute(sa.delete(scopes).where(scopes.c.scope_key == scope_key))
        if not self._scopes(connection, thread_id):
            self.delete_thread(connection, thread_id)
