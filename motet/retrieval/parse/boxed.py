"""A command of the operator's in the sandbox: it sees the system, itself, and the file that it is to read.

What does not live here: the sandbox (`motet.sandbox`), and commands where there is none (`command`).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from motet.retrieval.unreadable import unreadable
from motet.sandbox.recipe import INPUTS, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.retrieval.parse.base import ParseLimits
    from motet.sandbox.box import Sandbox

PLACE = "{path}"
"""In an argument: the path of the copy that is to be read."""

_SYSTEM = ("/usr", "/bin", "/sbin")
_SEE = (
    "It runs in the sandbox, which shows it /usr and what MOTET_PARSE_FOLDERS names. "
    "See [loaders] in your settings file."
)


def with_file(command: Sequence[str], file: str) -> list[str]:
    """Return a command with the file's path in it; one that names it nowhere is given it last."""
    named = any(PLACE in argument for argument in command)
    arguments = [argument.replace(PLACE, file) for argument in command]
    return arguments if named else [*arguments, file]


async def run_boxed(
    sandbox: Sandbox,
    command: Sequence[str],
    data: bytes,
    path: Path,
    *,
    limits: ParseLimits,
    folders: Sequence[Path],
) -> bytes:
    """Return what a command prints for a file.

    Args:
        sandbox: One that holds.
        command: The program, by its path, and its arguments. Files that it names by their whole path are shown too.
        data: The file.
        path: Where it came from.
        limits: What it may cost.
        folders: What else is shown, read-only, at its place.

    Raises:
        DocumentUnreadable: It fails, takes too long or prints too much.
        SandboxUnavailable: There is no sandbox.
    """
    program = _program(Path(command[0]))
    shown = [program, *folders, *(Path(each) for each in command[1:] if each.startswith("/"))]
    file = f"document{path.suffix.lower()}"
    ran = await sandbox.run(
        with_file([str(program), *command[1:]], f"{INPUTS}/{file}"),
        inputs={file: data},
        folders={str(each): each for each in shown if not _is_system(each) and each.exists()},
        limits=Limits(
            wall_s=limits.wall_s,
            cpu_s=math.ceil(limits.wall_s),
            memory_mb=math.ceil(limits.memory_bytes / 2**20),
            file_mb=256,
            open_files=1024,
            output_bytes=limits.output_bytes,
            box_mb=256,
            tmp_mb=256,
        ),
    )
    name = Path(command[0]).name
    if ran.ended == "timeout":
        raise unreadable(path, f"'{name}' took more than {limits.wall_s:g} s", _SEE)
    if ran.ended == "too_much_output":
        raise unreadable(path, f"'{name}' printed too much", _SEE)
    if ran.ended == "failed":
        raise unreadable(path, f"'{name}' failed with status {ran.exit_code}", _SEE)
    return ran.stdout


def _program(path: Path) -> Path:
    """Return a program's path inside: a link that leads out of the system is followed, as by `/etc/alternatives`."""
    step = path
    while step.is_symlink():
        step = step.parent / step.readlink()
        if not _is_system(step):
            return path.resolve()
    return path


def _is_system(path: Path) -> bool:
    return any(path.is_relative_to(each) for each in _SYSTEM)
