"""Setting up `.venv`: nothing twice, nothing half, and from one list to the other only what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import install


class Pip:
    """Stands in for pip: writes down what it was asked to install; fails when it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails = False

    def __call__(self, *arguments: str) -> None:
        self.calls.append(Path(arguments[-1]).name)
        if self.fails:
            raise subprocess.CalledProcessError(1, ["pip"])


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pip:
    """A project of its own with two lists and a `.venv` that is made without a pip."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "run.txt").write_text("a==1\n")
    (tmp_path / "requirements" / "dev.txt").write_text("a==1\nb==1\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[build-system]\nrequires = []\n')
    venv = tmp_path / ".venv"
    pip = Pip()
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "VENV", venv)
    monkeypatch.setattr(install, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(install, "STAMP", venv / "stamp.json")
    monkeypatch.setattr(install, "_pip", pip)
    monkeypatch.setattr(install, "_has", lambda module: module == "pip")
    return pip


def _make(name: str, pip: Pip) -> list[str]:
    pip.calls.clear()
    assert install.main([name]) == 0
    return list(pip.calls)


def test_a_second_run_installs_nothing(pip: Pip, tmp_path: Path) -> None:
    assert _make("run", pip) == ["run.txt", tmp_path.name]
    assert _make("run", pip) == []


def test_the_list_for_development_holds_the_other(pip: Pip) -> None:
    _make("run", pip)
    assert _make("dev", pip) == ["dev.txt"]
    assert _make("run", pip) == []
    assert _make("dev", pip) == []


def test_a_changed_list_is_installed_again(pip: Pip, tmp_path: Path) -> None:
    _make("dev", pip)
    (tmp_path / "requirements" / "dev.txt").write_text("a==1\nb==2\n")
    assert _make("run", pip) == []
    assert _make("dev", pip) == ["dev.txt"]


def test_a_changed_project_is_installed_again_and_its_lists_are_not(pip: Pip, tmp_path: Path) -> None:
    _make("run", pip)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "y"\n[build-system]\nrequires = []\n')
    assert _make("run", pip) == [tmp_path.name]


def test_an_interrupted_run_is_gone_on_with(
    pip: Pip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make("run", pip)
    (tmp_path / "requirements" / "run.txt").write_text("a==2\n")
    pip.fails = True
    assert install.main(["run"]) == 1
    assert "goes on where this one stopped" in capsys.readouterr().out
    (tmp_path / "requirements" / "run.txt").write_text("a==1\n")
    pip.fails = False
    assert _make("run", pip) == ["run.txt"]


def test_a_broken_or_moved_environment_is_made_anew(pip: Pip, tmp_path: Path) -> None:
    whole = ["run.txt", tmp_path.name]
    _make("run", pip)
    (tmp_path / ".venv" / "bin" / "python").unlink()
    assert _make("run", pip) == whole
    config = tmp_path / ".venv" / "pyvenv.cfg"
    config.write_text(config.read_text().replace(str(tmp_path), "/somewhere/else"))
    assert _make("run", pip) == whole
    (tmp_path / ".venv" / "stamp.json").write_text("not json")
    assert _make("run", pip) == whole


def test_a_python_that_can_install_nothing_is_told_in_one_line(
    pip: Pip, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "_has", lambda _module: False)
    assert install.main(["run"]) == 1
    (line,) = capsys.readouterr().out.splitlines()[1:]
    assert line.startswith(f"{sys.executable} has neither ensurepip nor pip")
    assert pip.calls == []


def test_an_unknown_list_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert install.main(["everything"]) == 2
    assert "run|dev" in capsys.readouterr().out
