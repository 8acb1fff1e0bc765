"""The example of the saver by itself does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_saver_goes_on_in_a_second_process(tmp_path: Path) -> None:
    printed = [
        subprocess.run(
            [
                sys.executable,
                str(ROOT / "examples" / "saver_standalone.py"),
                text,
                str(tmp_path / "agents.db"),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for text in ("Hello", "再见")
    ]
    assert printed == ["You said: Hello. Messages so far: 1.\n", "You said: 再见. Messages so far: 3.\n"]
    assert (tmp_path / "agents.db.keys").stat().st_mode & 0o777 == 0o600


def test_the_store_remembers_in_other_processes(tmp_path: Path) -> None:
    said = ["I like green tea.", "我喜欢喝龙井茶。", "我喜欢什么茶？"]
    printed = [
        subprocess.run(
            [
                sys.executable,
                str(ROOT / "examples" / "store_standalone.py"),
                text,
                str(tmp_path / "agents.db"),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for text in said
    ]
    assert printed[0] == "I shall remember.\n"
    assert printed[2] == "You once said: 我喜欢喝龙井茶。\n"
