"""`config show`, `graphs list`, `tools list`, `memory`, `models list`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from motet.cli.entry import run
from motet.settings import describe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MOTET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MOTET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MOTET_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.chdir(tmp_path)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_config_shows_every_setting_with_its_origin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOTET_MODEL", "openai:gpt")
    (tmp_path / "motet.toml").write_text("[runs]\nconcurrency = 7\n[graphs]\nmine = 'a:b'\n", "utf-8")
    rows = {row["setting"]: row for row in shown(capsys, "config", "show")}
    assert {key for key, *_ in describe()} | {"graphs.mine"} == set(rows)
    assert rows["models.default"]["value"] == "openai:gpt"
    assert rows["models.default"]["origin"] == "environment variable MOTET_MODEL"
    assert rows["runs.concurrency"]["value"] == 7
    assert rows["runs.concurrency"]["origin"].endswith("motet.toml")
    assert rows["runs.lease_s"]["origin"] == "default"


def test_config_says_where_values_come_from_when_it_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOTET_MODEL", "openai:gpt")
    assert run(["config", "show", "--origin"]) == 0
    assert "models.default\topenai:gpt\tenvironment variable MOTET_MODEL\n" in capsys.readouterr().out


def test_a_profile_is_chosen_for_one_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOTET_PROFILE", "")
    (tmp_path / "motet.toml").write_text("[profile.work.models]\ndefault = 'vllm:qwen'\n", "utf-8")
    assert run(["--profile", "work", "config", "show", "--json"]) == 0
    rows = {row["setting"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["models.default"]["value"] == "vllm:qwen"
    assert rows["models.default"]["origin"].endswith("motet.toml [profile.work]")
    assert run(["--profile", "wrk", "config", "show"]) == 2
    assert "no profile 'wrk'. Did you mean 'work'?" in capsys.readouterr().err


def test_config_hides_secrets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("MOTET_DATABASE_URL", "postgresql+psycopg://me:very-secret@host/db")
    assert run(["config", "show"]) == 0
    text = capsys.readouterr().out
    assert "very-secret" not in text
    assert "models.openai_api_key\t***\n" in text
    assert "postgresql+psycopg://me:***@host/db" in text


def test_graphs(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in shown(capsys, "graphs", "list")}
    assert rows["ensemble"]["default"] is True
    assert rows["chat"]["default"] is False
    assert all(row["description"] for row in rows.values())


def test_tools(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in shown(capsys, "tools", "list")}
    assert "expression" in rows["calculator"]["arguments"]
    assert "search_documents" not in rows  # there are no documents


def test_models_that_were_not_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "models", "list")
    assert found["default"] == "embedded"
    assert found["embedded"]
    assert not any(model["present"] for model in found["embedded"])
    assert run(["models", "list"]) == 0
    text = capsys.readouterr()
    assert "(default)\t1.1 GB\tno\tApache-2.0\t" in text.out
    assert "openai:NAME" in text.err


def test_pull_says_why_no_source_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOTET_WEIGHTS_SOURCES", "path")
    monkeypatch.setenv("MOTET_WEIGHTS", str(tmp_path / "no.gguf"))
    assert run(["models", "pull"]) == 3
    shown_text = capsys.readouterr()
    assert shown_text.out == ""
    assert "no.gguf" in shown_text.err.splitlines()[-1]


def test_a_model_is_tried_skill_by_skill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "script.yaml").write_text("default: 'Jupiter, 北京'\n", "utf-8")
    assert run(["models", "test", "scripted:script.yaml"]) == 1
    shown_text = capsys.readouterr()
    verdicts = [line.split()[0] for line in shown_text.out.splitlines()]
    assert "pass" in verdicts
    assert "FAIL" in verdicts
    told = f"scripted:script.yaml: {verdicts.count('pass')} of {len(verdicts)} passed.\n"
    assert shown_text.err == told
    assert run(["models", "test", "scripted:script.yaml", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] == verdicts.count("pass")
    assert len(found["skills"]) == len(verdicts)
    assert run(["models", "test", "scripted:none.yaml"]) == 2


def test_doctor_says_what_is_missing_and_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor"]) == 1
    told = capsys.readouterr()
    assert told.err == ""
    assert "✓ data folder: " in told.out
    assert "✗ embedded weights: " in told.out
    assert "  → " in told.out
    assert "motet models pull" in told.out


def test_doctor_tells_of_a_database_that_cannot_be_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "motet.db").write_text("no database at all" * 100, "utf-8")
    assert run(["doctor", "--json"]) == 1
    found = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert found["database"]["ok"] is False
    assert "motet.db" in found["database"]["detail"]
