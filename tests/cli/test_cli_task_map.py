"""`motet run --map`: one row in, one line out."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_desk import Desk, open_desk

TASK = """schema: motet.task/v1
name: triage
inputs: {text: {type: string, minLength: 1}, lang: {type: string, default: en}}
agents: {w: {system: You sort.}}
steps:
  - {id: a, agent: w, prompt: "sort ${{ inputs.text }} ${{ inputs.lang }}"}
outputs: {kind: "${{ steps.a.text }}"}
"""
SCRIPT = """
rules:
  - {user: broken, reply: {fault: refused}}
  - {user: zh, reply: 中文}
default: fine
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    desk = open_desk(tmp_path, monkeypatch, capsys)
    (tmp_path / "t.task.yaml").write_text(TASK, "utf-8")
    (tmp_path / "script.yaml").write_text(SCRIPT, "utf-8")
    rows: list[dict[str, Any]] = [{"text": f"row {n}", "id": n * 10, "other": True} for n in range(6)]
    rows[2]["text"] = "broken"
    rows[4]["text"] = ""
    rows[5]["lang"] = "zh"
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return desk


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_row_has_its_line_in_order_and_failures_are_in_theirs(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from motet.cli.entry import run

    assert (
        run(["run", "t.task.yaml", "--map", "rows.jsonl", "--out", "out.jsonl", "--max-parallel", "2"]) == 1
    )
    assert "6 rows in" in (told := capsys.readouterr().err)
    assert "2 failed" in told
    found = lines(tmp_path / "out.jsonl")
    assert [(line["row"], line["id"], line["status"]) for line in found] == [
        (0, 0, "success"),
        (1, 10, "success"),
        (2, 20, "error"),
        (3, 30, "success"),
        (4, 40, "error"),
        (5, 50, "success"),
    ]
    assert found[0]["outputs"] == {"kind": "fine"}
    assert found[5]["outputs"] == {"kind": "中文"}
    assert "Step 'a' failed" in found[2]["error"]
    assert found[4]["error"].startswith("Input 'text' does not fit")
    assert len(desk.json("runs", "list")) == 5  # a row that does not fit begins no run


def test_rows_that_are_done_are_not_done_again(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n{"text": "c"}\n')
    desk("run", "t.task.yaml", "--map", "rows.jsonl", "--out", "out.jsonl", "-q")
    whole = (tmp_path / "out.jsonl").read_text("utf-8").splitlines(keepends=True)
    assert "is there already" in desk(
        "run", "t.task.yaml", "--map", "rows.jsonl", "--out", "out.jsonl", status=2
    )
    (tmp_path / "out.jsonl").write_text(whole[0] + whole[1][:20])
    desk("run", "t.task.yaml", "--map", "rows.jsonl", "--out", "out.jsonl", "--resume", "-q")
    assert [line["row"] for line in lines(tmp_path / "out.jsonl")] == [0, 1, 2]
    assert lines(tmp_path / "out.jsonl")[0] == json.loads(whole[0])
    assert len(desk.json("runs", "list")) == 5


def test_a_row_that_is_not_json_is_refused_before_anything_runs(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n{text: b}\n')
    assert "rows.jsonl:2:" in desk("run", "t.task.yaml", "--map", "rows.jsonl", "--out", "o.jsonl", status=2)
    assert not (tmp_path / "o.jsonl").exists()
    assert not (tmp_path / "home" / "motet.db").exists()


def test_lines_go_to_stdout_where_no_file_is_named(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n')
    shown = desk("run", "t.task.yaml", "--map", "rows.jsonl", "-q", "-i", "lang=zh")
    assert json.loads(shown)["outputs"] == {"kind": "中文"}
