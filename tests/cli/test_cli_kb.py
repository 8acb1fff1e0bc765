"""`motet kb`: documents in, found, listed, out."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from motet.cli.entry import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def docs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MOTET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MOTET_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setenv("MOTET_MODEL_EMBED", "none")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "battery.md").write_text("# 电池手册\n\n## 容量\n\n每块电池的容量是 12 千瓦时。\n", "utf-8")
    (folder / "prices.md").write_text("# Prices\n\nOne battery costs 4,200 euro.\n", "utf-8")
    return folder


def test_a_broken_file_is_one_line_and_the_others_are_taken_in(
    docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (docs / "broken.pdf").write_text("no pdf", "utf-8")
    assert run(["kb", "add", str(docs)]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0] == f"added      {docs}/battery.md (1 passage)"
    assert lines[1].startswith(f"failed     {docs}/broken.pdf: ")
    assert lines[2] == f"added      {docs}/prices.md (1 passage)"
    assert shown.err.splitlines()[-1] == "2 added, 1 failed; 2 new passages in collection 'default'."
    assert run(["kb", "add", str(docs)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"unchanged  {docs}/battery.md"


def test_nothing_taken_in_is_status_1(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "broken.pdf").write_text("no pdf", "utf-8")
    assert run(["kb", "add", str(docs / "broken.pdf"), str(docs / "missing.md")]) == 1
    assert all(line.startswith("failed") for line in capsys.readouterr().out.splitlines())


def test_search_list_stats_and_rm(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["kb", "add", str(docs)])
    capsys.readouterr()

    assert run(["kb", "search", "电池容量"]) == 0
    first, text = capsys.readouterr().out.splitlines()[:2]
    assert first.startswith(f"电池手册 › 容量 — {docs}/battery.md (")
    assert text == "  每块电池的容量是 12 千瓦时。"

    assert run(["kb", "search", "what", "does", "a", "battery", "cost", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found[0]["source"] == f"{docs}/prices.md"

    assert run(["kb", "list", "--json"]) == 0
    assert [d["title"] for d in json.loads(capsys.readouterr().out)] == ["电池手册", "Prices"]

    assert run(["kb", "stats"]) == 0
    assert capsys.readouterr().out.startswith("default\t2\t2\t")

    assert run(["kb", "rm", "docs/prices.md"]) == 0
    assert capsys.readouterr().err == "1 document taken out of 'default'.\n"
    assert run(["kb", "list"]) == 0
    assert "Prices" not in capsys.readouterr().out


def test_a_citation_keeps_its_passages_text_when_the_document_is_gone(
    docs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = {
        "rules": [
            {"after": "search_documents", "reply": "A battery costs 4,200 euro [1]."},
            {"user": "cost", "reply": {"tool": "search_documents", "arguments": {"query": "battery cost"}}},
        ]
    }
    (tmp_path / "script.yaml").write_text(json.dumps(script), "utf-8")
    monkeypatch.setenv("MOTET_MODEL", f"scripted:{tmp_path / 'script.yaml'}")
    run(["kb", "add", str(docs)])
    assert run(["ask", "-g", "chat", "What does a battery cost?"]) == 0
    assert run(["kb", "rm", "docs/prices.md"]) == 0
    (docs / "prices.md").unlink()
    capsys.readouterr()
    run(["threads", "list", "--json"])
    thread_id = json.loads(capsys.readouterr().out)[0]["thread_id"]
    assert run(["threads", "show", thread_id, "--json"]) == 0
    [*_, answer] = json.loads(capsys.readouterr().out)["messages"]
    assert [one["text"] for one in answer["citations"]] == ["One battery costs 4,200 euro."]


def test_a_document_is_shown_with_its_passages_and_a_citation_opens(
    docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (docs / "battery.md").read_text("utf-8")
    (docs / "copy.md").write_text(text, "utf-8")
    run(["kb", "add", str(docs)])
    capsys.readouterr()
    assert run(["kb", "show", "docs/battery.md"]) == 0
    head, _, place, passage_id, first, *_ = capsys.readouterr().out.splitlines()
    assert head == f"电池手册 — {docs}/battery.md"
    at = text.index("每块")
    assert (
        place
        == f"电池手册 › 容量 — {docs}/battery.md, characters {at} to {at + len('每块电池的容量是 12 千瓦时。')}"
    )
    assert first == "  每块电池的容量是 12 千瓦时。"
    assert run(["kb", "show", passage_id.strip(), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert text[shown["start"] : shown["end"]] == shown["text"]
    assert run(["kb", "show", "docs/copy.md", "--json"]) == 0
    copied = json.loads(capsys.readouterr().out)
    assert copied["copy_of"] == f"{docs}/battery.md"
    assert [one["text"] for one in copied["passages"]] == ["每块电池的容量是 12 千瓦时。"]
    assert run(["kb", "show", "docs/batery.md"]) != 0
    assert "Did you mean" in capsys.readouterr().err
    assert run(["kb", "show", "p_" + "0" * 24]) != 0
    assert "No passage" in capsys.readouterr().err


def test_a_search_where_nothing_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["kb", "search", "anything"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "Nothing found in collection 'default'.\n"


def test_sync_explain_where_and_labels(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["kb", "add", str(docs), "--label", "team=能源"]) == 0
    (docs / "prices.md").unlink()
    (docs / "battery.md").write_text("# 电池手册\n\n## 容量\n\n每块电池的容量是 14 千瓦时。\n", "utf-8")
    capsys.readouterr()
    assert run(["kb", "sync"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        f"removed    {docs}/prices.md",
        f"replaced   {docs}/battery.md (1 passage)",
    ]
    assert shown.err.splitlines()[-1].startswith("1 replaced, 1 removed; 1 new passage")
    assert run(["kb", "search", "电池", "--explain", "--where", "source=*battery*"]) == 0
    assert "  words: place 1, BM25 " in capsys.readouterr().out
    assert run(["kb", "search", "电池", "--where", "label.team=other"]) == 0
    assert capsys.readouterr().out == ""
    assert run(["kb", "search", "电池", "--where", "sauce=x"]) != 0
    assert "Unknown condition 'sauce'. Did you mean 'source'?" in capsys.readouterr().err
    assert run(["kb", "add", str(docs), "--label", "team"]) != 0
    assert "write NAME=VALUE" in capsys.readouterr().err


def test_a_watch_tells_each_change_at_once_and_a_failure_once(
    docs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "broken.pdf").write_text("no pdf", "utf-8")
    assert run(["kb", "add", str(docs)]) == 0
    capsys.readouterr()
    shown: list[str] = []
    notices: list[int] = []
    sleep = asyncio.sleep

    async def wait(seconds: float, result: object = None) -> object:
        if seconds != 4321:
            return await sleep(seconds, result)
        captured = capsys.readouterr()
        shown.append(captured.out)
        notices.append(captured.err.count("searched by words only"))
        if len(shown) == 3:
            raise KeyboardInterrupt
        (docs / "new.md").write_text(f"# New\n\nThe kite is {len(shown)}.\n", "utf-8")
        return None

    monkeypatch.setattr(asyncio, "sleep", wait)
    assert run(["kb", "sync", "--watch", "4321"]) != 0
    assert shown[0].startswith(f"failed     {docs}/broken.pdf: ")
    assert notices == [1, 0, 0]
    assert shown[1:] == [f"{what}{docs}/new.md (1 passage)\n" for what in ("added      ", "replaced   ")]


def test_a_name_that_steers_the_terminal_is_written_out(
    docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (docs / "a\x1b[31m\nb.md").write_text("# Red\n\nRed boats.\n", "utf-8")
    for command in (["add", str(docs)], ["list"], ["search", "red boats"], ["rm", str(docs / "no.md")]):
        run(["kb", *command])
        shown = capsys.readouterr()
        assert "\x1b" not in shown.out + shown.err
        assert "a\\x1b[31m" in shown.out + shown.err


def test_a_collection_that_is_not_there_is_said_to_be_missing(
    docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["kb", "add", str(docs), "-C", "manuals"])
    assert run(["kb", "search", "battery", "-C", "manual"]) != 0
    assert "There is no collection 'manual'. Did you mean 'manuals'?" in capsys.readouterr().err


def test_an_address_that_is_not_of_the_web_says_so(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["kb", "add", "ftp://example.org/a.txt", str(docs / "prices.md")]) == 0
    told = capsys.readouterr().out.splitlines()[0]
    assert told.startswith("failed     ftp://example.org/a.txt: only http:// and https:// are fetched. ")
