"""A process that dies at any of its crash points loses nothing: a new one finishes the run.

`crash_loop.py` does it, in processes of its own; here is what must hold after each.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from motet.storage.crash import STATUS

LOOP = Path(__file__).with_name("crash_loop.py")
ENDS = ("run.completed", "run.failed", "run.cancelled", "run.interrupted")
QUESTION, ANSWER = "Write both down, please.", "Both are written down."


@pytest.fixture(scope="module")
def all_trials(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What came of each crash point of both phases, in order."""
    done = subprocess.run(
        [sys.executable, str(LOOP), str(tmp_path_factory.mktemp("loop"))],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(params=["question", "answer"])
def trials(request: pytest.FixtureRequest, all_trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [trial for trial in all_trials if trial["phase"] == request.param]


def test_every_point_was_tried_until_a_process_met_none(trials: list[dict[str, Any]]) -> None:
    assert len(trials) > 20
    assert [t["point"] for t in trials] == list(range(1, len(trials) + 1))
    assert [t["status"] for t in trials] == [STATUS] * (len(trials) - 1) + [0]


def test_an_accepted_run_ends_well_and_none_appears_from_nowhere(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        assert trial["recovery"] == 0, trial
        assert not trial["accepted"] or trial["accepted"] in trial["runs"], trial
        before = int(trial["phase"] == "answer")  # the run that asked
        assert len(trial["runs"]) == len(trial["logs"]) <= 1 + before + len(trial["asked"]), trial
        if trial["logs"]:
            assert trial["logs"][-1][-1][1] == "run.completed", trial
    assert any(not trial["accepted"] for trial in trials)  # the point between commit and answer was there


def test_the_log_has_no_gap_and_one_end_and_tells_each_thing_once(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        for log in trial["logs"]:
            assert [seq for seq, _ in log] == list(range(1, len(log) + 1)), trial
            assert [kind for _, kind in log if kind.startswith(ENDS)] == [log[-1][1]], trial
        if trial["logs"]:
            counted = Counter(kind for log in trial["logs"] for _, kind in log)
            assert counted["run.completed"] == 1, trial
            assert counted["run.interrupted"] == len(trial["logs"]) - 1, trial
            assert counted["message.completed"] == 2, trial
            assert counted["tool.completed"] == 2, trial
            assert counted["tool.started"] == 2, trial


def test_the_conversation_is_whole_and_nothing_is_in_it_twice(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        if trial["logs"]:
            assert trial["messages"] == [QUESTION, ANSWER], trial


def test_no_effect_is_lost_and_none_happens_twice(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        if trial["logs"]:
            assert len(trial["effects"]["send"]) == 1, trial
            assert len(set(trial["effects"]["book"])) == 1, trial  # again, under the same key


def test_a_person_is_asked_where_nobody_knows_whether_it_happened_and_only_there(
    trials: list[dict[str, Any]],
) -> None:
    asked = [trial for trial in trials if trial["asked"]]
    assert [trial["asked"] for trial in asked] == [["send"]] * len(asked)
    assert [trial["point"] for trial in asked] == [trial["point"] for trial in trials if trial["unknown"]]
    assert 1 <= len(asked) < len(trials) / 2
