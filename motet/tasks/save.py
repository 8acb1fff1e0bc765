"""Writing an artifact: beside the task file, whole or not at all.

What does not live here: what is written.
"""

from __future__ import annotations

import json
import uuid
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, PermissionRefused, RunError

if TYPE_CHECKING:
    from pathlib import Path

_NEVER = ("motet.toml",)
_NEVER_ENDING = (".task.yaml", ".task.yml")


def save(folder: Path, name: str, value: Any) -> str:
    """Write a value to a file beneath a folder; return the file's absolute path. A second time writes it anew.

    Raises:
        InvalidInput: The name is empty, or cannot be one.
        PermissionRefused: It is absolute, leads out of the folder (links included), is hidden, or is a task file.
        RunError: The disk refuses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = _target(folder, name)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_inside(folder, path, name)
        written = path.with_name(f".motet-{uuid.uuid4().hex}")
        try:
            written.write_bytes(text.encode("utf-8", "replace") + (b"" if text.endswith("\n") else b"\n"))
            written.replace(path)
        finally:
            written.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"'{name}' cannot be written: {error.strerror or error}.", path=str(path)) from None
    return str(path)


def _target(folder: Path, name: str) -> Path:
    given = PurePosixPath(name.strip())
    parts = [part for part in given.parts if part != "."]
    if not parts or "\0" in name or name.rstrip().endswith("/"):
        raise InvalidInput(f"'{name}' is no name for a file.")
    if given.is_absolute() or ".." in parts or "\\" in name:
        raise PermissionRefused(
            f"'{name}' leads out of the task's folder; write a path beneath it.", path=name
        )
    if any(part.startswith(".") for part in parts):
        raise PermissionRefused(f"'{name}' is a hidden file or folder, and those are not written.", path=name)
    if parts[-1] in _NEVER or parts[-1].endswith(_NEVER_ENDING):
        raise PermissionRefused(f"'{name}' would change what runs do, and is not written.", path=name)
    path = folder.joinpath(*parts)
    nearest = next(parent for parent in path.parents if parent.exists())
    _check_inside(folder, nearest / "x", name)
    return path


def _check_inside(folder: Path, path: Path, name: str) -> None:
    """Refuse a path whose folder, with links followed, is not beneath the allowed one; the file may be no link."""
    if not path.parent.resolve().is_relative_to(folder.resolve()) or path.is_symlink():
        raise PermissionRefused(f"'{name}' leads out of the task's folder through a link.", path=name)
