"""`motet runs schedule`: every command, its output for people and programs, and every refusal in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_process import Motet


@pytest.fixture
def motet(tmp_path: Path) -> Motet:
    return Motet(tmp_path)


def schedule(motet: Motet, *arguments: str, status: int = 0) -> tuple[str, str]:
    done = motet.here("runs", "schedule", *arguments)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def test_a_schedule_from_its_making_to_its_end(motet: Motet) -> None:
    stdout, stderr = schedule(
        motet, "add", "0 9 * * 1-5", "早上好, what is new?", "--zone", "Asia/Shanghai", "--name", "早报"
    )
    assert stdout == "早报\n"
    assert " 09:00 Asia/Shanghai, and on." in stderr
    stdout, stderr = schedule(motet, "list")
    name, cron, following, last_run, asks = stdout.rstrip("\n").split("\t")
    assert (name, cron, last_run, asks) == ("早报", "0 9 * * 1-5", "", "早上好, what is new?")
    assert following.endswith(" 09:00 Asia/Shanghai")
    assert stderr == ""
    assert schedule(motet, "pause", "早报") == ("", "Paused 早报.\n")
    assert "\tpaused\t" in schedule(motet, "list")[0]
    assert "Resumed 早报: " in schedule(motet, "resume", "早报")[1]
    [listed] = json.loads(schedule(motet, "list", "--json")[0])
    assert (listed["zone"], listed["missed"], listed["paused"]) == ("Asia/Shanghai", "one", False)
    assert listed["request"]["graph"] == "chat"
    assert schedule(motet, "rm", "早报")[1] == "Deleted 早报.\n"
    assert schedule(motet, "list") == ("", "No schedules yet. 'motet runs schedule add' makes one.\n")


def test_what_is_wrong_is_one_line(motet: Motet) -> None:
    for arguments, said in (
        (("add", "0 25 * * *", "hi"), "bad hour"),
        (("add", "@daily", "hi"), "has not five fields"),
        (("add", "0 9 * * *", "hi", "--zone", "Asia/Shanghia"), "Did you mean 'Asia/Shanghai'?"),
        (("add", "0 9 * * *", "hi", "--graph", "chta"), "Did you mean 'chat'?"),
        (("add", "0 9 * * *", "hi", "--thread", "gone"), "no thread 'gone'"),
        (("add", "0 9 * * *", " "), "There is no question"),
        (("pause", "gone"), "no schedule 'gone'"),
        (("rm", "gone"), "no schedule 'gone'"),
    ):
        stdout, stderr = schedule(motet, *arguments, status=2)
        assert stdout == ""
        assert stderr.startswith("motet: ")
        assert stderr.count("\n") == 1
        assert said in stderr
    assert schedule(motet, "list")[0] == ""
