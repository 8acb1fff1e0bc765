"""The operations on threads. Each that changes something is one transaction: all of it, or nothing.

What does not live here: what is listed and searched (`runs.records`), and files (`transfer`).
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.errors import Conflict, InvalidInput, NotFound
from motet.memory import transcript
from motet.runs.records import delete_thread, lock_thread, message_of
from motet.runs.threads.base import ThreadWork
from motet.runs.threads.copying import Copies
from motet.runs.threads.pins import Pins
from motet.runs.threads.upkeep import expired
from motet.runs.threads.values import Compacted, DiffLine, Rewound, StateDifference, ThreadDiff, Turn
from motet.runs.translate import plain
from motet.storage.tables import runs, thread_tags, threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.engine import Connection

    from motet.memory.checkpoints import MotetSaver
    from motet.memory.saver.sweeping import Sweep
    from motet.runs.records import Records
    from motet.runs.request import ThreadRecord
    from motet.storage.engine import Database

TAG = re.compile(r"[^\s,+@]{1,40}")
"""A tag is one word, in any script."""


class Threads(ThreadWork):
    """Forks, rewinds, compares, tags and deletes one tenant's threads. `saver` holds their states.

    Threads are named by their ids; `Records.thread` finds one by its title or the beginning of its id.
    """

    def __init__(self, database: Database, records: Records, saver: MotetSaver, tenant_id: str) -> None:
        super().__init__(database, records, saver, tenant_id)
        self._copies = Copies(database, records, saver, tenant_id)
        self._pins = Pins(database, records, saver, tenant_id)

    async def turns(self, thread_id: str) -> list[Turn]:
        """Return the turns of a conversation, oldest first: the points to fork at and to rewind to."""
        return await self._database.read(lambda c: self._history(c, thread_id).turns())

    async def fork(self, thread_id: str, *, at: str | None = None, title: str | None = None) -> ThreadRecord:
        """Make a new thread that holds what a thread held at a point, its state and its history included.

        Args:
            thread_id: The thread to fork; it stays as it is.
            at: Number of a turn, or a checkpoint's id or its beginning; the newest unless given.
            title: Title of the new thread; the old one's with a word after it unless given.

        Raises:
            NotFound: There is no such thread, turn or checkpoint.
            Conflict: A run of the thread has not ended.
        """
        return await self._copies.copy(thread_id, at, title, "fork")

    async def original_run(self, thread_id: str) -> str:
        """Return the id of the run that came next, in the thread that this one was forked from, after the fork's point.

        Its tool results are what a fork's next turn may take instead of calling again. A run that a rewind took out
        of the conversation is returned only where there is no other.

        Raises:
            NotFound: There is no such thread, or its origin is gone.
            Conflict: It was not forked, or nothing came after the point.
        """

        def work(connection: Connection) -> str:
            fork = self._records.find_thread(connection, thread_id)
            origin = fork.metadata.get("forked_from")
            if origin is None:
                raise Conflict(f"Thread {thread_id} was not forked: name the run to take results of.")
            source = self._records.find_thread(connection, origin["thread_id"]).thread_id
            shared = {row.run_id for row in self._history(connection, thread_id).shown}
            turns = self._history(connection, source).turns()
            last = max((place for place, turn in enumerate(turns) if turn.run_id in shared), default=-1)
            later = sorted(turns[last + 1 :], key=lambda turn: turn.number is None)
            if not later:
                raise Conflict(f"Thread {source} has no turn after the point that {thread_id} was forked at.")
            return later[0].run_id

        return await self._database.read(work)

    async def copy(self, thread_id: str, *, title: str | None = None) -> ThreadRecord:
        """Make a new thread that holds what a thread holds now. Raises what `fork` does."""
        return await self._copies.copy(thread_id, None, title, "copy")

    async def rewind(self, thread_id: str, to: str) -> Rewound:
        """Go back to a point: the next turn goes on from there. What came after it is kept, and can be forked.

        Args:
            thread_id: The thread.
            to: Number of a turn, or a checkpoint's id or its beginning.

        Raises:
            NotFound: There is no such thread, turn or checkpoint.
            Conflict: A run of the thread has not ended, or the point belongs to what a rewind left.
        """
        return await self._database.write(lambda c: self._rewind(c, thread_id, to))

    async def pin(self, thread_id: str, turn: str | None = None, *, on: bool = True) -> list[str]:
        """Pin what the user said in a turn, so that models are shown it for ever; see `Pins.pin`."""
        return await self._pins.pin(thread_id, turn, on=on)

    async def diff(self, left: tuple[str, str | None], right: tuple[str, str | None]) -> ThreadDiff:
        """Compare two conversations, each at a point: `(thread_id, turn or checkpoint or None for now)`."""
        return await self._database.read(lambda c: self._diff(c, left, right))

    async def tag(
        self, thread_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> ThreadRecord:
        """Give a thread tags and take others away; one that is there already, or is not, is passed over.

        Raises:
            NotFound: There is no such thread.
            InvalidInput: A tag is empty, longer than 40 characters, or has a space, a comma, + or @ in it.
        """
        wanted, unwanted = set(add), set(remove)
        for tag in wanted | unwanted:
            if not TAG.fullmatch(tag):
                raise InvalidInput(
                    f"'{tag}' is no tag: a tag is one word of at most 40 characters, without a comma, + or @."
                )

        def work(connection: Connection) -> ThreadRecord:
            self._lock(connection, thread_id)
            mine = sa.and_(thread_tags.c.tenant_id == self._tenant_id, thread_tags.c.thread_id == thread_id)
            connection.execute(sa.delete(thread_tags).where(mine, thread_tags.c.tag.in_(wanted | unwanted)))
            self._add_tags(connection, thread_id, sorted(wanted - unwanted))
            return self._records.find_thread(connection, thread_id)

        return await self._database.write(work)

    async def set_ttl(self, thread_id: str, ttl_s: float | None) -> ThreadRecord:
        """Say how long after its last use a thread is deleted: seconds, 0 for never, None for what the settings say.

        Raises:
            NotFound: There is no such thread.
            InvalidInput: It is negative.
        """
        if ttl_s is not None and not 0 <= ttl_s < float("inf"):
            raise InvalidInput(f"A thread cannot be kept for {ttl_s} seconds: give 0 (for ever) or more.")

        def work(connection: Connection) -> ThreadRecord:
            self._lock(connection, thread_id)
            connection.execute(sa.update(threads).where(self._one(thread_id)).values(ttl_s=ttl_s))
            return self._records.find_thread(connection, thread_id)

        return await self._database.write(work)

    async def delete(self, thread_id: str) -> None:
        """Delete a thread with everything that belongs to it: transcript, runs, events, checkpoints.

        Raises:
            NotFound: There is no such thread.
            Conflict: A run of it has not ended.
        """

        def work(connection: Connection) -> None:
            self._lock_idle(connection, thread_id)
            self._delete(connection, thread_id)

        await self._database.write(work)

    async def expired(self, default_ttl_s: float, *, limit: int = 100) -> list[str]:
        """Return the ids of threads whose time is over and that nothing runs on, the oldest first.

        Args:
            default_ttl_s: For threads without a time of their own; 0 keeps them for ever.
            limit: At most this many.
        """
        return await self._database.read(lambda c: expired(c, self._tenant_id, default_ttl_s, limit))

    async def delete_expired(self, default_ttl_s: float) -> int:
        """Delete every thread whose time is over; return how many. Each is a transaction of its own."""
        count = 0
        while found := await self.expired(default_ttl_s):
            for thread_id in found:
                count += await self._database.write(lambda c, one=thread_id: self._delete_if_idle(c, one))
        return count

    async def compact(self, thread_ids: Sequence[str], *, keep_turns: int = 1) -> Compacted:
        """Keep the checkpoints of the newest turns of some threads only; conversations stay as they are.

        Older turns cannot be forked or rewound to any more, nor what rewinds left. Busy threads are passed over.

        Raises:
            InvalidInput: `keep_turns` is less than 1.
        """
        if keep_turns < 1:
            raise InvalidInput(
                f"At least one turn is kept, not {keep_turns}: a thread goes on from its newest."
            )
        counts = [await self._compact(one, keep_turns) for one in thread_ids]
        done = [count for count in counts if count is not None]
        return Compacted(
            threads=len(done),
            checkpoints=sum(count[0] for count in done),
            messages=sum(count[1] for count in done),
        )

    def _rewind(self, connection: Connection, thread_id: str, to: str) -> Rewound:
        self._lock_idle(connection, thread_id)
        history = self._history(connection, thread_id)
        place = history.place(to, lambda one: self._message_ids(connection, thread_id, one))
        left = history.head
        if place.is_rewound or left is None:
            raise Conflict(
                f"The checkpoint '{to}' belongs to what an earlier rewind left: have it back with "
                f"'motet threads fork {thread_id[:8]} --at {to}'."
            )
        kept = {row.message_key for row in place.messages}
        gone = [row for row in history.shown if row.message_key not in kept]
        new_id = place.checkpoint_id
        if place.checkpoint_id != left.checkpoint_id:
            new_id = self._checkpoints.rewind(connection, thread_id, place.checkpoint_id)
            transcript.rewind(connection, self._tenant_id, thread_id, [row.message_key for row in gone])
            self._close_questions(connection, {row.run_id for row in gone})
        return Rewound(
            thread=self._records.find_thread(connection, thread_id),
            turn=len(dict.fromkeys(row.run_id for row in place.messages)),
            checkpoint_id=new_id,
            left_checkpoint_id=left.checkpoint_id,
            messages=len(gone),
        )

    def _close_questions(self, connection: Connection, run_ids: set[str]) -> None:
        """Have nobody answer what a run asked that was rewound."""
        waits = sa.and_(runs.c.tenant_id == self._tenant_id, runs.c.status == "interrupted")
        change = sa.update(runs).where(waits, runs.c.run_id.in_(run_ids)).values(status="cancelled")
        connection.execute(change)

    def _diff(
        self, connection: Connection, left: tuple[str, str | None], right: tuple[str, str | None]
    ) -> ThreadDiff:
        sides = [self._place(connection, *side) for side in (left, right)]
        pairs = [[(row.role, row.text) for row in side.messages] for side in sides]
        matcher = difflib.SequenceMatcher(None, *pairs, autojunk=False)
        same = next((i for i, (a, b) in enumerate(zip(*pairs, strict=False)) if a != b), min(map(len, pairs)))
        lines: list[DiffLine] = []
        for what, i1, i2, j1, j2 in matcher.get_opcodes():
            if what != "equal":
                lines += [DiffLine(side="left", message=message_of(row)) for row in sides[0].messages[i1:i2]]
                lines += [DiffLine(side="right", message=message_of(row)) for row in sides[1].messages[j1:j2]]
        values = [
            self._values(connection, thread_id, place.checkpoint_id)
            for (thread_id, _), place in zip((left, right), sides, strict=True)
        ]
        return ThreadDiff(
            left=_shown(left), right=_shown(right), same=same, lines=lines, state=_state_diff(*values)
        )

    def _delete(self, connection: Connection, thread_id: str) -> None:
        self._checkpoints.delete_thread(connection, thread_id)
        delete_thread(connection, self._tenant_id, thread_id)

    def _delete_if_idle(self, connection: Connection, thread_id: str) -> int:
        if lock_thread(connection, self._tenant_id, thread_id) is None:
            return 0
        if self._busy_run(connection, thread_id) is not None:
            return 0
        self._delete(connection, thread_id)
        return 1

    async def _compact(self, thread_id: str, keep_turns: int) -> tuple[int, int] | None:
        def write(connection: Connection, plan: Callable[[], list[Sweep]]) -> tuple[int, int] | None:
            if lock_thread(connection, self._tenant_id, thread_id) is None:
                return None
            if self._busy_run(connection, thread_id) is not None:
                return None
            gone = self._checkpoints.keep(connection, thread_id, plan())
            return gone, transcript.forget_rewound(connection, self._tenant_id, thread_id)

        return await self._read_first(thread_id, lambda c: self._plan(c, thread_id, keep_turns), write)

    def _plan(self, connection: Connection, thread_id: str, keep_turns: int) -> list[Sweep]:
        turns = [turn for turn in self._history(connection, thread_id).turns() if turn.number is not None]
        kept = {turn.checkpoint_id for turn in turns[-keep_turns:] if turn.checkpoint_id}
        return self._checkpoints.plan_keep(connection, thread_id, kept)


def split_point(name: str) -> tuple[str, str | None]:
    """Split `THREAD@POINT`; without an @ the point is None, for the newest.

    Raises:
        NotFound: Nothing stands before or after the @.
    """
    thread, at, point = name.rpartition("@")
    if not at:
        return name, None
    if not thread or not point:
        raise NotFound(f"'{name}' names no point of a conversation: write THREAD@TURN or THREAD@CHECKPOINT.")
    return thread, point


def _shown(side: tuple[str, str | None]) -> str:
    return side[0] if side[1] is None else f"{side[0]}@{side[1]}"


def _state_diff(left: dict[str, Any], right: dict[str, Any]) -> list[StateDifference]:
    """Compare two states but for their messages and LangGraph's own channels."""
    keys = sorted((left.keys() | right.keys()) - {"messages"})
    shown = [key for key in keys if not key.startswith(("__", "branch:"))]
    pairs = [(key, plain(left.get(key)), plain(right.get(key))) for key in shown]
    return [StateDifference(key=key, left=a, right=b) for key, a, b in pairs if a != b]
