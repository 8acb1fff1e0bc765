"""`motet storage`: the database is encrypted and rekeyed, and every mismatch is one line and a status."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import Motet

pytest.importorskip("cryptography", reason="the extra motet[encrypt] is not installed")

OLD, NEW = "an old key of some length", "a new key of some length"


@pytest.fixture
def motet(tmp_path: Path) -> Motet:
    return Motet(tmp_path)


def fails(motet: Motet, *arguments: str, status: int, said: str) -> None:
    done = motet.here(*arguments)
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith("motet: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert OLD not in done.stderr + done.stdout


def test_encrypt_rekey_and_every_wrong_key(motet: Motet) -> None:
    assert motet.here("ask", "hello").returncode == 0
    fails(motet, "storage", "encrypt", status=2, said="Set MOTET_ENCRYPTION_KEY")
    motet.environment["MOTET_ENCRYPTION_KEY"] = OLD
    fails(motet, "threads", "list", status=1, said="run 'motet storage encrypt' once")
    fails(motet, "storage", "rekey", status=2, said="is not encrypted")
    assert "Encrypted: " in motet.here("storage", "encrypt").stderr
    asked = motet.here("ask", "--continue", "what did I say?")
    assert asked.stdout == "You said something before.\n"
    motet.environment["MOTET_ENCRYPTION_KEY"] = NEW
    for arguments in (("threads", "list"), ("ask", "hello")):
        fails(motet, *arguments, status=1, said="not among those given")
    motet.environment["MOTET_ENCRYPTION_KEY"] = f"{OLD},{NEW}"
    assert motet.here("storage", "rekey").returncode == 0
    motet.environment["MOTET_ENCRYPTION_KEY"] = NEW
    assert motet.here("ask", "--continue", "what did I say?").stdout == "You said something before.\n"
    del motet.environment["MOTET_ENCRYPTION_KEY"]
    for arguments in (("threads", "list"), ("ask", "hello")):
        fails(motet, *arguments, status=1, said="is encrypted: set MOTET_ENCRYPTION_KEY")
    motet.environment["MOTET_ENCRYPTION_KEY"] = "short"
    fails(motet, "threads", "list", status=2, said="at least 16 characters")
    shown = motet.here("doctor")
    assert "at least 16 characters" in shown.stdout + shown.stderr


def test_a_missing_key_file_is_one_line_and_a_good_one_works(motet: Motet, tmp_path: Path) -> None:
    motet.environment["MOTET_ENCRYPTION_KEY_FILE"] = str(tmp_path / "key.txt")
    fails(motet, "threads", "list", status=2, said="key.txt cannot be read: No such file")
    (tmp_path / "key.txt").write_text(f"{OLD}\n")
    assert motet.here("ask", "hello").stdout == "Hello, 你好。\n"
    assert OLD not in motet.here("config", "show").stdout
