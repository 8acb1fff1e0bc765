"""Trust: by what a file says, not by its name."""

import stat
from pathlib import Path

import pytest
from task_rig import load

from motet.errors import StateCorrupt
from motet.tasks.trust import NAME, is_trusted, programs, trust

TEXT = "steps: [{id: a, run: [ls, -l]}]\n"


def test_trust_ends_with_a_change(tmp_path: Path) -> None:
    home = tmp_path / "home"
    file = load(tmp_path, TEXT)
    assert not is_trusted(home, file.digest)
    trust(home, file)
    assert is_trusted(home, file.digest)
    assert stat.S_IMODE((home / NAME).stat().st_mode) == 0o600
    assert programs(file) == [["ls", "-l"]]
    changed = load(tmp_path, TEXT.replace("-l", "-a"))
    assert not is_trusted(home, changed.digest)
    trust(home, changed)
    assert is_trusted(home, file.digest)


def test_a_list_that_cannot_be_read_trusts_nothing(tmp_path: Path) -> None:
    for text in ("{", "[]"):
        (tmp_path / NAME).write_text(text)
        with pytest.raises(StateCorrupt):
            is_trusted(tmp_path, "x")
