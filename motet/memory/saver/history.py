"""A thread's history as somebody walks it: the points to go back to, forks, rewinds, and keeping the newest.

What does not live here: transcripts and names (`runs.threads`). Each method is one transaction's work on checkpoints
alone, so that whoever keeps a transcript beside them changes both at once.
"""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from langgraph.checkpoint.base.id import uuid6

from motet.errors import NotFound
from motet.memory.saver.bodies import Dictionary, deflate_body, encode_body
from motet.memory.saver.rows import ScopeName, pack_id, unpack_id
from motet.memory.saver.upkeep import Upkeep
from motet.storage import tables as t

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.engine import Connection

    from motet.memory.saver.loading import Loaded
    from motet.memory.saver.sweeping import Sweep
    from motet.memory.saver.upkeep import ThreadCopy

REWIND = "rewind:"
"""What the run id of a checkpoint begins with that a rewind made."""


class Point(NamedTuple):
    """A checkpoint of a thread's main namespace."""

    seq: int
    """Its place in the order."""
    checkpoint_id: str
    run_id: str | None
    """The run that made it; None where none is known."""
    parent_seq: int | None


class History(Upkeep):
    """Walks, forks and rewinds one tenant's threads, besides deleting, copying and pruning them."""

    def points(self, connection: Connection, thread_id: str) -> list[Point]:
        """Return every checkpoint of a thread's main namespace, oldest first; an unknown thread has none."""
        scope = self._main(connection, thread_id)
        if scope is None:
            return []
        own = t.checkpoints
        rows = connection.execute(
            sa.select(own.c.seq, own.c.checkpoint_id, own.c.parent_seq)
            .where(own.c.scope_key == scope)
            .order_by(own.c.seq)
        )
        run_of = self._run_of(connection, scope)
        return [Point(seq, unpack_id(key), run_of(seq), parent) for seq, key, parent in rows]

    def load(self, connection: Connection, thread_id: str, checkpoint_id: str | None) -> Loaded | None:
        """Return a checkpoint of a thread's main namespace, the newest for None; None when there is no such."""
        row = self._loader.find_row(connection, ScopeName(self._tenant_id, thread_id, ""), checkpoint_id)
        return None if row is None else self._loader.load(connection, row)

    def fork(
        self,
        connection: Connection,
        source_id: str,
        target_id: str,
        checkpoint_id: str,
        runs: Collection[str],
    ) -> ThreadCopy:
        """Read a checkpoint with all that led to it, for a thread that has none (`put_copy`): the newest there.

        Args:
            connection: Any connection.
            source_id: The thread to copy from.
            target_id: The new one.
            checkpoint_id: The last checkpoint that is copied, of the main namespace.
            runs: Of the namespaces below only what these runs made is kept.

        Raises:
            NotFound: The thread has no such checkpoint.
        """
        found = self._seq_of(connection, source_id, checkpoint_id)
        kept: dict[int, set[int]] = {}
        for scope_key, scope in self._scopes(connection, source_id):
            parents = {link.seq: link.parent_seq for link in self._sweeper.links(connection, scope_key)}
            if scope.checkpoint_ns:
                run_of = self._run_of(connection, scope_key)
                kept[scope_key] = {seq for seq in parents if run_of(seq) in (None, *runs)}
            else:
                kept[scope_key] = _line(parents, found)
        return self.read_copy(connection, source_id, target_id, kept)

    def rewind(self, connection: Connection, thread_id: str, checkpoint_id: str) -> str:
        """Make a copy of a checkpoint the thread's newest; what came after it stays. Return the copy's id.

        Namespaces below that go on from turn to turn are left as they are.

        Raises:
            NotFound: The thread has no such checkpoint.
        """
        seq = self._seq_of(connection, thread_id, checkpoint_id)
        scope = ScopeName(self._tenant_id, thread_id, "")
        row = self._loader.find_row(connection, scope, checkpoint_id)
        if row is None:
            raise _unknown(thread_id, checkpoint_id)
        body, head = self._loader.read_body(connection, scope, row)
        new_id = str(uuid6(clock_seq=-2))
        body.metadata = {**body.metadata, "run_id": f"{REWIND}{new_id}"}
        deflated, dictionary = deflate_body(encode_body(body, self._loader.serde), head.dictionary)
        key, new_seq, _ = self._do.open_scope.one(
            connection, {**scope._asdict(), "new_seqs": 1, "new_logs": 0}
        )
        if dictionary is not None and dictionary != head.dictionary:
            self._put_dictionary(connection, scope, dictionary)
        checkpoint = {
            "scope_key": key,
            "seq": new_seq,
            "checkpoint_id": pack_id(new_id),
            "parent_seq": seq,
            "dictionary_id": dictionary.dictionary_id if dictionary else None,
            "body": self._vault.close_body(scope, pack_id(new_id), deflated),
        }
        self._do.put_checkpoint.do(connection, checkpoint)
        made_by = {"tenant_id": self._tenant_id, "run_id": f"{REWIND}{new_id}"}
        self._do.put_run.do(connection, {**made_by, "scope_key": key, "first_seq": new_seq})
        return new_id

    def _put_dictionary(self, connection: Connection, scope: ScopeName, dictionary: Dictionary) -> None:
        row = {
            "tenant_id": scope.tenant_id,
            "thread_id": scope.thread_id,
            "dictionary_id": dictionary.dictionary_id,
            "value": self._vault.close_dictionary(scope, dictionary),
        }
        self._do.put_dictionary.do(connection, row)

    def plan_keep(
        self, connection: Connection, thread_id: str, checkpoint_ids: Collection[str]
    ) -> list[Sweep]:
        """Plan to keep some checkpoints, the newest, and what these need. Of the namespaces below the newest is kept.

        It counts as long as the thread's `stamp` is the same.
        """
        wanted = {pack_id(checkpoint_id) for checkpoint_id in checkpoint_ids}
        plans: list[Sweep] = []
        for scope_key, scope in self._scopes(connection, thread_id):
            links = self._sweeper.links(connection, scope_key)
            if not links:
                continue
            named = (
                () if scope.checkpoint_ns else (link.seq for link in links if link.checkpoint_id in wanted)
            )
            kept = self._sweeper.needed_by(connection, scope_key, links, {links[-1].seq, *named})
            plans.append(self._sweeper.plan(connection, scope_key, scope, links, kept))
        return plans

    def keep(self, connection: Connection, thread_id: str, plans: Collection[Sweep]) -> int:
        """Do as `plan_keep` planned; return how many checkpoints were deleted.

        Windows, values and dictionaries that nothing refers to go too.
        """
        for plan in plans:
            self._sweeper.carry_out(connection, plan)
        self._sweep_dictionaries(connection, thread_id)
        return sum(len(plan.checkpoint_ids) for plan in plans)

    def _sweep_dictionaries(self, connection: Connection, thread_id: str) -> None:
        """Delete what no checkpoint of the thread is deflated against any more."""
        own, scopes, words = t.checkpoints, t.checkpoint_scopes, t.checkpoint_dictionaries
        used = (
            sa.select(own.c.dictionary_id)
            .join(scopes, scopes.c.scope_key == own.c.scope_key)
            .where(
                scopes.c.tenant_id == self._tenant_id,
                scopes.c.thread_id == thread_id,
                own.c.dictionary_id.is_not(None),
            )
        )
        connection.execute(
            sa.delete(words).where(
                words.c.tenant_id == self._tenant_id,
                words.c.thread_id == thread_id,
                words.c.dictionary_id.not_in(used),
            )
        )

    def _main(self, connection: Connection, thread_id: str) -> int | None:
        scopes = self._scopes(connection, thread_id)
        return next((key for key, scope in scopes if not scope.checkpoint_ns), None)

    def _seq_of(self, connection: Connection, thread_id: str, checkpoint_id: str) -> int:
        row = self._loader.find_row(connection, ScopeName(self._tenant_id, thread_id, ""), checkpoint_id)
        if row is None:
            raise _unknown(thread_id, checkpoint_id)
        return row.seq

    def _run_of(self, connection: Connection, scope_key: int) -> Any:
        """Return a function from a checkpoint's number to the run that made it: one run at a time has a thread."""
        table = t.checkpoint_runs
        rows = connection.execute(
            sa.select(table.c.first_seq, table.c.run_id)
            .where(table.c.scope_key == scope_key)
            .order_by(table.c.first_seq)
        ).all()
        firsts = [first for first, _ in rows]

        def run_of(seq: int) -> str | None:
            at = bisect.bisect_right(firsts, seq)
            return rows[at - 1].run_id if at else None

        return run_of


def _unknown(thread_id: str, checkpoint_id: str) -> NotFound:
    return NotFound(
        f"Thread {thread_id} has no checkpoint '{checkpoint_id}': it never had, or it was deleted to save space. "
        f"'motet threads show {thread_id[:8]} --checkpoints' shows those it has.",
        checkpoint_id=checkpoint_id,
    )


def _line(parents: Mapping[int, int | None], seq: int) -> set[int]:
    """Return a checkpoint's number and those of all its ancestors."""
    line: set[int] = set()
    at: int | None = seq
    while at is not None and at in parents:
        line.add(at)
        at = parents[at]
    return line
