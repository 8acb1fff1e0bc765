import sys
from pathlib import Path

import pytest

import motet
from motet.sandbox.interpreter import SYSTEM, this_interpreter


def test_this_python_is_shown_with_its_packages_and_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packages = tmp_path / "lib" / "site-packages"
    packages.mkdir(parents=True)
    monkeypatch.setattr(
        sys, "path", ["", str(tmp_path), str(packages), str(packages / "gone" / "site-packages")]
    )
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    python = this_interpreter()
    ours = Path(motet.__file__).resolve().parent
    assert set(python.folders.values()) == {packages, ours}
    assert python.path == (str(packages), str(ours.parent))
    assert python.command("print(1)")[:4] == [str(Path(sys.executable).resolve()), "-I", "-S", "-c"]


def test_what_the_system_or_another_folder_holds_is_not_shown_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Path(motet.__file__).resolve().parent
    monkeypatch.setattr(sys, "base_prefix", str(ours.parent))
    monkeypatch.setattr(sys, "path", [])
    assert this_interpreter().folders == {str(ours.parent): ours.parent}
    assert SYSTEM not in this_interpreter().folders.values()
