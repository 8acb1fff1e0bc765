"""Builds the wheel into dist/ and proves that it works alone: installed elsewhere, run in an empty folder.

Tests see the checkout, so a file that is missing from the wheel would go unnoticed. Here the package is installed
into a fresh virtual environment that borrows the other packages of this one, and never sees the checkout.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "motet"


class Failed(Exception):
    """The wheel is not whole; the message says what is wrong."""


def main() -> int:
    """Build and check; return the exit status."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            wheel = build(ROOT / "dist", home=Path(folder))
            check_contents(wheel)
            check_alone(wheel, Path(folder))
    except Failed as error:
        print(f"wheel: {error}")
        return 1
    print(f"wheel: {wheel.relative_to(ROOT)} holds the whole package and works in an empty folder")
    return 0


def build(folder: Path, *, home: Path) -> Path:
    """Build the wheel without a network and return its path."""
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, home=home)
    return max(folder.glob("motet-*.whl"), key=lambda path: path.stat().st_mtime)


def check_contents(wheel: Path) -> None:
    """Compare the wheel with the package's folder, data files included.

    Raises:
        Failed: A file is missing, or one is there that has no place in a wheel.
    """
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    here = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
    }
    if missing := sorted(here - inside):
        raise Failed(f"these files are missing from it: {', '.join(missing)}")
    if strange := sorted(inside - here):
        raise Failed(f"it holds what is not the package: {', '.join(strange)}")
    data = {Path(name).suffix for name in inside} - {".py"}
    if ".typed" not in data or not any("/migrations/versions/" in name for name in inside):
        raise Failed("it has no type marker or no migrations")


def check_alone(wheel: Path, folder: Path) -> None:
    """Install the wheel into a virtual environment of its own and run it in an empty folder.

    Raises:
        Failed: It does not import, does not run, or what ran was the checkout.
    """
    venv = folder / "venv"
    _run([sys.executable, "-m", "venv", "--without-pip", str(venv)], cwd=folder, home=folder)
    python = venv / "bin" / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    _run([*pip, "--no-deps", "--no-index", str(wheel)], cwd=folder, home=folder)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(venv)}))
    # A path in a .pth file is searched, but the .pth files in it (the checkout's) are not read.
    (site / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
    empty = folder / "empty"
    empty.mkdir()
    where = _run(
        [python, "-c", "import motet, motet.app; print(motet.__file__)"], cwd=empty, home=folder
    ).strip()
    if not Path(where).resolve().is_relative_to(venv.resolve()):
        raise Failed(f"what was imported is {where}, not the wheel")
    for arguments in (["--version"], ["--help"], ["threads", "list"]):
        _run([venv / "bin" / "motet", *arguments], cwd=empty, home=folder)
    if left := [path.name for path in empty.iterdir()]:
        raise Failed(f"running it left files where it was run: {', '.join(left)}")


def _run(command: list[str | Path], *, cwd: Path, home: Path) -> str:
    """Run a command with a home of its own and no settings, and return its standard output.

    Raises:
        Failed: Its exit status is not 0; what it printed is in the message.
    """
    environment = {
        "PATH": os.defpath,
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "MOTET_HOME": str(home / "data"),
    }
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = " ".join(str(part) for part in command)
        raise Failed(f"'{words}' ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
