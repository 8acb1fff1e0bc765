"""What is secret is not shown."""

from __future__ import annotations

import logging

import pytest

from motet import telemetry
from motet.secret import Secret, hide_password, passwords
from motet.settings import Settings, StorageSettings, child_environment


def test_a_secret_shows_itself_only_when_asked() -> None:
    assert repr(Secret("hunter2hunter2")) == str(Secret("hunter2hunter2")) == "Secret('***')"
    assert Secret("hunter2hunter2").reveal() == "hunter2hunter2"
    assert not Secret("")
    assert {Secret("a"), Secret("a")} == {Secret("a")}


@pytest.mark.parametrize(
    ("url", "shown", "found"),
    [
        (
            "postgresql+psycopg://me:hunter2@host:5432/db",
            "postgresql+psycopg://me:***@host:5432/db",
            ["hunter2"],
        ),
        ("postgresql://:hunter2@host/db", "postgresql://:***@host/db", ["hunter2"]),
        ("postgresql://me:a:b/c@d@host/db", "postgresql://me:***@host/db", ["a:b/c@d"]),
        ("postgresql://me:p%40ss@host/db", "postgresql://me:***@host/db", ["p%40ss", "p@ss"]),
        (
            "postgresql://host/db?user=me&password=hunter2&x=1",
            "postgresql://host/db?user=me&password=***&x=1",
            ["hunter2"],
        ),
        ("postgresql://me@host/db", "postgresql://me@host/db", []),
        ("sqlite:////a/b@c.db", "sqlite:////a/b@c.db", []),
        ("vllm:qwen@http://host:8000/v1", "vllm:qwen@http://host:8000/v1", []),
        ("openai:m@https://me:hunter2@host/v1", "openai:m@https://me:***@host/v1", ["hunter2"]),
        ("", "", []),
    ],
)
def test_a_password_in_a_url_is_hidden(url: str, shown: str, found: list[str]) -> None:
    assert hide_password(url) == shown
    assert passwords(url) == found


URL = "postgresql+psycopg://me:hunter2%2Bhunter2@127.0.0.1:1/db"


@pytest.mark.parametrize(
    "url", [URL, "postgresql+psycopg://127.0.0.1:1/db?user=me&password=hunter2%2Bhunter2"]
)
def test_the_databases_password_is_nowhere_to_be_seen(
    url: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with_url = settings.replace(storage__database_url=url)
    assert "hunter2" not in repr(with_url) + str(with_url) + f"{with_url.storage}"
    assert "127.0.0.1" in repr(with_url.storage)
    telemetry.setup_logging("info", secrets=with_url.secrets())
    try:
        raise RuntimeError(url)
    except RuntimeError:
        logging.getLogger("motet.test").exception("cannot reach hunter2+hunter2 at %s", url)
    said = capsys.readouterr().err
    assert "cannot reach" in said
    assert "hunter2" not in said


def test_a_child_process_is_not_told_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTET_DATABASE_URL", URL)
    assert "MOTET_DATABASE_URL" not in child_environment()


def test_a_storage_group_of_no_url_shows_every_field() -> None:
    shown = repr(StorageSettings(database_url="sqlite:////a.db"))
    assert "database_url='sqlite:////a.db'" in shown
    assert "busy_timeout_s=30.0" in shown
    assert "secret_key=Secret('')" in shown
