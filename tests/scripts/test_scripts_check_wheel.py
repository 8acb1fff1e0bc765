"""The wheel's check: a file that is missing, or that has no place there, is named."""

import zipfile
from pathlib import Path

import pytest

from scripts import check_wheel

FILES = (
    "motet/__init__.py",
    "motet/py.typed",
    "motet/storage/migrations/versions/0001.py",
    "motet/prompts/plan.md",
)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.setattr(check_wheel, "ROOT", tmp_path)
    monkeypatch.setattr(check_wheel, "PACKAGE", tmp_path / "motet")
    return tmp_path / "motet-0-py3-none-any.whl"


def _pack(wheel: Path, *names: str) -> Path:
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (*names, "motet-0.dist-info/METADATA"):
            archive.writestr(name, "")
    return wheel


def test_a_whole_wheel_passes(wheel: Path) -> None:
    check_wheel.check_contents(_pack(wheel, *FILES))


def test_a_missing_data_file_is_named(wheel: Path) -> None:
    with pytest.raises(check_wheel.Failed, match=r"missing from it: motet/prompts/plan\.md"):
        check_wheel.check_contents(_pack(wheel, *FILES[:3]))


def test_a_stray_file_is_named(wheel: Path) -> None:
    with pytest.raises(check_wheel.Failed, match=r"not the package: tests/conftest\.py"):
        check_wheel.check_contents(_pack(wheel, *FILES, "tests/conftest.py"))
