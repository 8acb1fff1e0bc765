"""Reads checkpoints: the rows, the values they refer to, and what of it is in memory already.

What does not live here: writing. Every function takes a connection and reads a bounded number of rows: those of one
checkpoint, less the list items that are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from motet.errors import MotetBug, StateCorrupt
from motet.memory.saver.bodies import (
    Body,
    Dictionary,
    Inline,
    Ref,
    Stored,
    Window,
    Windows,
    decode_body,
    decode_ref,
)
from motet.memory.saver.cache import Head
from motet.memory.saver.lists import KnownList
from motet.memory.saver.parts import Joiner, digests_in
from motet.memory.saver.prints import copy_of, is_clean
from motet.memory.saver.rows import ScopeName, Vault, pack_id, unpack_id
from motet.storage import tables as t
from motet.storage.ready import Ready

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy.engine import Connection, Row

    from motet.memory.saver.cache import Memory
    from motet.memory.serde import StrictSerializer

_CHUNK = 500


@dataclass(slots=True)
class Loaded:
    """A checkpoint as it was read."""

    scope: ScopeName
    checkpoint_id: str
    parent_id: str | None
    body: Body
    values: dict[str, Any]
    writes: list[tuple[str, str, Any]]
    """`(task_id, channel, value)`, in the order in which a live run applies them."""


class TaskWrites(NamedTuple):
    """What a task wrote, as it is stored."""

    task_id: str
    task_path: str
    items: list[tuple[int, str, Ref]]
    """`(idx, channel, where the value is)`."""


def select_checkpoints(tenant_id: str | sa.BindParameter[str]) -> sa.Select[*tuple[Any, ...]]:
    """Select a tenant's checkpoints with their scope and their parent's key; the caller narrows and orders."""
    scopes, own, parent = t.checkpoint_scopes, t.checkpoints, t.checkpoints.alias("parent")
    joined = own.join(scopes, scopes.c.scope_key == own.c.scope_key).outerjoin(
        parent, sa.and_(parent.c.scope_key == own.c.scope_key, parent.c.seq == own.c.parent_seq)
    )
    return (
        sa.select(
            scopes.c.thread_id,
            scopes.c.checkpoint_ns,
            scopes.c.last_log,
            own.c.scope_key,
            own.c.seq,
            own.c.parent_seq,
            own.c.checkpoint_id,
            own.c.dictionary_id,
            own.c.body,
            parent.c.checkpoint_id.label("parent_key"),
        )
        .select_from(joined)
        .where(scopes.c.tenant_id == tenant_id)
    )


class _Queries:
    """The queries of a load, built once: building takes longer than running them."""

    def __init__(self) -> None:
        scopes, own, items = t.checkpoint_scopes, t.checkpoints, t.list_items
        values, writes, words = t.channel_values, t.checkpoint_writes, t.checkpoint_dictionaries
        of_scope = select_checkpoints(sa.bindparam("tenant_id")).where(
            scopes.c.thread_id == sa.bindparam("thread_id"),
            scopes.c.checkpoint_ns == sa.bindparam("checkpoint_ns"),
        )
        self.newest = Ready(of_scope.order_by(own.c.seq.desc()).limit(1))
        self.by_id = Ready(of_scope.where(own.c.checkpoint_id == sa.bindparam("key")))
        self.items = Ready(
            sa.select(items.c.seq, items.c.value)
            .where(
                items.c.scope_key == sa.bindparam("scope_key"),
                items.c.log_no == sa.bindparam("log_no"),
                items.c.seq >= sa.bindparam("lo"),
                items.c.seq < sa.bindparam("hi"),
            )
            .order_by(items.c.seq)
        )
        self.values = sa.select(values.c.digest, values.c.value).where(
            values.c.scope_key == sa.bindparam("scope_key"),
            values.c.digest.in_(sa.bindparam("digests", expanding=True)),
        )
        self.all_writes = sa.select(writes.c.checkpoint_id, writes.c.task_id, writes.c.value).where(
            writes.c.scope_key == sa.bindparam("scope_key")
        )
        self.writes = Ready(self.all_writes.where(writes.c.checkpoint_id == sa.bindparam("key")))
        self.dictionary = Ready(
            sa.select(words.c.value).where(
                words.c.tenant_id == sa.bindparam("tenant_id"),
                words.c.thread_id == sa.bindparam("thread_id"),
                words.c.dictionary_id == sa.bindparam("dictionary_id"),
            )
        )


class Loader:
    """Reads checkpoints of one tenant."""

    def __init__(self, vault: Vault, serde: StrictSerializer, memory: Memory, tenant_id: str) -> None:
        self._vault = vault
        self.serde = serde
        self._memory = memory
        self._tenant_id = tenant_id
        self._ask = _Queries()

    def find_row(
        self, connection: Connection, scope: ScopeName, checkpoint_id: str | None
    ) -> Row[Any] | None:
        """Return the row of a checkpoint, of the newest one for None."""
        if checkpoint_id is None:
            return self._ask.newest.first(connection, scope._asdict())
        return self._ask.by_id.first(connection, {**scope._asdict(), "key": pack_id(checkpoint_id)})

    def find_head(self, connection: Connection, scope: ScopeName, checkpoint_id: str) -> Head | None:
        """Return what a put needs to know of a checkpoint, None when there is no such."""
        row = self.find_row(connection, scope, checkpoint_id)
        return None if row is None else self.read_head(connection, scope, row)

    def read_head(self, connection: Connection, scope: ScopeName, row: Row[Any]) -> Head:
        """Return what a put needs to know of a row's checkpoint."""
        return self.read_body(connection, scope, row)[1]

    def read_body(self, connection: Connection, scope: ScopeName, row: Row[Any]) -> tuple[Body, Head]:
        """Open a row's body."""
        dictionary = self._dictionary(connection, scope, row.dictionary_id)
        data = self._vault.open_body(scope, bytes(row.checkpoint_id), row.body, dictionary)
        body = decode_body(data, self.serde)
        head = Head.of(row.scope_key, row.last_log, body, dictionary)
        self._memory.heads.put((scope, unpack_id(row.checkpoint_id)), head)
        return body, head

    def load(self, connection: Connection, row: Row[Any]) -> Loaded:
        """Read everything that a checkpoint holds.

        Raises:
            StateCorrupt: Something of it is missing, or its seal is broken.
        """
        scope = ScopeName(self._tenant_id, row.thread_id, row.checkpoint_ns)
        body, _ = self.read_body(connection, scope, row)
        parent_id = unpack_id(row.parent_key) if row.parent_key is not None else body.missing_parent
        return Loaded(
            scope,
            unpack_id(row.checkpoint_id),
            parent_id,
            body,
            self._values(connection, scope, row.scope_key, body.refs),
            self._writes(connection, scope, row.scope_key, bytes(row.checkpoint_id)),
        )

    def read_list(
        self,
        connection: Connection,
        scope: ScopeName,
        scope_key: int,
        channel: str,
        windows: tuple[Window, ...],
    ) -> KnownList:
        """Return a list, from memory as far as it is there unchanged, and keep it there."""
        known = self._memory.lists.get(scope_key, channel)
        if known is not None and known.windows == windows and self._is_clean(known):
            return known
        found = KnownList(windows, [], [])
        for window in windows:
            at = window.lo
            while at < window.hi:
                lo, hi, index = (known.find(window.log_no, at, window.hi) if known else None) or (
                    window.hi,
                    window.hi,
                    0,
                )
                if at < lo:
                    self._fetch(connection, scope, scope_key, window._replace(lo=at, hi=lo), found)
                if lo < hi and not (known and self._take(known, index, hi - lo, found)):
                    self._fetch(connection, scope, scope_key, window._replace(lo=lo, hi=hi), found)
                at = hi
        self._memory.lists.put(scope_key, channel, found)
        return found

    def _take(self, known: KnownList, index: int, size: int, into: KnownList) -> bool:
        """Take a stretch from memory; not where somebody changed an item of it in place."""
        part = slice(index, index + size)
        items, prints, copies = known.items[part], known.prints[part], known.copies[part]
        clean = is_clean(self.serde, items, prints, copies)
        if clean:
            into.items.extend(items)
            into.prints.extend(prints)
            into.copies.extend(copies or [None] * size)
        return clean

    def _is_clean(self, known: KnownList) -> bool:
        return is_clean(self.serde, known.items, known.prints, known.copies)

    def _fetch(
        self, connection: Connection, scope: ScopeName, scope_key: int, window: Window, into: KnownList
    ) -> None:
        """Append a window's items, read from the database."""
        rows = self._ask.items.all(connection, {"scope_key": scope_key, **window._asdict()})
        if len(rows) != window.hi - window.lo:
            raise StateCorrupt(
                f"Thread {scope.thread_id}: {window.hi - window.lo - len(rows)} stored list items are missing.",
                table="list_items",
                row=f"{scope.thread_id}/{scope.checkpoint_ns}/{window.log_no}",
            )
        opened = [self._vault.open_item(scope, window.log_no, seq, value) for seq, value in rows]
        for item in self.decode(connection, scope, scope_key, opened):
            into.items.append(item)
            into.prints.append(self.serde.print_of(item))
            into.copies.append(copy_of(item))

    def decode(
        self, connection: Connection, scope: ScopeName, scope_key: int, values: Sequence[bytes | Stored]
    ) -> list[Any]:
        """Return values, with all that they refer to."""
        held: dict[bytes, bytes] = {}
        missing = {value.digest for value in values if isinstance(value, Stored)}
        missing |= digests_in(value for value in values if isinstance(value, bytes))
        while missing:
            fetched = self.fetch(connection, scope, scope_key, missing)
            held |= fetched
            missing = digests_in(fetched.values()) - held.keys()
        reader = Joiner(self.serde, held) if held else self.serde
        return [reader.loads(held[value.digest] if isinstance(value, Stored) else value) for value in values]

    def fetch(
        self, connection: Connection, scope: ScopeName, scope_key: int, digests: Iterable[bytes]
    ) -> dict[bytes, bytes]:
        """Return the bytes of values that are rows of their own, by digest.

        Raises:
            StateCorrupt: One is missing, or its seal is broken.
        """
        wanted, found = list(digests), dict[bytes, bytes]()
        for at in range(0, len(wanted), _CHUNK):
            asked = {"scope_key": scope_key, "digests": wanted[at : at + _CHUNK]}
            rows = connection.execute(self._ask.values, asked)
            found |= {bytes(key): self._vault.open_value(scope, bytes(key), value) for key, value in rows}
        for digest in wanted:
            if digest not in found:
                raise StateCorrupt(
                    f"Thread {scope.thread_id}: a stored value is missing. Restore it from a backup.",
                    table="channel_values",
                    row=f"{scope.thread_id}/{scope.checkpoint_ns}/{digest.hex()}",
                )
        return found

    def read_writes(
        self,
        connection: Connection,
        scope: ScopeName,
        scope_key: int,
        key: bytes | None = None,
        *,
        among: Collection[bytes] | None = None,
    ) -> list[TaskWrites]:
        """Return the pending writes of a checkpoint, of some, or of all of a scope, not yet decoded."""
        if key is None:
            found = connection.execute(self._ask.all_writes, {"scope_key": scope_key})
        else:
            found = self._ask.writes.all(connection, {"scope_key": scope_key, "key": key})
        return [
            self.open_writes(scope, bytes(row.checkpoint_id), bytes(row.task_id), row.value)
            for row in found
            if among is None or bytes(row.checkpoint_id) in among
        ]

    def open_writes(self, scope: ScopeName, key: bytes, task: bytes, blob: bytes) -> TaskWrites:
        """Open a task's pending writes; their values stay as they are stored."""
        task_path, items = self.serde.loads(self._vault.open_writes(scope, key, task, blob))
        found = [(idx, channel, decode_ref(ref)) for idx, channel, ref in items]
        return TaskWrites(unpack_id(task), task_path, found)

    def _values(
        self, connection: Connection, scope: ScopeName, scope_key: int, refs: dict[str, Ref]
    ) -> dict[str, Any]:
        plain = {channel: _source(ref) for channel, ref in refs.items() if not isinstance(ref, Windows)}
        decoded = self.decode(connection, scope, scope_key, list(plain.values()))
        values = dict(zip(plain, decoded, strict=True))
        for channel, ref in refs.items():
            if isinstance(ref, Windows):
                values[channel] = list(
                    self.read_list(connection, scope, scope_key, channel, ref.windows).items
                )
        return values

    def _writes(
        self, connection: Connection, scope: ScopeName, scope_key: int, key: bytes
    ) -> list[tuple[str, str, Any]]:
        ordered = sorted(
            ((writes.task_path, writes.task_id, idx), channel, _source(ref))
            for writes in self.read_writes(connection, scope, scope_key, key)
            for idx, channel, ref in writes.items
        )
        decoded = self.decode(connection, scope, scope_key, [source for _, _, source in ordered])
        return [
            (place[1], channel, value) for (place, channel, _), value in zip(ordered, decoded, strict=True)
        ]

    def _dictionary(
        self, connection: Connection, scope: ScopeName, dictionary_id: int | None
    ) -> Dictionary | None:
        if dictionary_id is None:
            return None
        key = (scope.tenant_id, scope.thread_id, dictionary_id)
        known = self._memory.dictionaries.get(key)
        if known is not None:
            return known
        asked = {"tenant_id": scope.tenant_id, "thread_id": scope.thread_id, "dictionary_id": dictionary_id}
        row = self._ask.dictionary.first(connection, asked)
        if row is None:
            raise StateCorrupt(
                f"Thread {scope.thread_id}: what its checkpoints are deflated against is missing.",
                table="checkpoint_dictionaries",
                row=f"{scope.thread_id}/{dictionary_id}",
            )
        found = self._vault.open_dictionary(scope, dictionary_id, row.value)
        self._memory.dictionaries.put(key, found)
        return found


def _source(ref: Ref) -> bytes | Stored:
    if isinstance(ref, Windows):
        raise MotetBug("A list is not read as a plain value.")
    return ref.data if isinstance(ref, Inline) else ref
