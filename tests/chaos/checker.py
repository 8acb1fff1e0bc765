"""The history checker: compares what four parties wrote down, each for itself.

The clients' journal says what was asked and acknowledged, the model's what it was shown and what it said, the
effect server's what was really delivered, and the database what is kept. No record is believed alone, and no code of
Motet's reads any of them. The findings are of four kinds:

- lost: something that was acknowledged, or follows from it, is not there;
- repeated: something is there twice that happened once, or was done twice;
- gaps: a run's events are not 1, 2, 3, … with one end, or a reader saw others than those that are kept;
- strange: records contradict each other in another way, or something is there that nobody asked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.database import Rows
from tests.chaos.model import answer_to, items_of

ENDS = {
    "run.completed": "success",
    "run.failed": "error",
    "run.cancelled": "cancelled",
    "run.interrupted": "interrupted",
}
"""A run's last event, and the status that goes with it."""


@dataclass(frozen=True)
class History:
    """What was written down, each record oldest first."""

    client: list[dict[str, Any]]
    model: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    rows: Rows


@dataclass
class Findings:
    """What is wrong, a line each; and how much was looked at."""

    lost: list[str] = field(default_factory=list[str])
    repeated: list[str] = field(default_factory=list[str])
    gaps: list[str] = field(default_factory=list[str])
    strange: list[str] = field(default_factory=list[str])
    acknowledged: int = 0
    """Runs that a client was told of."""
    statuses: Counter[str] = field(default_factory=Counter[str])
    delivered: int = 0
    """Deliveries at the effect server."""
    asked_again: int = 0
    """Orders that came to the effect server once more under a known key, and were not delivered again."""
    attempts: int = 0
    """Attempts beyond the first, of all runs."""

    @property
    def clean(self) -> bool:
        return not (self.lost or self.repeated or self.gaps or self.strange)

    def lines(self) -> list[str]:
        """Every finding with its kind."""
        kinds = {"lost": self.lost, "repeated": self.repeated, "gap": self.gaps, "strange": self.strange}
        return [f"{kind}: {line}" for kind, lines in kinds.items() for line in lines]


def check(
    history: History, *, ended: bool = True, allowed: frozenset[str] = frozenset({"success"})
) -> Findings:
    """Compare the records.

    Args:
        history: What was written down.
        ended: Whether every acknowledged run must have ended by now.
        allowed: How a run may end.
    """
    found = Findings()
    runs = {row["run_id"]: row for row in history.rows.runs}
    markers = _markers(history, runs, found)
    answered = _answered(markers)
    _check_acknowledged(history, runs, found, ended=ended, allowed=allowed, answered=answered)
    _check_events(history, runs, found)
    _check_readers(history, found)
    _check_effects(history, runs, markers, found)
    _check_answers(history, runs, markers, found)
    _check_threads(history, runs, markers, found)
    if history.rows.integrity != "ok":
        found.strange.append(f"the database's own check says: {history.rows.integrity}")
    found.statuses.update(row["status"] for row in runs.values())
    found.attempts = sum(max(0, row["attempt"] - 1) for row in runs.values())
    return found


def _markers(history: History, runs: dict[str, Any], found: Findings) -> dict[str, str]:
    """Return each run's marker, by the key that it was asked with; find runs that nobody asked for."""
    by_key = {entry["key"]: entry["marker"] for entry in history.client if entry["did"] == "ask"}
    markers: dict[str, str] = {}
    for run_id, row in runs.items():
        if row["idempotency_key"] in by_key:
            markers[run_id] = by_key[row["idempotency_key"]]
        else:
            found.strange.append(f"run {run_id} is in the database, and no client asked for it")
    kept = Counter(row["idempotency_key"] for row in runs.values())
    found.repeated += [f"key {key} has {number} runs" for key, number in kept.items() if number > 1]
    return markers


def _answered(markers: dict[str, str]) -> set[str]:
    """Return the runs that a later run went on with: they asked a person, and that one brought the answer."""
    last = {marker: run_id for run_id, marker in markers.items()}
    return markers.keys() - set(last.values())


