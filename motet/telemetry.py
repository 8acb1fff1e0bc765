"""Logging, set up once by the app. Rooms call `logging.getLogger(__name__)` and nothing more.

Secrets are taken out at the sink: any configured secret's exact value becomes `***`.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Redact(logging.Filter):
    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = sorted((s for s in secrets if len(s) >= 6), key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for secret in self._secrets:
            text = text.replace(secret, "***")
        record.msg, record.args = text, ()
        return True


def setup_logging(level: str, *, secrets: Iterable[str] = ()) -> None:
    """Send Motet's log to stderr at `level` (`debug` … `error`), with `secrets` taken out.

    A repeated call replaces the handler of the one before. Loggers of other packages are left alone.
    """
    root = logging.getLogger("motet")
    root.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.addFilter(_Redact(secrets))
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
