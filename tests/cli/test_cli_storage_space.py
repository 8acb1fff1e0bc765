"""`motet storage`: what takes the space, what would free it, and that it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli_desk import Desk, open_desk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def motet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    monkeypatch.setenv("MOTET_CACHE", str(tmp_path / "cache"))
    return open_desk(tmp_path, monkeypatch, capsys)


def test_it_says_what_takes_the_space_and_the_commands_free_it(motet: Desk, tmp_path: Path) -> None:
    (tmp_path / "cache" / "models" / "abc").mkdir(parents=True)
    (tmp_path / "cache" / "models" / "abc" / "weights.gguf").write_bytes(bytes(5_000_000))
    motet("ask", "-q", "the blue one " + "蓝色的灯塔 " * 20_000)
    motet("ask", "-q", "-c", "the red one")
    motet("ask", "-q", "the small one")
    found = motet.json("storage")
    kinds = {kind["name"]: kind for kind in found["kinds"]}
    assert (kinds["model weights"]["size_bytes"], kinds["model weights"]["share"]) == (5_000_000, None)
    assert kinds["transcript"]["rows"] == 6
    assert kinds["transcript"]["share"] > 0.05
    assert sum(kind["share"] or 0 for kind in found["kinds"]) == pytest.approx(1, abs=0.01)
    assert [one["title"][:12] for one in found["threads"]] == ["the blue one", "the small one"[:12]]
    assert found["freed_by"][0]["command"] == "motet threads compact --all"
    large = found["threads"][0]["thread_id"]
    motet("threads", "compact", "--all", "--yes")
    assert "motet threads compact" not in motet("storage")
    motet("threads", "rm", large, "--yes")
    [line] = motet.json("storage")["freed_by"]
    assert line["command"] == "motet storage compact"
    done = motet.json("storage", "compact")
    assert done["before_bytes"] - done["after_bytes"] > 300_000
    lines = motet("storage", "-n", "0").splitlines()
    assert lines[0].split("\t") == ["model weights", "1", "5.0 MB", ""]
    assert not any("motet storage compact" in line or "the small" in line for line in lines)
    assert "the small one" in motet("threads", "list")


def test_what_is_past_its_time_is_named(motet: Desk) -> None:
    motet("ask", "-q", "the blue one")
    [thread] = motet.json("threads", "list")
    assert not [one for one in motet.json("storage")["freed_by"] if "prune" in one["command"]]
    motet("threads", "ttl", thread["thread_id"], "0.01s")
    [line] = [one for one in motet.json("storage")["freed_by"] if "prune" in one["command"]]
    assert line["why"] == "1 conversations whose time is over"
    assert line["size_bytes"] > 1000