def _check_acknowledged(
    history: History,
    runs: dict[str, Any],
    found: Findings,
    *,
    ended: bool,
    allowed: frozenset[str],
    answered: set[str],
) -> None:
    told: dict[str, set[str]] = defaultdict(set)
    for entry in history.client:
        if entry["did"] == "told":
            told[entry["key"]].add(entry["run_id"])
    found.acknowledged = len(told)
    for key, run_ids in told.items():
        if len(run_ids) > 1:
            found.repeated.append(f"clients were told of {len(run_ids)} runs for the key {key}")
        for run_id in run_ids:
            row = runs.get(run_id)
            if row is None:
                found.lost.append(f"run {run_id} ({key}) was acknowledged and is not in the database")
            elif row["status"] in ("pending", "running"):
                if ended:
                    found.lost.append(f"run {run_id} ({key}) was acknowledged and is still {row['status']}")
            elif row["status"] not in ({"interrupted"} if run_id in answered else allowed):
                found.lost.append(
                    f"run {run_id} ({key}) was acknowledged and ended as {row['status']}: {row['error']}"
                )


def _check_events(history: History, runs: dict[str, Any], found: Findings) -> None:
    events: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in history.rows.events:
        events[event["run_id"]].append(event)
    for run_id in events.keys() - runs.keys():
        found.strange.append(f"run {run_id} has events, and is no run")
    for run_id, row in runs.items():
        numbers = [event["seq"] for event in events[run_id]]
        if numbers != list(range(1, row["last_seq"] + 1)):
            found.gaps.append(f"run {run_id} has the events {_short(numbers)}, and counts {row['last_seq']}")
        ends = [event["type"] for event in events[run_id] if event["type"] in ENDS]
        if len(ends) > 1:
            found.repeated.append(f"run {run_id} ends {len(ends)} times: {', '.join(ends)}")
        last = events[run_id][-1]["type"] if events[run_id] else ""
        if ENDS.get(last, "") != ("" if row["status"] in ("pending", "running") else row["status"]):
            found.strange.append(
                f"run {run_id} is {row['status']}, and its last event is {last or 'missing'}"
            )


def _check_readers(history: History, found: Findings) -> None:
    kept = {(event["run_id"], event["seq"]): event["type"] for event in history.rows.events}
    numbers: dict[str, list[int]] = defaultdict(list)
    ends: set[str] = set()
    for entry in history.client:
        if entry["did"] != "read":
            continue
        place = (entry["run_id"], entry["seq"])
        numbers[entry["run_id"]].append(entry["seq"])
        if kept.get(place) != entry["type"]:
            found.gaps.append(
                f"a reader of run {place[0]} saw {entry['type']} as event {place[1]}; kept is {kept.get(place)}"
            )
        if entry["type"] in ENDS:
            ends.add(entry["run_id"])
    for run_id, seen in numbers.items():
        if seen != list(range(1, len(seen) + 1)):
            found.gaps.append(f"a reader of run {run_id} saw the events {_short(seen)}")
        elif run_id in ends and (run_id, len(seen) + 1) in kept:
            found.gaps.append(f"run {run_id} has events after the end that a reader saw")


def _check_effects(history: History, runs: dict[str, Any], markers: dict[str, str], found: Findings) -> None:
    delivered = Counter(entry["item"] for entry in history.effects if entry["delivered"])
    found.delivered = sum(delivered.values())
    found.asked_again = sum(1 for entry in history.effects if not entry["delivered"])
    found.repeated += [
        f"{item} was delivered {number} times" for item, number in delivered.items() if number > 1
    ]
    keys: dict[str, set[str]] = defaultdict(set)
    for entry in history.effects:
        if entry["key"]:
            keys[entry["key"]].add(entry["item"])
    found.strange += [
        f"the key {key} stands for {sorted(items)}" for key, items in keys.items() if len(items) > 1
    ]
    wanted = {item for marker in markers.values() for item in items_of(marker)}
    found.strange += [f"{item} was delivered, and is of no run" for item in delivered if item not in wanted]
    for run_id, marker in markers.items():
        if runs[run_id]["status"] == "success":
            missing = [item for item in items_of(marker) if not delivered[item]]
            found.lost += [f"run {run_id} succeeded, and {item} was never delivered" for item in missing]


