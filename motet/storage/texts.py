"""Texts that are encrypted where the database is: JSON of runs, events and the like, in columns of text.

What does not live here: blobs (`storage.seal`), and texts that are searched, which stay readable
(`storage.encryption` lists which is which). An encrypted text is `~` and the blob in base64; no JSON begins so.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from motet.errors import StateCorrupt
from motet.storage.cipher import Unreadable
from motet.storage.seal import place_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from motet.storage.cipher import Cipher

MARK = "~"

_OPTION = "motet_texts"


class Texts:
    """Closes texts on their way into rows, and opens them again; without a cipher they stay as they are."""

    def __init__(self, cipher: Cipher | None) -> None:
        self.cipher = cipher

    def close(self, text: str, tenant_id: str, table: str, *row: str | int) -> str:
        """Return what is stored for a text, good for this row of this tenant's table only."""
        if self.cipher is None:
            return text
        data = text.encode("utf-8", "surrogatepass")
        return MARK + base64.b64encode(self.cipher.encrypt(data, place_of(tenant_id, table, row))).decode()

    def open(self, stored: str, tenant_id: str, table: str, *row: str | int) -> str:
        """Return the text that was closed for this row.

        Raises:
            StateCorrupt: It was changed or moved, it is plain in an encrypted database, or the key is missing.
        """
        if self.cipher is None and not stored.startswith(MARK):
            return stored
        try:
            return self._decrypt(stored, place_of(tenant_id, table, row))
        except Unreadable as error:
            shown = "/".join(str(part) for part in row)
            raise StateCorrupt(
                f"A stored text in table {table}, row {shown}, is not read: {error}.", table=table, row=shown
            ) from None

    def _decrypt(self, stored: str, place: bytes) -> str:
        if self.cipher is None:
            raise Unreadable("it is encrypted, and MOTET_ENCRYPTION_KEY is not set")
        if not stored.startswith(MARK):
            raise Unreadable("it is not encrypted, and this database is")
        try:
            blob = base64.b64decode(stored[len(MARK) :], validate=True)
        except ValueError:
            raise Unreadable("it was changed") from None
        if MARK + base64.b64encode(blob).decode() != stored:  # bits that no byte needs
            raise Unreadable("it was changed")
        return self.cipher.decrypt(blob, place).decode("utf-8", "surrogatepass")


def texts_of(connection: Connection) -> Texts:
    """Return how the connection's database keeps its texts."""
    return connection.get_execution_options()[_OPTION]


def option(texts: Texts) -> dict[str, Texts]:
    """Return the option of an engine that `texts_of` finds."""
    return {_OPTION: texts}
