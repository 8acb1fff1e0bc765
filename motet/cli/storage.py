"""`motet storage`: encrypt what is stored, and give it a new key.

What does not live here: how that is done (`motet.storage.reseal`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from motet.cli.lists import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from motet.settings import StorageSettings

storage = typer.Typer(help="The database: encryption.", no_args_is_help=True)


@storage.command("encrypt")
def encrypt() -> None:
    """Encrypt what is stored, once, with MOTET_ENCRYPTION_KEY. Stop every other motet first, and keep a backup."""
    from motet.storage.reseal import encrypt_storage

    _write_anew(encrypt_storage)


@storage.command("rekey")
def rekey() -> None:
    """Encrypt what is stored with the newest key. Set MOTET_ENCRYPTION_KEY to the old key, a comma, and the new one."""
    from motet.storage.reseal import rekey_storage

    _write_anew(rekey_storage)


def _write_anew(work: Callable[[StorageSettings], int]) -> None:
    from motet.settings import Settings

    count = work(Settings.load().storage)
    note(
        f"Encrypted: {count} values. Transcripts, documents and what is searched stay readable (docs/safety.md)."
    )
