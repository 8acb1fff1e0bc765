"""`motet threads export | import`: what goes out comes in again, goes on, and a broken file changes nothing."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from cli_desk import Desk, open_desk

from motet.app import build_app
from motet.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def motet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return open_desk(tmp_path, monkeypatch, capsys)


def _shown(motet: Desk, name: str) -> Any:
    shown = motet.json("threads", "show", name)
    for message in shown["messages"]:
        del message["seq"]
    return shown


def test_what_was_exported_is_imported_and_goes_on(motet: Desk, tmp_path: Path) -> None:
    motet("ask", "-q", "the blue one")
    motet("ask", "-q", "-c", "the red one，好吗")
    motet("threads", "tag", "the blue one", "+work", "+草稿")
    [thread] = motet.json("threads", "list")
    name, before = thread["thread_id"], _shown(motet, thread["thread_id"])
    motet("threads", "export", "--all", "--out", "all.jsonl")
    assert "nothing was imported. Add --new" in motet("threads", "import", "all.jsonl", status=2)
    assert motet.json("threads", "list") == [thread]
    [copy] = motet.json("threads", "import", "all.jsonl", "--new")
    assert motet.json("threads", "search", "好吗")[0]["message"]["text"] == "the red one，好吗"
    motet("threads", "rm", name, copy, "--yes")
    assert motet("threads", "import", "all.jsonl") == f"{name}\n"
    assert _shown(motet, name) == before
    assert motet("threads", "export", name) == (tmp_path / "all.jsonl").read_text("utf-8")
    assert motet("ask", "-q", "-t", name, "the blue again") == "Blue it is.\n"
    assert asyncio.run(_state(name)) == ["the blue one", "the red one，好吗", "the blue again"]


async def _state(thread_id: str) -> list[str]:
    """Return what the user said, as the graph's state has it."""
    async with build_app(Settings.load()) as app:
        state = await (await app.graph("chat")).aget_state({"configurable": {"thread_id": thread_id}})
    return [message.text for message in state.values["messages"] if message.type == "human"]


def test_the_forms_for_people_and_for_training(motet: Desk) -> None:
    motet("ask", "-q", "the blue one")
    motet("threads", "tag", "the blue one", "+work")
    motet("ask", "-q", "the red one")
    lines = motet("threads", "export", "--all", "--format", "sft").splitlines()
    assert {
        "messages": [{"role": "user", "content": "the red one"}, {"role": "assistant", "content": "红色。"}]
    } in [json.loads(line) for line in lines]
    assert len(lines) == 2
    assert motet("threads", "export", "--tag", "work", "--format", "markdown") == (
        "# the blue one\n\n## You\n\nthe blue one\n\n## Motet\n\nBlue it is.\n\n"
    )
    assert "say --all" in motet("threads", "export", status=2)


def test_a_broken_line_is_named_and_nothing_is_stored(motet: Desk, tmp_path: Path) -> None:
    motet("ask", "-q", "the blue one")
    good = motet("threads", "export", "--all").splitlines()
    before = motet.json("threads", "list")
    file = tmp_path / "broken.jsonl"
    for lines, said in (
        ([*good[:2], "{nonsense"], "line 3: '{nonsense' is not JSON"),
        (["[1]", *good], "line 1: [1] is no object"),
        (good[1:], 'line 1: type is "message": expected a thread first'),
        (good[:-1], "has 1 messages here: expected 2"),
        ([good[0], good[1].replace('"user"', '"usr"'), good[2]], "line 2: field 'role' is \"usr\""),
        ([good[0], good[1], good[1]], "line 3: message_id"),
        ([*good, *good], "line 4: thread_id"),
        ([good[0].replace('"version":1', '"version":9'), *good[1:]], "line 1: version 9"),
        ([], "holds no thread"),
    ):
        file.write_text("\n".join(lines), "utf-8")
        refused = motet("threads", "import", "--new", str(file), status=2)
        assert said in refused
        assert "broken.jsonl" in refused
    file.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in motet("threads", "import", str(file), status=2)
    assert "No such file" in motet("threads", "import", "nowhere.jsonl", status=2)
    assert motet.json("threads", "list") == before
