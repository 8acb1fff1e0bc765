"""Logging, set up once by the app. Rooms call `logging.getLogger(__name__)` and nothing more.

Secrets are taken out at the sink: any configured secret becomes `***`, in traces too.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "***"
"""What stands in a secret's place."""

MIN_SECRET_CHARS = 6
"""A shorter value is no secret: taking it out would only make the log unreadable."""


class Redactor:
    """Takes secrets out of texts, in the forms that they are sent in: as they are, in a URL, in base64, in JSON."""

    def __init__(self, secrets: Iterable[str], *, at_least: int = MIN_SECRET_CHARS) -> None:
        plain = [secret for secret in secrets if len(secret) >= at_least]
        self._secrets = sorted({form for secret in plain for form in _forms(secret)}, key=len, reverse=True)

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def redact(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def clean(self, value: Any) -> Any:
        """Return plain JSON without secrets, in names too."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, list):
            items: list[Any] = value
            return [self.clean(item) for item in items]
        if isinstance(value, dict):
            pairs: dict[str, Any] = value
            return {self.redact(str(name)): self.clean(inner) for name, inner in pairs.items()}
        return value

    def held(self, text: str) -> int:
        """Return how many of a text's last characters may be the beginning of a secret."""
        for length in range(min(len(text), len(self._secrets[0]) - 1) if self._secrets else 0, 0, -1):
            tail = text[-length:]
            if any(len(secret) > length and secret.startswith(tail) for secret in self._secrets):
                return length
        return 0


def _forms(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode().rstrip("=")
    return {secret, quote(secret, safe="", errors="replace"), json.dumps(secret)[1:-1], encoded}


class _Redacted(logging.Formatter):
    """Formats a record, its trace too, and takes secrets out of the whole."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self.redact = Redactor(secrets).redact

    def format(self, record: logging.LogRecord) -> str:
        return self.redact(super().format(record))


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


def of_run(run_id: str, thread_id: str) -> dict[str, Any]:
    """Return what a log call's `extra` is, so that its record in JSON has a run's id and its thread's as fields."""
    return {"fields": {"run_id": run_id, "thread_id": thread_id}}


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
