"""What of this Python and its packages a box must show for Motet's own modules to run inside.

What does not live here: the box (`box`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import motet

if TYPE_CHECKING:
    from collections.abc import Mapping

SYSTEM = Path("/usr")
"""What every box shows."""
_PACKAGES = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python, as it is seen inside."""

    program: str
    path: tuple[str, ...]
    """Where it finds packages, besides its own library."""
    folders: Mapping[str, Path]
    """What is to be shown, by its place."""

    def command(self, code: str) -> list[str]:
        """Return the command that runs Python's code; arguments may follow. `site` is not run: it takes its time."""
        return [self.program, "-I", "-S", "-c", f"import sys; sys.path += {list(self.path)!r}\n{code}"]


def this_interpreter() -> Interpreter:
    """Return the Python that runs this, with the packages that it has."""
    package = Path(motet.__file__).resolve().parent
    packages = [Path(each) for each in sys.path if Path(each).name in _PACKAGES and Path(each).is_dir()]
    needed = [Path(sys.base_prefix).resolve(), *packages, package]
    return Interpreter(
        program=str(Path(sys.executable).resolve()),
        path=tuple(dict.fromkeys(str(each) for each in (*packages, package.parent))),
        folders=_outermost(needed),
    )


def _outermost(needed: list[Path]) -> dict[str, Path]:
    """Return those that lie neither in the system nor in another one."""
    chosen = [SYSTEM]
    for each in sorted(needed, key=lambda path: len(path.parts)):
        if not any(each.is_relative_to(known) for known in chosen):
            chosen.append(each)
    return {str(each): each for each in chosen[1:]}
