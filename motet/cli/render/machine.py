"""The forms for programs: every event as a line of JSON, or one object at the end.

What does not live here: what people read (`answers`, `notes`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from motet.cli.render.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from motet.events import Recorded


class JsonLines:
    """Writes each event as one line, at once."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def show(self, recorded: Recorded) -> None:
        """Take a run's next event."""
        self._write(to_json(recorded.to_line(), indent=None) + "\n")

    def close(self) -> None:
        """Do nothing: every line was written."""


class JsonObject:
    """Writes one object when the run ends: see `Outcome.to_dict`."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._outcome = Outcome()

    def show(self, recorded: Recorded) -> None:
        """Take a run's next event."""
        self._outcome.add(recorded)

    def close(self) -> None:
        """Write the object."""
        self._write(to_json(self._outcome.to_dict()) + "\n")


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """Return plain data as JSON, Chinese as it is; lone surrogates are escaped, so that any stream takes it."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return text if _is_encodable(text) else json.dumps(value, indent=indent, default=str)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
