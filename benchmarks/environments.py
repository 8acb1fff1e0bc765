"""Environments of their own for what Motet is compared with: made by the benchmark itself, kept for the next time.

What is compared never becomes a dependency of Motet's: its versions need not agree with Motet's, or with each other's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("out") / "environments"
"""Where environments are kept. Removing it is always safe."""

INSTALL_S = 900
"""Longest that one environment's installation may take."""


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that is there."""

    name: str
    python: Path
    versions: dict[str, str]
    """Of the packages that were asked for."""

    def told(self) -> str:
        """Return the packages and their versions, for a table."""
        return ", ".join(f"{package} {version}" for package, version in self.versions.items())


class NotInstalled(Exception):  # printed, and the benchmark goes on without it
    """An environment could not be made; the message is the installer's last line."""


def environment(name: str, *requirements: str) -> Environment:
    """Return an environment with these packages; made when it is not there, or was made of others.

    Raises:
        NotInstalled: A registry does not have them, or not for this Python.
    """
    folder = FOLDER / name
    python, ready = folder / "bin" / "python", folder / "ready"
    wanted = "\n".join(requirements)
    if not ready.exists() or ready.read_text("utf-8") != wanted:
        print(f"installing {name} …", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=not _has_uv(), symlinks=True)
        _run([*_installer(python), *requirements])
        ready.write_text(wanted, "utf-8")
    names = [
        requirement.partition("[")[0].split("=")[0].split("<")[0].split(">")[0]
        for requirement in requirements
    ]
    return Environment(name, python, _versions(python, names))


def _has_uv() -> bool:
    return (
        subprocess.run([sys.executable, "-m", "uv", "--version"], capture_output=True, check=False).returncode
        == 0
    )


def _installer(python: Path) -> list[str]:
    if _has_uv():
        return [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"not done after {INSTALL_S} s") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise NotInstalled(lines[-1][:200] if lines else f"exit status {done.returncode}")


def _versions(python: Path, names: list[str]) -> dict[str, str]:
    code = (
        "import sys\nfrom importlib.metadata import version\nprint(*[version(name) for name in sys.argv[1:]])"
    )
    done = subprocess.run([str(python), "-c", code, *names], capture_output=True, text=True, check=True)
    return dict(zip(names, done.stdout.split(), strict=True))
