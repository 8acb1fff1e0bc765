"""`motet ask --budget`, the question at its end, and `motet runs budget`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli_desk import Desk, open_desk

from motet.cli.entry import run

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
rules:
  - {user: "thirty batteries", reply: {tool: calculator, arguments: {expression: "12*30"}}}
  - {after: calculator, reply: "They hold it. 它们存得下。"}
default: "Hello."
"""


@pytest.fixture
def motet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    desk = open_desk(tmp_path, monkeypatch, capsys)
    (tmp_path / "script.yaml").write_text(SCRIPT, "utf-8")
    return desk


def test_a_spent_budget_is_asked_about_shown_and_raised(
    motet: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ask", "-q", "thirty batteries", "--budget", "model_calls=1"]) == 5
    assert "motet: it asks: The budget of this run is spent" in capsys.readouterr().err
    run_id = motet.json("runs", "list", "-n", "1")[0]["run_id"]
    shown = motet("runs", "show", run_id)
    assert "The budget of this run is spent: 1 of 1 model calls." in shown
    assert "this run" in motet("runs", "budget", run_id)
    assert "They hold it." in motet("runs", "resume", run_id, "--answer", "more")
    [spent] = motet.json("runs", "budget", run_id)
    assert spent == {"scope": "run", "limit": "model_calls", "spent": 2, "allowed": 2}


def test_where_nobody_is_asked_it_is_an_error_of_its_own(motet: Desk) -> None:
    motet("ask", "-q", "thirty batteries", "--budget", "model_calls=1 then=fail", status=4)


def test_a_run_that_nothing_limits_says_so(motet: Desk) -> None:
    motet("ask", "-q", "hi")
    run_id = motet.json("runs", "list", "-n", "1")[0]["run_id"]
    assert motet.json("runs", "budget", run_id) == []


def test_what_is_no_budget_is_refused_before_anything_runs(motet: Desk) -> None:
    motet("ask", "hi", "--budget", "token=5", status=2)
    assert motet.json("runs", "list") == []
