"""Writes checkpoints: first everything that takes time, without a lock; then a short transaction.

What does not live here: reading. A `Draft` is prepared on the assumption that nobody else wrote to the scope since
its parent was read; the transaction checks that, and prepares once more where it was wrong (another branch has the
place after the list's last item, the parent was pruned, the thread was deleted).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from motet.memory.saver.bodies import (
    INLINE_BYTES,
    Body,
    Inline,
    Ref,
    Stored,
    Windows,
    deflate_body,
    digest_of,
    encode_body,
    encode_ref,
)
from motet.memory.saver.cache import Head
from motet.memory.saver.drafts import Done, Draft, ListDraft, NeedsConnection, Put, SealedWrites, Writes
from motet.memory.saver.lists import KnownList, plan
from motet.memory.saver.parts import Splitter
from motet.memory.saver.prints import copies_of, prints_of
from motet.memory.saver.rows import FIND_SEQ, pack_id
from motet.storage import tables as t

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from motet.memory.saver.cache import Memory
    from motet.memory.saver.loading import Loader
    from motet.memory.saver.rows import ScopeName, Statements, Vault
    from motet.memory.serde import StrictSerializer

_NUMBERS = frozenset({int, float, bool, type(None)})
_OWN_KEYS = frozenset(
    {"v", "id", "ts", "channel_values", "channel_versions", "versions_seen", "updated_channels"}
)


class _Conflict(Exception):  # a signal, not a fault
    """The draft's assumptions do not hold."""


