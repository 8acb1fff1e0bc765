"""`motet threads`: every operation by its command, the conversation going on for real after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli_desk import Desk, open_desk

from motet.cli.threads import parse_span
from motet.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def motet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return open_desk(tmp_path, monkeypatch, capsys)


def test_fork_rewind_and_diff_as_a_person_does_them(motet: Desk) -> None:
    motet("ask", "-q", "the blue one")
    motet("ask", "-q", "-c", "the red one")
    [thread] = motet.json("threads", "list")
    name = thread["thread_id"]
    listed = motet("threads", "show", name, "--checkpoints").splitlines()
    assert [line.split("\t")[:2] for line in listed] == [["1", "the blue one"], ["2", "the red one"]]
    assert listed[1].endswith("now")
    fork = motet("threads", "fork", name, "--at", "1", "--title", "Only blue").strip()
    assert motet("threads", "show", fork) == "you:\nthe blue one\n\nmotet:\nBlue it is.\n\n"
    assert motet("ask", "-q", "-t", "Only blue", "hello") == "Hello, 你好。\n"
    diff = motet("threads", "diff", name, fork)
    assert "- you: the red one\n- motet: 红色。\n+ you: hello\n+ motet: Hello, 你好。\n" in diff
    assert motet.json("threads", "diff", f"{name}@1", f"{fork}@1")["lines"] == []
    done = motet.json("threads", "rewind", name, "--to", "1")
    assert (done["turn"], done["messages"]) == (1, 2)
    assert "the red" not in motet("threads", "show", name)
    back = motet("threads", "fork", name, "--at", done["left_checkpoint_id"]).strip()
    assert motet("threads", "show", back).endswith("红色。\n\n")
    assert motet.json("threads", "copy", back)["title"] == "the blue one (copy)"
    assert motet("ask", "-q", "-t", name, "the red again") == "红色。\n"
    assert len(motet("threads", "show", name, "--checkpoints").splitlines()) == 3


def test_a_wrong_point_is_one_line(motet: Desk) -> None:
    motet("ask", "-q", "the blue one")
    [thread] = motet.json("threads", "list")
    name = thread["thread_id"]
    assert "no turn 7: its turns are 1 to 1" in motet("threads", "fork", name, "--at", "7", status=2)
    assert "'1efdead'" in motet("threads", "rewind", name, "--to", "1efdead", status=2)
    assert "no thread 'nope'" in motet("threads", "diff", name, "nope@1", status=2)
    assert "write +work or -work" in motet("threads", "tag", name, "work", status=2)
    assert len(motet.json("threads", "list")) == 1


def test_a_run_that_has_ended_cannot_be_cancelled(motet: Desk) -> None:
    motet("ask", "-q", "the blue one")
    [done] = motet.json("runs", "list")
    assert "status is success" in motet("runs", "cancel", done["run_id"][:8], status=2)
    assert "no run 'nope'" in motet("runs", "cancel", "nope", status=2)


def test_tags_and_times(motet: Desk) -> None:
    motet("ask", "-q", "the blue one")
    motet("ask", "-q", "the red one")
    assert motet.json("threads", "tag", "the blue one", "+work", "+草稿")["tags"] == ["work", "草稿"]
    assert motet.json("threads", "tag", "the blue one", "-work", "+x")["tags"] == ["x", "草稿"]
    assert [t["title"] for t in motet.json("threads", "list", "--tag", "草稿")] == ["the blue one"]
    assert motet.json("threads", "search", "red", "--tag", "草稿") == []
    assert motet.json("threads", "search", "blue", "--tag", "草稿") != []
    assert motet.json("threads", "ttl", "the red one", "2w")["ttl_s"] == 14 * 86_400
    assert motet.json("threads", "prune") == {"expired": [], "deleted": 0}


def test_compacting_leaves_the_newest_turn(motet: Desk) -> None:
    for question in ("the blue one", "the red one", "hello"):
        motet("ask", "-q", *(["-c"] if question != "the blue one" else []), question)
    [thread] = motet.json("threads", "list")
    assert "say --all" in motet("threads", "compact", status=2)
    assert "add --yes" in motet("threads", "compact", "--all", status=2)
    assert motet.json("threads", "compact", "--all", "--keep", "2", "--yes")["checkpoints"] > 3
    assert "deleted to save space" in motet("threads", "fork", thread["thread_id"], "--at", "1", status=2)
    assert motet("threads", "fork", thread["thread_id"], "--at", "2") != ""
    assert len(motet.json("threads", "show", thread["thread_id"])["messages"]) == 6
    assert motet("ask", "-q", "-t", thread["thread_id"], "the blue") == "Blue it is.\n"


def test_a_time_is_read() -> None:
    assert [parse_span(text) for text in ("30d", "1.5h", "never", "default")] == [2_592_000, 5400, 0, None]
    for wrong in ("", "0d", "d", "-1d", "3 d", "30", "forever"):
        with pytest.raises(InvalidInput, match="is no time"):
            parse_span(wrong)


def test_what_was_said_is_pinned_and_unpinned(motet: Desk) -> None:
    motet("ask", "-q", "the blue one, 请用米")
    motet("ask", "-q", "-c", "the red one")
    [thread] = motet.json("threads", "list")
    name = thread["thread_id"]
    assert motet("threads", "pin", name, "1") == "- the blue one, 请用米\n"
    assert motet.json("threads", "pin", name) == ["the blue one, 请用米", "the red one"]
    assert motet("threads", "pin", name, "2", "--off") == "- the blue one, 请用米\n"
    assert "no turn '7': the turns are 1 to 2" in motet("threads", "pin", name, "7", status=2)
    assert len(motet("threads", "show", name, "--checkpoints").splitlines()) == 2
    assert motet("ask", "-q", "-t", name, "hello") == "Hello, 你好。\n"
    assert motet.json("threads", "pin", name, "1", "--off") == []
