"""The history checker finds what is planted, and nothing in a history that is as it should be."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.checker import Findings, History, check
from tests.chaos.database import Rows
from tests.chaos.model import answer_to, items_of

EVENTS = ["run.accepted", "message.completed", "run.started", "message.completed", "run.completed"]


def run_entries(history: History, marker: str, run_id: str, seen: list[str]) -> None:
    """Write down, for everyone, a run that went well."""
    history.client.append({"did": "ask", "marker": marker, "key": marker, "thread_id": "t"})
    history.client.append({"did": "told", "marker": marker, "key": marker, "run_id": run_id, "created": True})
    history.client.extend(
        {"did": "read", "run_id": run_id, "seq": seq, "type": kind} for seq, kind in enumerate(EVENTS, 1)
    )
    receipts: list[str] = []
    for item in items_of(marker):
        receipt = len(history.effects) + 1
        receipts.append(str(receipt))
        history.effects.append({"item": item, "key": f"k-{item}", "receipt": receipt, "delivered": True})
    history.model.append({"marker": marker, "seen": seen, "results": [], "asks": items_of(marker)})
    answer = answer_to(marker, receipts)
    history.model.append({"marker": marker, "seen": seen, "results": receipts, "answer": answer})
    rows = history.rows
    rows.runs.append(
        {
            "run_id": run_id,
            "thread_id": "t",
            "status": "success",
            "last_seq": len(EVENTS),
            "idempotency_key": marker,
            "attempt": 1,
            "error": None,
        }
    )
    rows.events.extend({"run_id": run_id, "seq": seq, "type": kind} for seq, kind in enumerate(EVENTS, 1))
    for role, text in (("user", f"order {marker}"), ("assistant", answer)):
        rows.messages.append({"run_id": run_id, "thread_id": "t", "seq": 0, "role": role, "text": text})


@pytest.fixture
def history() -> History:
    """Two runs on one thread, as they should be."""
    made = History([], [], [], Rows([], [], [], "ok"))
    run_entries(made, "m1", "r1", ["m1"])
    run_entries(made, "m2", "r2", ["m1", "m2"])
    return made


def test_a_history_as_it_should_be_is_clean(history: History) -> None:
    found = check(history)
    assert found.lines() == []
    assert found.clean
    assert (found.acknowledged, found.delivered, found.asked_again) == (2, 6, 0)


def test_what_was_never_acknowledged_may_be_missing(history: History) -> None:
    history.client.append({"did": "ask", "marker": "m3", "key": "m3", "thread_id": "t"})
    history.client.append({"did": "give up", "marker": "m3", "key": "m3"})
    assert check(history).clean


def _without_row(h: History) -> None:
    del h.rows.runs[1]
    del h.rows.events[5:], h.rows.messages[2:]


def _last_turn_sees(h: History, *seen: str) -> None:
    h.model[-1]["seen"] = list(seen)


def _in_other_words(h: History) -> None:
    h.rows.messages[1]["text"] = "Done m1: receipts 1 2 9."


def _again(entries: list[dict[str, Any]], index: int, **changes: Any) -> None:
    entries.append(copy.deepcopy(entries[index]) | changes)


PLANTED: dict[str, tuple[str, str, Callable[[History], object]]] = {
    "acknowledged run gone": ("lost", "is not in the database", _without_row),
    "never ends": ("lost", "still running", lambda h: h.rows.runs[1].update(status="running")),
    "ends in an error": ("lost", "ended as error", lambda h: h.rows.runs[1].update(status="error")),
    "effect missing": ("lost", "m2/3 was never delivered", lambda h: h.effects.pop()),
    "answer missing": ("lost", "without an answer", lambda h: h.rows.messages.pop()),
    "question missing": ("lost", "no message of its user", lambda h: h.rows.messages.pop(0)),
    "earlier turn forgotten": ("lost", "the model saw the turns", lambda h: _last_turn_sees(h, "m0", "m2")),
    "effect twice": ("repeated", "m1/1 was delivered 2 times", lambda h: _again(h.effects, 0, receipt=7)),
    "two runs for a key": ("repeated", "has 2 runs", lambda h: _again(h.rows.runs, 1, run_id="r3")),
    "told of two runs": ("repeated", "told of 2 runs", lambda h: _again(h.client, 1, run_id="r2")),
    "two answers": ("repeated", "2 assistant messages", lambda h: _again(h.rows.messages, 3)),
    "two ends": ("repeated", "ends 2 times", lambda h: h.rows.events[3].update(type="run.failed")),
    "turn doubled": ("repeated", "saw m1 2 times", lambda h: _last_turn_sees(h, "m1", "m1", "m2")),
    "event missing": ("gaps", "has the events 1-2, 4-5", lambda h: h.rows.events.pop(2)),
    "count too high": ("gaps", "and counts 6", lambda h: h.rows.runs[0].update(last_seq=6)),
    "reader skipped": ("gaps", "a reader of run r1 saw the events 1, 3-5", lambda h: h.client.pop(3)),
    "reader saw double": ("gaps", "a reader of run r1 saw", lambda h: h.client.insert(3, dict(h.client[2]))),
    "reader saw others": ("gaps", "kept is run.started", lambda h: h.client[4].update(type="notice")),
    "end is not the last": (
        "strange",
        "its last event is notice",
        lambda h: h.rows.events[4].update(type="notice"),
    ),
    "status without its end": (
        "strange",
        "is cancelled",
        lambda h: h.rows.runs[0].update(status="cancelled"),
    ),
    "nobody asked": (
        "strange",
        "no client asked",
        lambda h: _again(h.rows.runs, 0, run_id="x", idempotency_key="x"),
    ),
    "delivered to nobody": (
        "strange",
        "m9/1 was delivered",
        lambda h: _again(h.effects, 0, item="m9/1", key=""),
    ),
    "one key for two": ("strange", "stands for", lambda h: h.effects[1].update(key="k-m1/1")),
    "answer made up": ("strange", "the deliveries say", _in_other_words),
    "answer never said": ("strange", "the model never said", lambda h: h.model.pop(1)),
    "wrong order": ("strange", "after a later run", lambda h: _again(h.model, 0)),
    "model asked for nobody": ("strange", "which is no run's", lambda h: _again(h.model, 0, marker="m9")),
    "damaged file": (
        "strange",
        "own check says",
        lambda h: object.__setattr__(h.rows, "integrity", "page 3"),
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(history: History, name: str) -> None:
    kind, text, plant = PLANTED[name]
    plant(history)
    found: list[str] = getattr(check(history), kind)
    assert any(text in line for line in found), found


def test_a_run_may_be_under_way_while_the_experiment_is(history: History) -> None:
    history.rows.runs[1]["status"] = "running"
    history.rows.events.pop()
    history.rows.runs[1]["last_seq"] = 4
    history.client.pop()
    assert check(history, ended=False).clean
    assert not check(history).clean


def test_a_run_may_end_as_the_experiment_allows(history: History) -> None:
    history.rows.runs[1]["status"] = "cancelled"
    for entry in (history.rows.events[-1], history.client[-1]):
        entry["type"] = "run.cancelled"
    history.rows.messages.pop()
    assert not check(history).clean
    assert check(history, allowed=frozenset({"success", "cancelled"})).clean


def test_a_run_that_was_stopped_before_it_began_left_no_turn(history: History) -> None:
    history.rows.runs[0]["status"] = "cancelled"
    for entry in (history.rows.events[4], history.client[6]):
        entry["type"] = "run.cancelled"
    _last_turn_sees(history, "m2")
    allowed = frozenset({"success", "cancelled"})
    assert check(history, allowed=allowed).lines() == []
    _last_turn_sees(history, "m0", "m2")
    assert not check(history, allowed=allowed).clean


def _answer_later(h: History) -> None:
    """Have the second run ask a person, and a third bring the answer."""
    h.rows.runs[1]["status"] = "interrupted"
    h.rows.events[-1]["type"] = h.client[-1]["type"] = "run.interrupted"
    _again(h.rows.runs, 1, run_id="r3", idempotency_key="m2 answer", status="success", last_seq=1)
    h.rows.events.append({"run_id": "r3", "seq": 1, "type": "run.completed"})
    h.rows.messages[-1]["run_id"] = "r3"
    h.client.append({"did": "ask", "marker": "m2", "key": "m2 answer", "thread_id": "t"})
    h.client.append({"did": "told", "marker": "m2", "key": "m2 answer", "run_id": "r3", "created": True})


def test_a_run_may_ask_a_person_where_a_later_one_brings_the_answer(history: History) -> None:
    _answer_later(history)
    assert check(history).lines() == []


def test_a_run_that_asked_and_was_never_answered_is_lost(history: History) -> None:
    _answer_later(history)
    history.rows.runs[2]["status"] = "interrupted"
    history.rows.events[-1]["type"] = "run.interrupted"
    assert any("ended as interrupted" in line for line in check(history).lost)


def test_findings_are_shown_with_their_kind() -> None:
    assert Findings(lost=["a"], gaps=["b"]).lines() == ["lost: a", "gap: b"]
