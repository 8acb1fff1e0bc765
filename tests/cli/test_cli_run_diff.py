"""`motet runs diff`: what two runs did differently, and nothing that only looks different."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli_desk import Desk, open_desk

from motet import events as e
from motet.cli.run_diff import Did, compare, what

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
rules:
  - {user: "thirty batteries", reply: {tool: calculator, arguments: {expression: "12*30"}}}
  - {user: "forty batteries", reply: {tool: calculator, arguments: {expression: "12*40"}}}
  - {after: calculator, reply: "它们存得下。"}
  - {user: "wrong key", reply: {fault: auth}}
default: "Hello."
"""


@pytest.fixture
def motet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    desk = open_desk(tmp_path, monkeypatch, capsys)
    (tmp_path / "script.yaml").write_text(SCRIPT, "utf-8")
    return desk


def ask(motet: Desk, text: str, status: int = 0) -> str:
    motet("ask", "-q", text, status=status)
    return motet.json("runs", "list", "-n", "1")[0]["run_id"]


def test_what_two_runs_did_differently(motet: Desk) -> None:
    thirty, again, forty = (ask(motet, f"{n} batteries") for n in ("thirty", "thirty", "forty"))
    same = motet("runs", "diff", thirty, again[:8]).splitlines()
    assert same[0].startswith(f"--- {thirty} · chat · success · 2 model calls, ")
    assert {line[0] for line in same[2:]} == {" "}
    lines = motet("runs", "diff", thirty, forty).splitlines()
    assert lines[2:] == [
        "- you: thirty batteries",
        '- call: calculator(expression="12*30")',
        "- result: calculator said: 12*30 = 360",
        "+ you: forty batteries",
        '+ call: calculator(expression="12*40")',
        "+ result: calculator said: 12*40 = 480",
        "  assistant: 它们存得下。",
    ]
    found = motet.json("runs", "diff", thirty, forty)
    assert [line["sign"] for line in found["lines"]] == ["-", "-", "-", "+", "+", "+", " "]
    assert (found["left"]["run_id"], found["right"]["run_id"]) == (thirty, forty)
    assert found["left"]["model_calls"] == 2


def test_a_run_that_failed_and_one_that_is_not_there(motet: Desk) -> None:
    good, bad = ask(motet, "hello"), ask(motet, "wrong key", status=3)
    assert any(line.startswith("+ failed: ") for line in motet("runs", "diff", good, bad).splitlines())
    assert "no run 'nope'" in motet("runs", "diff", good, "nope", status=2)


def test_what_is_compared_and_what_is_not() -> None:
    steps = [e.PlanStep(step_id=1, agent="worker", task="count")]
    assert what(e.PlanUpdated(steps=steps)) == [Did("plan", "1 worker: count")]
    assert what(e.StepCompleted(step_id=1, status="done", result="3")) == [Did("step", "1 done: 3")]
    passage = e.Passage(passage_id="p", text="t", source="a.md", start=3, end=9)
    assert what(e.RetrievalCompleted(query="钟", passages=[passage])) == [Did("search", "钟\na.md 3–9")]
    assert what(e.InterruptRequested(interrupt_id="i", value={"q": 1})) == [Did("question", "{'q': 1}")]
    assert what(e.MemoryWritten(memory_id="m", text="likes tea")) == [Did("memory", "likes tea")]
    assert what(e.RunCancelledEvent(reason="stopped")) == [Did("cancelled", "stopped")]
    assert what(e.EventsRemoved(first_seq=1, last_seq=2, why="expired"))[0].kind == "removed"
    assert what(e.MessageDelta(message_id="m", text="piece")) == what(e.RunStarted(attempt=2)) == []
    assert what(e.ToolCompleted(tool_call_id="a", name="t", content="x", status="error")) == what(
        e.ToolCompleted(tool_call_id="b", name="t", content="x", status="error")
    )
    changed = e.ToolCompleted(tool_call_id="a", name="t", content="x", arguments={"n": 7})
    assert what(changed) == [Did("call", "t(n=7)"), Did("result", "t said: x")]
    a, b, c = Did("call", "a"), Did("call", "b"), Did("call", "c")
    assert compare([a, b], [a, c]) == [(" ", a), ("-", b), ("+", c)]
