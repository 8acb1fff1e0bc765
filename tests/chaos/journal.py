"""An append-only file of JSON lines: what one party saw, written down before anything follows from it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class Journal:
    """Writes lines. Each is one `write` to a file opened for appending, so a killed writer leaves whole lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, **entry: Any) -> None:
        """Append an entry with its time."""
        line = json.dumps({"at": time.time(), **entry}, ensure_ascii=False) + "\n"
        os.write(self._file, line.encode())

    def close(self) -> None:
        os.close(self._file)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a journal, oldest first; [] where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
