"""What Tab completes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from motet.cli.chat.completion import Completions

if TYPE_CHECKING:
    from pathlib import Path


class FakeApp:
    """An app with two graphs and a thread."""

    class Thread:
        thread_id = "0a1b2c3d-0000"
        tags = ("工作", "work")
        title = "三十块电池"

    @property
    def records(self) -> FakeApp:
        return self

    async def threads(self, *, limit: int) -> list[Any]:
        older = self.Thread()
        older.thread_id = "00000000-0000"
        return [self.Thread(), older][:limit]

    def graph_names(self) -> dict[str, str]:
        return {"chat": "", "ensemble": ""}


async def offered(text: str, *, app: bool = True) -> list[tuple[str, int]]:
    completions = Completions()
    if app:
        completions.know(cast("Any", FakeApp()))
    found = completions.get_completions_async(Document(text), CompleteEvent())
    return [(one.text, one.start_position) async for one in found]


async def test_commands_and_what_follows_them() -> None:
    assert await offered("/re") == [("/rename", -3), ("/resume", -3), ("/retry", -3), ("/rewind", -3)]
    assert await offered("/graph c") == [("chat", -1)]
    assert await offered("/resume ") == [("0a1b2c3d", 0), ("00000000", 0)]
    assert await offered("/model o") == [("openai:", -1)]
    assert await offered("hello") == []
    assert await offered("/graph c", app=False) == []


async def test_tags_after_a_hash_where_tags_stand() -> None:
    assert await offered("#w") == [("#work", -2)]
    assert await offered("#work -#工") == [("-#工作", -3)]
    assert await offered("/threads #") == [("#work", -1), ("#工作", -1)]
    assert await offered("/标签 -#w") == [("-#work", -3)]
    assert await offered("see #w") == []
    assert await offered("#w", app=False) == []


async def test_files_after_an_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "报告.md").touch()
    (tmp_path / ".hidden").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").touch()
    assert await offered("sum up @报") == [("@报告.md", -2)]
    assert await offered("@") == [("@data/", -1), ("@报告.md", -1)]
    assert await offered("@data/") == [("@data/rows.csv", -6)]
    assert await offered("@nowhere/x") == []
