import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from motet.cli.entry import run


def test_a_collection_is_scored_as_a_table_and_a_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOTET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MOTET_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setenv("MOTET_MODEL_EMBED", "none")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.md").write_text("# 电池\n\n容量是 12 千瓦时。\n", "utf-8")
    (tmp_path / "b.md").write_text("# Prices\n\nOne battery costs 4,200 euro.\n", "utf-8")
    questions = [
        {"question": "容量是多少", "relevant": ["a.md"]},
        {"question": "whales", "relevant": ["b.md"]},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, questions)))
    assert run(["kb", "add", "a.md", "b.md"]) == 0
    capsys.readouterr()
    assert run(["eval", "retrieval", "q.jsonl", "--plot", "scores.svg"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0].split("\t")[:4] == ["words", "0.500", "0.500", "0.500"]
    assert "2 questions." in shown.err
    assert len(ET.parse(tmp_path / "scores.svg").getroot()) > 10
    assert run(["eval", "retrieval", "q.jsonl", "--json"]) == 0
    assert [stage["stage"] for stage in json.loads(capsys.readouterr().out)] == ["words", "fused"]
    assert run(["eval", "retrieval", "none.jsonl"]) != 0
    assert "cannot be read" in capsys.readouterr().err
