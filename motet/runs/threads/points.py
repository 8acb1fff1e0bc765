"""Which messages belong to which checkpoint: turns, and what a conversation held at a point of it.

What does not live here: changing anything (`service`). All functions work on rows that were read already.

A rewind marks what it takes out with its number. So what was in the conversation just before rewind k are the
messages with no mark or one of k and later; any point of any branch can be told from the marks alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from motet.errors import InvalidInput, NotFound
from motet.memory.saver.history import REWIND, Point
from motet.runs.threads.values import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Row

    MessageRow = Row[Any]

MIN_ID_CHARS = 4
"""A checkpoint answers to the first characters of its id, from this many on."""


class Place(NamedTuple):
    """A point of a thread with the messages that the conversation held there."""

    checkpoint_id: str
    messages: list[MessageRow]
    runs: list[str]
    """Runs of those messages, in order."""
    is_rewound: bool
    """Whether a rewind took it out of the conversation."""


class History:
    """A thread's messages and checkpoints, as they were read together."""

    def __init__(self, thread_id: str, messages: Sequence[MessageRow], points: Sequence[Point]) -> None:
        self._thread_id = thread_id
        self._messages = messages
        self._points = points

    @property
    def head(self) -> Point | None:
        """The newest checkpoint; None where there is none."""
        return self._points[-1] if self._points else None

    @property
    def shown(self) -> list[MessageRow]:
        """The messages of the conversation as it is now."""
        return [row for row in self._messages if row.rewound is None]

    def turns(self) -> list[Turn]:
        """Return the turns of the conversation, oldest first, each rewound one where it stood."""
        numbers = {run_id: number for number, run_id in enumerate(_runs_of(self.shown), 1)}
        ends = {point.run_id: point for point in self._points}  # the last of a run's stays
        found: list[Turn] = []
        for run_id, rows in _by_run(self._messages).items():
            number = numbers.get(run_id)
            point = self.head if number == len(numbers) else ends.get(run_id)
            found.append(
                Turn(
                    number=number,
                    run_id=run_id,
                    checkpoint_id=point.checkpoint_id if point else None,
                    at=rows[0].created_at,
                    said=next((row for row in rows if row.role == "user"), rows[0]).text,
                    messages=len(rows),
                    is_head=point is not None and point is self.head,
                )
            )
        return found

    def place(self, name: str | None, ids_of: Callable[[str], set[str]]) -> Place:
        """Find a point by the number of a turn, a checkpoint's id or the beginning of it; None is the head.

        Args:
            name: What the user wrote.
            ids_of: Gives the ids of the messages in a checkpoint's state.

        Raises:
            NotFound: There is no such turn or checkpoint, or its checkpoint was deleted.
            InvalidInput: There are no checkpoints at all.
        """
        if self.head is None:
            raise InvalidInput(f"Thread {self._thread_id} has no checkpoint to go back to yet.")
        if name is None:
            shown = self.shown
            return Place(self.head.checkpoint_id, shown, _runs_of(shown), is_rewound=False)
        if name.isdecimal() and len(name) < MIN_ID_CHARS * 2:
            turn = self._turn(int(name))
            if turn.checkpoint_id is None:
                raise NotFound(
                    f"The checkpoint of turn {name} was deleted to save space, or never made: choose another turn."
                )
            shown = self.shown
            runs = _runs_of(shown)[: int(name)]
            among = set(runs)
            kept = [row for row in shown if row.run_id in among]
            return Place(turn.checkpoint_id, kept, runs, is_rewound=False)
        return self._at(self._point(name), ids_of)

    def _turn(self, number: int) -> Turn:
        turns = {turn.number: turn for turn in self.turns() if turn.number is not None}
        if number not in turns:
            raise NotFound(
                f"Thread {self._thread_id} has no turn {number}: its turns are 1 to {len(turns)}."
                if turns
                else f"Thread {self._thread_id} has no turns yet."
            )
        return turns[number]

    def _point(self, name: str) -> Point:
        exact = [point for point in self._points if point.checkpoint_id == name]
        long_enough = len(name) >= MIN_ID_CHARS
        found = exact or [p for p in self._points if long_enough and p.checkpoint_id.startswith(name)]
        if len(found) == 1:
            return found[0]
        where = f"'motet threads show {self._thread_id[:8]} --checkpoints' shows those it has."
        if found:
            raise NotFound(f"More than one checkpoint begins with '{name}': write more of its id. {where}")
        raise NotFound(f"Thread {self._thread_id} has no turn or checkpoint '{name}'. {where}")

    def _at(self, point: Point, ids_of: Callable[[str], set[str]]) -> Place:
        """Return a checkpoint's place: of its own turn only what was there by then."""
        if point is self.head:
            return self.place(None, ids_of)
        wanted, by_seq = point.checkpoint_id, {p.seq: p for p in self._points}
        while point.run_id is not None and point.run_id.startswith(REWIND) and point.parent_seq in by_seq:
            point = by_seq[point.parent_seq]  # the same state
        run_id = point.run_id or ""
        own = [row for row in self._messages if row.run_id == run_id]
        end = next((one for one in reversed(self._points) if one.run_id == run_id), None)
        if end is None or point.seq != end.seq:
            ids = ids_of(point.checkpoint_id)
            own = [row for row in own if row.message_id.partition("~")[0] in ids]
        mark = own[0].rewound if own else None
        alive = [row for row in self._messages if row.rewound is None or (mark and row.rewound >= mark)]
        order = _runs_of(alive)
        before = order[: order.index(run_id)] if run_id in order else order
        among = set(before)
        kept = [row for row in alive if row.run_id in among]
        runs = [*before, run_id] if run_id else before
        return Place(wanted, sorted([*kept, *own], key=lambda row: row.seq), runs, is_rewound=bool(mark))


def _by_run(rows: Sequence[MessageRow]) -> dict[str, list[MessageRow]]:
    """Return the messages of each run, the runs in the order of their first message."""
    found: dict[str, list[MessageRow]] = {}
    for row in rows:
        found.setdefault(row.run_id, []).append(row)
    return found


def _runs_of(rows: Sequence[MessageRow]) -> list[str]:
    return list(dict.fromkeys(row.run_id for row in rows))
