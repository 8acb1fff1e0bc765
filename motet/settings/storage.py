"""Settings of the database and the folders."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from motet.secret import Secret, hide_password
from motet.settings.field import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where data lives."""

    home: Path = setting(Path(), "MOTET_HOME", "Data folder; the platform's user data folder unless set.")
    cache: Path = setting(Path(), "MOTET_CACHE", "Cache folder for model weights, shared between projects.")
    database_url: str = setting(
        "", "MOTET_DATABASE_URL", "SQLAlchemy URL; a SQLite file in the home unless set."
    )
    busy_timeout_s: float = setting(30.0, "MOTET_BUSY_TIMEOUT_S", "How long to wait for a locked database.")
    synchronous: str = setting(
        "normal",
        "MOTET_SQLITE_SYNCHRONOUS",
        "`normal`, or `full` where power loss matters.",
        choices=("normal", "full"),
    )
    cache_items: int = setting(
        50_000,
        "MOTET_CACHE_ITEMS",
        "Messages of conversations, all together, that a process keeps in memory.",
        positive=True,
    )
    secret_key: Secret = setting(
        Secret(""),
        "MOTET_SECRET_KEY",
        "Key that authenticates stored state; a key file in the home unless set.",
    )
    crash_at: int = setting(
        0, "MOTET_CRASH_AT", "For tests of recovery: end the process at this crash point; 0 never does."
    )
    encryption_key: Secret = setting(
        Secret(""),
        "MOTET_ENCRYPTION_KEY",
        "Key that encrypts what is stored; nothing is encrypted unless set.",
    )
    encryption_key_file: str = setting(
        "", "MOTET_ENCRYPTION_KEY_FILE", "File with that key, instead; one a line, oldest first."
    )

    def __repr__(self) -> str:
        """Show every field but the password in the database's URL."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["database_url"] = hide_password(self.database_url)
        return f"StorageSettings({', '.join(f'{name}={value!r}' for name, value in values.items())})"
