"""Clears away checkpoints without breaking what stays: first a plan, which only reads, then the deletions.

What does not live here: which checkpoints stay (`upkeep`, `history`). A plan may be made on a reading connection, so
that the long work of looking at what stays holds no lock; it counts as long as `stamp` has not changed. A row of a
value or a list item goes when no checkpoint that stays refers to it. The last item of a log stays while the log does:
its place must not be given to another item, since other processes may have the old one in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from motet.memory.saver.bodies import Body, Inline, Ref, Stored, Windows
from motet.memory.saver.loading import Loader, select_checkpoints
from motet.memory.saver.parts import digests_in
from motet.memory.saver.rows import ScopeName, Vault
from motet.storage import tables as t

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

_CHUNK = 500


class Link(NamedTuple):
    """A checkpoint's place in its scope."""

    seq: int
    checkpoint_id: bytes
    parent_seq: int | None


class Sweep(NamedTuple):
    """What is to be deleted and changed in a scope."""

    scope_key: int
    checkpoint_ids: list[bytes]
    parents: dict[int, int | None]
    """The new parent of checkpoints whose parent goes, by number."""
    gaps: list[tuple[int, int, int]]
    """`(log_no, lo, hi)`: the items that go."""
    digests: list[bytes]
    run_ids: list[str]


