"""A process that dies at any of its crash points loses nothing: a new one finishes the run.

`crash_loop.py` does it, in processes of its own; here is what must hold after each.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LOOP = Path(__file__).with_name("crash_loop.py")
QUESTION, ANSWER = "Write both down, please.", "Both are written down."


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What came of each crash point, in order; the last process met none."""
    done = subprocess.run(
        [sys.executable, str(LOOP), str(tmp_path_factory.mktemp("loop"))],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_point_was_tried_until_a_process_met_none(trials: list[dict[str, Any]]) -> None:
    assert len(trials) > 20
    assert [t["point"] for t in trials] == list(range(1, len(trials) + 1))
    assert [t["crashed"] for t in trials] == [True] * (len(trials) - 1) + [False]
    assert trials[-1]["status"] == 0


def test_an_accepted_run_ends_well_and_none_appears_from_nowhere(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        assert trial["recovery"] == 0, trial
        assert len(trial["runs"]) <= 1, trial
        if trial["accepted"]:
            assert trial["runs"] == [trial["accepted"]], trial
        if trial["runs"]:
            assert trial["types"][-1] == "run.completed", trial
    assert any(not trial["accepted"] for trial in trials)  # the point between commit and answer was there


def test_the_log_has_no_gap_and_one_end_and_tells_each_thing_once(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        if trial["runs"]:
            assert trial["numbers"] == list(range(1, len(trial["numbers"]) + 1)), trial
            counted = {kind: trial["types"].count(kind) for kind in trial["types"]}
            assert counted["run.completed"] == 1, trial
            assert counted["run.accepted"] == 1, trial
            assert counted["message.completed"] == 2, trial
            assert counted["tool.completed"] == 2, trial


def test_the_conversation_is_whole_and_nothing_is_in_it_twice(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        if trial["runs"]:
            assert trial["messages"] == [QUESTION, ANSWER], trial


def test_no_call_is_lost(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        if trial["runs"]:
            assert {json.loads(line)["tool"] for line in trial["effects"]} == {"send", "book"}, trial
