"""Which task files may run programs: their digests, in a file of the data folder that only its owner may read.

What does not live here: running them. A digest covers the file and all that it names, so a change ends the trust.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from motet.errors import StateCorrupt

if TYPE_CHECKING:
    from pathlib import Path

    from motet.tasks.load import TaskFile

NAME = "trusted-tasks.json"


def trust(home: Path, file: TaskFile) -> None:
    """Let a task file, as it is now, run programs. A second time changes nothing."""
    known = _read(home)
    known[file.digest] = {"file": file.file, "at": round(time.time())}
    path = home / NAME
    home.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{NAME}.{os.getpid()}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(known, stream, ensure_ascii=False, indent=1)
    written.replace(path)


def is_trusted(home: Path, digest: str) -> bool:
    """Say whether the task file with this digest may run programs.

    Raises:
        StateCorrupt: The list cannot be read.
    """
    return digest in _read(home)


def programs(file: TaskFile) -> list[list[str]]:
    """Return what a task file and those that it uses would run, in their order."""
    own = [step.run for step in file.task.steps if step.run is not None]
    return own + [words for child in file.children.values() for words in programs(child)]


def _read(home: Path) -> dict[str, Any]:
    path = home / NAME
    try:
        known = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StateCorrupt(
            f"{path} cannot be read: {error}. Mend it, or delete it and trust again."
        ) from None
    if not isinstance(known, dict):
        raise StateCorrupt(f"{path} is no list of trusted files. Delete it and trust again.")
    return known