def _check_answers(history: History, runs: dict[str, Any], markers: dict[str, str], found: Findings) -> None:
    """Compare the transcript with what was asked, what was delivered, and what the model said."""
    receipts = {entry["item"]: str(entry["receipt"]) for entry in history.effects}
    said: dict[str, set[str]] = defaultdict(set)
    for call in history.model:
        if "answer" in call:
            said[call["marker"]].add(call["answer"])
    kept: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for message in history.rows.messages:
        kept[message["run_id"]].append(message)
    first = {marker: run_id for run_id, marker in reversed(markers.items())}
    for run_id, marker in markers.items():
        roles = [message["role"] for message in kept[run_id]]
        answers = [message["text"] for message in kept[run_id] if message["role"] == "assistant"]
        found.repeated += [
            f"run {run_id} has {n} {role} messages" for role, n in Counter(roles).items() if n > 1
        ]
        if "user" not in roles and first[marker] == run_id:
            found.lost.append(f"run {run_id} has no message of its user in the transcript")
        if runs[run_id]["status"] == "success":
            expected = answer_to(marker, [receipts.get(item, "?") for item in items_of(marker)])
            if not answers:
                found.lost.append(f"run {run_id} succeeded without an answer in the transcript")
            elif answers != [expected]:
                found.strange.append(f"run {run_id} answered {answers}; the deliveries say '{expected}'")
            found.strange += [
                f"run {run_id} answered '{text}', which the model never said"
                for text in answers
                if text not in said[marker]
            ]


def _check_threads(history: History, runs: dict[str, Any], markers: dict[str, str], found: Findings) -> None:
    """Check that each thread's runs came one after the other, and that each saw those before it, once."""
    order: dict[str, list[str]] = defaultdict(list)
    thread_of: dict[str, str] = {}
    for run_id, row in runs.items():
        if run_id in markers and markers[run_id] not in order[row["thread_id"]]:
            order[row["thread_id"]].append(markers[run_id])
            thread_of[markers[run_id]] = row["thread_id"]
    stopped = {marker for run_id, marker in markers.items() if runs[run_id]["status"] == "cancelled"}
    newest: dict[str, int] = {}
    for call in history.model:
        thread_id = thread_of.get(call["marker"])
        if thread_id is None:
            found.strange.append(f"the model was asked for {call['marker']}, which is no run's")
            continue
        marked = order[thread_id]
        place = marked.index(call["marker"])
        found.repeated += [
            f"the model saw {m} {n} times in {call['marker']}" for m, n in _repeats(call["seen"])
        ]
        shown = call["seen"]
        # A run that was stopped before it began left no turn behind.
        turns = [turn for turn in marked[: place + 1] if turn in shown or turn not in stopped]
        if shown != turns[len(turns) - len(shown) :] and not _repeats(shown):
            found.lost.append(
                f"in {call['marker']} the model saw the turns {shown}; accepted were {marked[: place + 1]}"
            )
        if place < newest.get(thread_id, 0):
            found.strange.append(f"{call['marker']} was worked on after a later run of its thread had begun")
        newest[thread_id] = max(place, newest.get(thread_id, 0))


def _repeats(values: list[str]) -> list[tuple[str, int]]:
    return [(value, number) for value, number in Counter(values).items() if number > 1]


def _short(numbers: list[int]) -> str:
    """Show numbers as ranges."""
    return ", ".join(_ranges(numbers)) or "none"


def _ranges(numbers: list[int]) -> Iterator[str]:
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            first, last = numbers[start], numbers[index - 1]
            yield str(first) if first == last else f"{first}-{last}"
            start = index
