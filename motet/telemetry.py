"""Logging, set up once by the app. Rooms call `logging.getLogger(__name__)` and nothing more.

Secrets are taken out at the sink: any configured secret's exact value becomes `***`, in traces too.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_SECRET_CHARS = 6
"""A shorter value is no secret: taking it out would only make the log unreadable."""


class _Redacted(logging.Formatter):
    """Formats a record, its trace too, and takes secrets out of the whole."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._secrets = sorted((s for s in secrets if len(s) >= MIN_SECRET_CHARS), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def setup_logging(level: str, *, secrets: Iterable[str] = ()) -> None:
    """Send Motet's log to stderr at `level` (`debug` … `error`), with `secrets` taken out.

    A repeated call replaces the handler of the one before. Loggers of other packages are left alone.
    """
    root = logging.getLogger("motet")
    root.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacted(secrets))
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check of the machine found; `motet doctor` shows them."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    """What to do about it, when it is not well."""
