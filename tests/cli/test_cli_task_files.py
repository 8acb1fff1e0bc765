"""`motet task validate | schema | graph | init`."""

import json
from pathlib import Path

import pytest
from cli_desk import Desk, open_desk

from motet.cli.task_files import known_names
from motet.settings import Settings


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return open_desk(tmp_path, monkeypatch, capsys)


def test_a_new_file_is_right_as_it_stands(desk: Desk, tmp_path: Path) -> None:
    desk("task", "init", "notes")
    assert "nothing is wrong" in desk("task", "validate", "notes.task.yaml")
    assert "is there already" in desk("task", "init", "notes", status=2)
    assert "no name" in desk("task", "init", "../x", status=2)
    assert desk("task", "graph", "notes.task.yaml").splitlines()[1].split("\t")[:3] == [
        "summary",
        "agent writer",
        "points",
    ]
    assert "points --> summary" in desk("task", "graph", "--mermaid", "notes.task.yaml")
    assert desk.json("task", "graph", "notes.task.yaml")[0]["id"] == "points"


def test_every_problem_is_listed_one_a_line(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from motet.cli.entry import run

    (tmp_path / "bad.task.yaml").write_text(
        "schema: motet.task/v1\nname: x\nsteps:\n  - {id: a, agent: w, prompt: x}\n  - {id: b}\n"
    )
    (tmp_path / "none.task.yaml").write_text("")
    assert run(["task", "validate", "bad.task.yaml", "none.task.yaml"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[:2] for line in lines] == [
        ["bad.task.yaml", "4"],
        ["bad.task.yaml", "5"],
        ["none.task.yaml", "1"],
    ]


def test_the_schema_is_json(desk: Desk) -> None:
    assert json.loads(desk("task", "schema"))["$defs"]["Step"]["oneOf"]


def test_a_task_file_may_name_every_tool_that_runs_have(tmp_path: Path) -> None:
    """The user's own too: functions, and HTTP services by their documents."""
    paths = '{"/o": {"get": {"operationId": "list", "summary": "List."}}}'
    servers = '[{"url": "https://shop.example"}]'
    document = f'{{"openapi": "3.1.0", "servers": {servers}, "paths": {paths}}}'
    (tmp_path / "shop.json").write_text(document, "utf-8")
    own = '[functions]\npay = "shop:pay"\n[http_api.shop]\ndocument = "shop.json"\n'
    (tmp_path / "config.toml").write_text(own, "utf-8")
    environ = {"MOTET_CONFIG": str(tmp_path / "config.toml"), "MOTET_HOME": str(tmp_path / "home")}
    known = known_names(Settings.load(environ=environ, cwd=tmp_path))
    assert {"pay", "shop__list", "calculator"} <= known.tools
    assert not (tmp_path / "home").exists()