class Writer:
    """Writes checkpoints and pending writes of one tenant."""

    def __init__(
        self, vault: Vault, serde: StrictSerializer, memory: Memory, loader: Loader, statements: Statements
    ) -> None:
        self._vault = vault
        self._serde = serde
        self._memory = memory
        self._loader = loader
        self._do = statements

    def prepare(
        self,
        connection: Connection | None,
        put: Put,
        parent: Head | None,
        *,
        last_log: int,
        fork: bool = False,
    ) -> Draft:
        """Serialize and seal a put.

        Args:
            connection: To read the parent's lists where they are not in memory; None where they are.
            put: The checkpoint.
            parent: What it grows from, None for nothing.
            last_log: Number of the scope's newest log.
            fork: Put new list items into new logs.

        Raises:
            InvalidInput: A value is of an unknown class.
        """
        draft = Draft(put, parent, last_log, fork, _body(put))
        versions = put.checkpoint["channel_versions"]
        for channel, value in put.checkpoint["channel_values"].items():
            old = parent.refs.get(channel) if parent else None
            # A copy of a checkpoint is put beside it, with its parent and no new version: versions decide too.
            unchanged = channel not in put.new_versions and versions.get(channel) == _version(parent, channel)
            if old is not None and unchanged:
                draft.body.refs[channel] = old
            else:
                draft.body.refs[channel] = self._ref(connection, draft, channel, value, old)
        draft.values = self._close_values(put.scope, draft.aside)
        self._close(draft)
        return draft

    def commit(self, connection: Connection, draft: Draft) -> Done:
        """Write a draft in the running transaction; on a conflict, prepare it again first."""
        put = draft.put
        scope_key, seq, last_log = self._do.open_scope.one(
            connection, {**put.scope._asdict(), "new_seqs": 1, "new_logs": draft.new_logs}
        )
        parent_seq = self._parent_seq(connection, scope_key, put)
        try:
            if draft.parent is not None and (draft.parent.scope_key != scope_key or parent_seq is None):
                raise _Conflict
            if draft.new_logs and last_log != draft.last_log + draft.new_logs:
                raise _Conflict
            self._append(connection, scope_key, draft)
        except _Conflict:
            draft = self._again(connection, draft, last_log, has_parent=parent_seq is not None)
            self._append(connection, scope_key, draft)
        if put.parent_id is not None and parent_seq is None:
            draft.body.missing_parent = put.parent_id
            self._close(draft)
        self._insert(connection, draft, scope_key, seq, parent_seq)
        return Done(draft, scope_key, max(last_log, draft.last_log + draft.new_logs))

    def remember(self, done: Done) -> None:
        """Keep in memory what was written. Only after the commit: what was undone must not be built upon."""
        draft = done.draft
        scope = draft.put.scope
        head = Head.of(done.scope_key, done.last_log, draft.body, draft.dictionary)
        self._memory.heads.put((scope, draft.put.checkpoint["id"]), head)
        if draft.dictionary is not None:
            self._memory.latest.put((scope.tenant_id, scope.thread_id, scope.shape), draft.dictionary)
        for draft_list in draft.lists:
            self._memory.lists.put(done.scope_key, draft_list.channel, draft_list.known)

    def seal_writes(self, writes: Writes) -> SealedWrites:
        """Serialize and seal a task's pending writes.

        Raises:
            InvalidInput: A value is of an unknown class.
        """
        aside: dict[bytes, bytes] = {}
        items: list[tuple[int, str, Ref]] = [
            (idx, channel, self._plain_ref(value, aside)) for idx, channel, value in writes.items
        ]
        return SealedWrites(items, self._sealed(writes, items), self._close_values(writes.scope, aside))

    def commit_writes(self, connection: Connection, writes: Writes, sealed: SealedWrites) -> None:
        """Write a task's pending writes; those with the same index that are there already win, unless special.

        Special writes (an error, an interrupt, its answer) take the place of the older one.
        """
        scope_key = self._do.open_scope.one(
            connection, {**writes.scope._asdict(), "new_seqs": 0, "new_logs": 0}
        )[0]
        self._insert_values(connection, scope_key, sealed.values)
        key, task = pack_id(writes.checkpoint_id), pack_id(writes.task_id)
        row = {"scope_key": scope_key, "checkpoint_id": key, "task_id": task, "value": sealed.blob}
        if self._do.put_writes.first(connection, row) is not None:
            return
        table = t.checkpoint_writes
        blob = connection.execute(
            sa.select(table.c.value).where(
                table.c.scope_key == scope_key, table.c.checkpoint_id == key, table.c.task_id == task
            )
        ).scalar_one()
        old = self._loader.open_writes(writes.scope, key, task, blob)
        merged = {item[0]: item for item in old.items}
        replaces = all(idx < 0 for idx, _, _ in sealed.items)
        for item in sealed.items:
            if replaces or item[0] not in merged:
                merged[item[0]] = item
        whole = writes._replace(task_path=writes.task_path or old.task_path)
        bound = {"b_scope_key": scope_key, "b_checkpoint_id": key, "b_task_id": task}
        value = self._sealed(whole, list(merged.values()))
        connection.execute(self._do.replace_writes, {**bound, "value": value})

    def _sealed(self, writes: Writes, items: list[tuple[int, str, Ref]]) -> bytes:
        value = [writes.task_path, [[idx, channel, encode_ref(ref)] for idx, channel, ref in items]]
        key, task = pack_id(writes.checkpoint_id), pack_id(writes.task_id)
        return self._vault.close_writes(writes.scope, key, task, self._serde.dumps(value))

    def _ref(
        self, connection: Connection | None, draft: Draft, channel: str, value: Any, old: Ref | None
    ) -> Ref:
        """Put a value where it belongs by its kind and size."""
        if type(value) is list and value and not _all_numbers(cast("list[Any]", value)):
            items = cast("list[Any]", value)
            if isinstance(old, Windows) or not self._is_short(items):
                return self._windows(connection, draft, channel, items, old)
        return self._plain_ref(value, draft.aside)

    def _plain_ref(self, value: Any, aside: dict[bytes, bytes]) -> Inline | Stored:
        """Serialize a value: a small one stays inline, its larger messages and a larger value are put aside."""
        splitter = Splitter(self._serde)
        data = splitter.dumps(value)
        aside |= splitter.parts
        if len(data) <= INLINE_BYTES:
            return Inline(data)
        digest = digest_of(data)
        aside[digest] = data
        return Stored(digest)

    def _close_values(self, scope: ScopeName, aside: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        return [(digest, self._vault.close_value(scope, digest, data)) for digest, data in aside.items()]

    def _insert_values(
        self, connection: Connection, scope_key: int, values: list[tuple[bytes, bytes]]
    ) -> None:
        if values:
            rows = [{"scope_key": scope_key, "digest": digest, "value": value} for digest, value in values]
            self._do.put_value.do(connection, *rows)

    def _is_short(self, items: list[Any]) -> bool:
        return len(items) <= 8 and len(self._serde.dumps(items)) <= INLINE_BYTES

    def _windows(
        self, connection: Connection | None, draft: Draft, channel: str, items: list[Any], old: Ref | None
    ) -> Windows:
        """Find what is new in a list, seal that, and return where all of it is."""
        scope, serde = draft.put.scope, self._serde
        known: KnownList | None = None
        if draft.parent is not None and isinstance(old, Windows):
            known = self._memory.lists.get(draft.parent.scope_key, channel)
            if known is None or known.windows != old.windows:
                if connection is None:
                    raise NeedsConnection
                known = self._loader.read_list(
                    connection, scope, draft.parent.scope_key, channel, old.windows
                )
        prints = prints_of(serde, known, items)
        found = plan(known, prints, draft.last_log + draft.new_logs + 1, fork=draft.fork)
        draft.new_logs += found.new_log
        splitter = Splitter(serde)
        rows = [
            (seq, self._vault.close_item(scope, found.log_no, seq, splitter.dumps(items[index])))
            for seq, index in enumerate(found.new, start=found.first_seq)
        ]
        draft.aside |= splitter.parts
        kept = KnownList(found.windows, list(items), prints, copies_of(known, items, prints))
        draft.lists.append(ListDraft(channel, kept, found.log_no, rows))
        return Windows(found.windows)

    def _close(self, draft: Draft) -> None:
        """Deflate and seal the body."""
        scope = draft.put.scope
        sure = draft.parent.dictionary if draft.parent else None
        known = sure or self._memory.latest.get((scope.tenant_id, scope.thread_id, scope.shape))
        deflated, dictionary = deflate_body(encode_body(draft.body, self._serde), known)
        draft.dictionary = dictionary
        draft.sealed_dictionary = (
            self._vault.close_dictionary(scope, dictionary) if dictionary and dictionary != sure else None
        )
        draft.sealed_body = self._vault.close_body(scope, pack_id(draft.put.checkpoint["id"]), deflated)

    def _parent_seq(self, connection: Connection, scope_key: int, put: Put) -> int | None:
        if put.parent_id is None:
            return None
        row = FIND_SEQ.first(connection, {"scope_key": scope_key, "checkpoint_id": pack_id(put.parent_id)})
        return None if row is None else row[0]

    def _again(self, connection: Connection, draft: Draft, last_log: int, *, has_parent: bool) -> Draft:
        """Prepare a draft inside the transaction, where nothing can change any more."""
        put = draft.put
        head: Head | None = None
        if has_parent and put.parent_id is not None:
            row = self._loader.find_row(connection, put.scope, put.parent_id)
            head = self._loader.read_head(connection, put.scope, row) if row is not None else None
        again = self.prepare(connection, put, head, last_log=last_log, fork=True)
        if again.new_logs:
            self._do.open_scope.one(
                connection, {**put.scope._asdict(), "new_seqs": 0, "new_logs": again.new_logs}
            )
        return again

    def _append(self, connection: Connection, scope_key: int, draft: Draft) -> None:
        """Append the new list items, if their places are free."""
        for draft_list in draft.lists:
            rows = [
                {"scope_key": scope_key, "log_no": draft_list.log_no, "seq": seq, "value": value}
                for seq, value in draft_list.rows
            ]
            if rows and self._do.put_item.first(connection, rows[0]) is None:
                raise _Conflict
            if len(rows) > 1:
                self._do.put_items.do(connection, *rows[1:])

    def _insert(
        self, connection: Connection, draft: Draft, scope_key: int, seq: int, parent_seq: int | None
    ) -> None:
        scope, dictionary = draft.put.scope, draft.dictionary
        if draft.sealed_dictionary is not None and dictionary is not None:
            row = {"dictionary_id": dictionary.dictionary_id, "value": draft.sealed_dictionary}
            self._do.put_dictionary.do(
                connection, {"tenant_id": scope.tenant_id, "thread_id": scope.thread_id, **row}
            )
        if draft.values:
            rows = [
                {"scope_key": scope_key, "digest": digest, "value": value} for digest, value in draft.values
            ]
            self._do.put_value.do(connection, *rows)
        self._do.put_checkpoint.do(
            connection,
            {
                "scope_key": scope_key,
                "seq": seq,
                "checkpoint_id": pack_id(draft.put.checkpoint["id"]),
                "parent_seq": parent_seq,
                "dictionary_id": dictionary.dictionary_id if dictionary else None,
                "body": draft.sealed_body,
            },
        )
        run_id = draft.put.metadata.get("run_id")
        before = draft.parent.run_id if draft.parent else None
        if run_id is not None and run_id != before:
            self._do.put_run.do(
                connection,
                {
                    "tenant_id": scope.tenant_id,
                    "run_id": str(run_id),
                    "scope_key": scope_key,
                    "first_seq": seq,
                },
            )


def _version(head: Head | None, channel: str) -> str | int | float | None:
    return head.versions.get(channel) if head else None


def _body(put: Put) -> Body:
    checkpoint = put.checkpoint
    return Body(
        v=checkpoint["v"],
        ts=checkpoint["ts"],
        versions=checkpoint["channel_versions"],
        seen=checkpoint["versions_seen"],
        updated=checkpoint.get("updated_channels"),
        refs={},
        metadata=put.metadata,
        more={key: value for key, value in checkpoint.items() if key not in _OWN_KEYS and value},
    )


def _all_numbers(items: list[Any]) -> bool:
    return type(items[0]) in _NUMBERS and all(type(item) in _NUMBERS for item in items)
