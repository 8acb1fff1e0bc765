"""Sets up `.venv`: makes it, installs a list of packages with their hashes checked, and Motet itself in place.

Run by `make setup`, `make demo` and `make test` as `python scripts/install.py run|dev|bench`, with the standard library
alone. What was installed is written down in a stamp, so that a second run does nothing; a run that was
interrupted leaves no stamp, and the next one goes on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "motet-installed.json"
CONTAINS = {"run": ["run"], "dev": ["dev", "run"], "bench": ["bench", "dev", "run"]}
"""Which lists are installed when one is: the one for development holds everything of the other."""


def main(arguments: list[str]) -> int:
    """Bring `.venv` up to date with one list; return the exit status."""
    if len(arguments) != 1 or arguments[0] not in CONTAINS:
        print(f"Usage: python scripts/install.py {'|'.join(CONTAINS)}")
        return 2
    try:
        install(arguments[0])
    except subprocess.CalledProcessError as error:
        print(f"\nThis command failed: {shlex.join(map(str, error.cmd))}")
        print("Its reason stands above. The same make command goes on where this one stopped.")
        return 1
    except RuntimeError as error:
        print(error)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same make command goes on from here.")
        return 130
    return 0


def install(name: str) -> None:
    """Install the list `name` and Motet itself, as far as they are not there.

    Raises:
        RuntimeError: No virtual environment can be made with this Python.
        CalledProcessError: A command failed; it has said why.
    """
    stamp = _ready_stamp()
    file = _list(name)
    if stamp.get(name) != _digest(file.read_bytes()):
        _say(f"Installing {file.relative_to(ROOT)} into {VENV.name} (hashes are checked)")
        _forget(stamp, name)
        _pip("--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(file))
        stamp |= {part: _digest(_list(part).read_bytes()) for part in CONTAINS[name]}
    if stamp.get("project") != _project():
        _say("Installing Motet in place")
        _forget(stamp, "project")
        _pip("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "-e", str(ROOT))
        stamp["project"] = _project()
    if stamp != _read_stamp():
        _write_stamp(stamp)


def _ready_stamp() -> dict[str, str]:
    """Return what is installed; make the virtual environment first where there is none that works."""
    if _works():
        return _read_stamp()
    _say(f"Making {VENV.name} with Python {sys.version.split()[0]}")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if not _has("ensurepip"):
        # Debian keeps ensurepip in a package of its own; another pip can install from outside.
        if not _has("pip"):
            raise RuntimeError(
                f"{sys.executable} has neither ensurepip nor pip, so nothing can be installed. "
                "Install them (Debian, Ubuntu: python3-venv), or name another: make PYTHON=/path/to/python"
            )
        command.append("--without-pip")
    subprocess.run(command, check=True)
    return {}


def _works() -> bool:
    """Say whether `.venv` runs, is new enough, and stands where it was made (its scripts hold its path)."""
    try:
        made_by = (VENV / "pyvenv.cfg").read_text("utf-8")
    except (OSError, ValueError):
        return False
    if "command = " in made_by and not made_by.rstrip().endswith(str(VENV)):
        return False
    if not _runs("import sys; sys.exit(sys.version_info < (3, 11))"):
        return False
    return not _has("ensurepip") or _runs("import pip")


def _has(module: str) -> bool:
    """Say whether the Python that runs this has a module."""
    return importlib.util.find_spec(module) is not None


def _runs(code: str) -> bool:
    """Say whether the Python of `.venv` is there and runs some code to its end."""
    try:
        return subprocess.run([PYTHON, "-c", code], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _pip(*arguments: str) -> None:
    command = (
        [PYTHON, "-m", "pip"] if _runs("import pip") else [sys.executable, "-m", "pip", "--python", PYTHON]
    )
    subprocess.run([*command, "install", "--disable-pip-version-check", "--no-input", *arguments], check=True)


def _list(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _project() -> str:
    """Return a digest of what an installation in place writes down: the name, the version, the commands."""
    data: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return _digest(json.dumps([data["project"], data["build-system"]], sort_keys=True).encode())


def _read_stamp() -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp


def _forget(stamp: dict[str, str], *parts: str) -> None:
    """Take parts out of the stamp before they are touched: an interrupted run must not look like a whole one."""
    for part in parts:
        stamp.pop(part, None)
    _write_stamp(stamp)


def _write_stamp(stamp: dict[str, str]) -> None:
    partial = STAMP.with_suffix(".partial")
    partial.write_text(json.dumps(stamp, indent=2) + "\n", "utf-8")
    partial.replace(STAMP)


def _say(line: str) -> None:
    print(f"==> {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