class Sweeper:
    """Plans and carries out deletions in one tenant's scopes."""

    def __init__(self, vault: Vault, loader: Loader, tenant_id: str) -> None:
        self._vault = vault
        self._loader = loader
        self._tenant_id = tenant_id

    def links(self, connection: Connection, scope_key: int) -> list[Link]:
        """Return the links of every checkpoint of a scope, oldest first."""
        own = t.checkpoints
        columns = sa.select(own.c.seq, own.c.checkpoint_id, own.c.parent_seq)
        found = connection.execute(columns.where(own.c.scope_key == scope_key).order_by(own.c.seq))
        return [Link(seq, bytes(key), parent) for seq, key, parent in found]

    def bodies(self, connection: Connection, scope_key: int, seqs: Iterable[int]) -> dict[int, Body]:
        """Read some checkpoints' bodies, by number."""
        own = t.checkpoints
        query = select_checkpoints(self._tenant_id).where(own.c.scope_key == scope_key)
        found: dict[int, Body] = {}
        for chunk in chunks(sorted(seqs)):
            for row in connection.execute(query.where(own.c.seq.in_(chunk))):
                scope = ScopeName(self._tenant_id, row.thread_id, row.checkpoint_ns)
                found[row.seq] = self._loader.read_body(connection, scope, row)[0]
        return found

    def needed_by(
        self, connection: Connection, scope_key: int, links: Sequence[Link], seqs: Iterable[int]
    ) -> set[int]:
        """Return some checkpoints' numbers, and those of the ancestors that their delta channels are rebuilt from."""
        parents = {link.seq: link.parent_seq for link in links}
        kept = set(seqs)
        for seq, body in self.bodies(connection, scope_key, kept).items():
            counted = body.metadata.get("counters_since_delta_snapshot", ())
            waiting, at = {name for name in counted if name not in body.refs}, parents[seq]
            while waiting and at in parents:
                kept.add(at)
                waiting -= self.bodies(connection, scope_key, [at])[at].refs.keys()
                at = parents[at]
        return kept

    def plan(
        self,
        connection: Connection,
        scope_key: int,
        scope: ScopeName,
        links: Sequence[Link],
        kept: Collection[int],
    ) -> Sweep:
        """Find what goes when only the checkpoints `kept` stay, of which there is at least one."""
        gone = [link.checkpoint_id for link in links if link.seq not in kept]
        if not gone:
            return Sweep(scope_key, [], {}, [], [], [])
        stay = {link.checkpoint_id for link in links} - set(gone)
        bodies = self.bodies(connection, scope_key, kept)
        refs = [ref for body in bodies.values() for ref in body.refs.values()]
        gaps = self._gaps(connection, scope_key, refs)
        writes = self._loader.read_writes(connection, scope, scope_key, among=stay)
        written = [ref for task in writes for _, _, ref in task.items]
        return Sweep(
            scope_key,
            gone,
            _new_parents(links, kept),
            gaps,
            self._loose_values(connection, scope, scope_key, [*refs, *written], gaps),
            self._loose_runs(connection, scope_key, bodies),
        )

    def carry_out(self, connection: Connection, sweep: Sweep) -> None:
        """Delete what a plan says."""
        own, items, values = t.checkpoints, t.list_items, t.channel_values
        for seq, parent in sweep.parents.items():
            one = sa.and_(own.c.scope_key == sweep.scope_key, own.c.seq == seq)
            connection.execute(sa.update(own).where(one).values(parent_seq=parent))
        for table in (own, t.checkpoint_writes):
            _delete(connection, table, sweep.scope_key, table.c.checkpoint_id, sweep.checkpoint_ids)
        for log_no, lo, hi in sweep.gaps:
            log = sa.and_(items.c.scope_key == sweep.scope_key, items.c.log_no == log_no)
            connection.execute(sa.delete(items).where(log, items.c.seq >= lo, items.c.seq < hi))
        _delete(connection, values, sweep.scope_key, values.c.digest, sweep.digests)
        runs = t.checkpoint_runs
        _delete(connection, runs, sweep.scope_key, runs.c.run_id, sweep.run_ids)

    def _gaps(
        self, connection: Connection, scope_key: int, refs: Iterable[Ref]
    ) -> list[tuple[int, int, int]]:
        """Return the stretches of logs that no reference has in its windows, but for a kept log's last item."""
        table = t.list_items
        ends = connection.execute(
            sa.select(table.c.log_no, sa.func.max(table.c.seq))
            .where(table.c.scope_key == scope_key)
            .group_by(table.c.log_no)
        ).all()
        spans: dict[int, set[tuple[int, int]]] = {}
        for ref in refs:
            for log_no, lo, hi in ref.windows if isinstance(ref, Windows) else ():
                spans.setdefault(log_no, set()).add((lo, hi))
        found: list[tuple[int, int, int]] = []
        for log_no, last in ends:
            if log_no in spans:
                found += [(log_no, lo, hi) for lo, hi in _between(spans[log_no], last)]
            else:
                found.append((log_no, 0, last + 1))
        return found

    def _loose_values(
        self,
        connection: Connection,
        scope: ScopeName,
        scope_key: int,
        refs: Collection[Ref],
        gaps: Iterable[tuple[int, int, int]],
    ) -> list[bytes]:
        """Return the values and parts that neither those references nor any item that stays refers to."""
        table = t.channel_values
        query = sa.select(table.c.digest).where(table.c.scope_key == scope_key)
        held = {bytes(digest) for digest in connection.execute(query).scalars()}
        if not held:
            return []
        missing = {ref.digest for ref in refs if isinstance(ref, Stored)}
        missing |= digests_in(ref.data for ref in refs if isinstance(ref, Inline))
        missing |= digests_in(self._open_items(connection, scope, scope_key, gaps))
        kept: set[bytes] = set()
        while missing:
            kept |= missing
            missing = digests_in(self._loader.fetch(connection, scope, scope_key, missing).values()) - kept
        return sorted(held - kept)

    def _open_items(
        self, connection: Connection, scope: ScopeName, scope_key: int, gaps: Iterable[tuple[int, int, int]]
    ) -> Iterable[bytes]:
        table = t.list_items
        query = sa.select(table.c.log_no, table.c.seq, table.c.value).where(table.c.scope_key == scope_key)
        without: dict[int, list[tuple[int, int]]] = {}
        for log_no, lo, hi in gaps:
            without.setdefault(log_no, []).append((lo, hi))
        for log_no, seq, blob in connection.execute(query):
            if not any(lo <= seq < hi for lo, hi in without.get(log_no, ())):
                yield self._vault.open_item(scope, log_no, seq, blob)

    def _loose_runs(self, connection: Connection, scope_key: int, bodies: Mapping[int, Body]) -> list[str]:
        table = t.checkpoint_runs
        kept = {str(body.metadata.get("run_id")) for body in bodies.values()}
        query = sa.select(table.c.run_id).where(table.c.scope_key == scope_key)
        return [run_id for run_id in connection.execute(query).scalars() if run_id not in kept]


def _new_parents(links: Sequence[Link], kept: Collection[int]) -> dict[int, int | None]:
    """Return the nearest ancestor that stays, of checkpoints whose parent goes."""
    parents, changed = {link.seq: link.parent_seq for link in links}, dict[int, int | None]()
    for seq in kept:
        parent = parents[seq]
        while parent is not None and parent not in kept:
            parent = parents.get(parent)
        if parent != parents[seq]:
            changed[seq] = parent
    return changed


def _delete(
    connection: Connection, table: sa.Table, scope_key: int, column: sa.Column[Any], values: Sequence[Any]
) -> None:
    for chunk in chunks(values):
        connection.execute(sa.delete(table).where(table.c.scope_key == scope_key, column.in_(chunk)))


def _between(spans: Collection[tuple[int, int]], last: int) -> list[tuple[int, int]]:
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


def chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Cut into pieces that one statement takes."""
    return (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))
