"""Logging, set up once by the app. Rooms call `logging.getLogger(__name__)` and nothing more.

Secrets are taken out at the sink: any configured secret's exact value becomes `***`, in traces too.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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
        return self.redact(super().format(record))

    def redact(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class _Json(_Redacted):
    """Formats a record as one JSON object; `extra={"fields": {…}}` of a log call becomes fields of it."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["trace"] = self.formatException(record.exc_info)
        return json.dumps(
            {name: self._clean(value) for name, value in said.items()}, ensure_ascii=False, default=str
        )

    def _clean(self, value: Any) -> Any:
        return self.redact(value) if isinstance(value, str) else value


def setup_logging(level: str, *, secrets: Iterable[str] = (), form: str = "text") -> None:
    """Send Motet's log to stderr at `level` (`debug` … `error`), with `secrets` taken out; `form` is `text` or `json`.

    A repeated call replaces the handler of the one before. Of other packages' loggers one is
    kept from warning of what is meant to happen.
    """
    root = logging.getLogger("motet")
    root.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter((_Json if form == "json" else _Redacted)(secrets))
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False
    logging.getLogger("langchain_core.callbacks.manager").addFilter(_is_no_stop)


def _is_no_stop(record: logging.LogRecord) -> bool:
    """Leave out what LangChain warns of when a spent budget stops a call: the run itself tells of that."""
    return not (isinstance(record.args, tuple) and str(record.args[:1]).startswith("('BudgetOn"))


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check of the machine found; `motet doctor` shows them."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    """What to do about it, when it is not well."""
