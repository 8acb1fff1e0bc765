"""What an operator approved of MCP servers' offers: the descriptions, word for word, in a file of the data folder.

What does not live here: asking a server (`client`). What was not approved is no tool; what changed is none any more.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from typing import TYPE_CHECKING, Any

from motet.errors import StateCorrupt
from motet.tools.mcp.client import Offer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE = "mcp_approved.json"


class Pins:
    """The approved offers, by server."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def approved(self, server: str) -> list[Offer]:
        """Return what of a server was approved; [] for one that nobody looked at.

        Raises:
            StateCorrupt: The file is none of Motet's, or was changed by hand.
        """
        rows = self._read().get(server, [])
        found = [Offer(row["kind"], row["name"], row["description"], row["schema"]) for row in rows]
        for offer, row in zip(found, rows, strict=True):
            if digest(offer) != row["sha256"]:
                raise StateCorrupt(
                    f"{self._path}: '{offer.name}' of '{server}' has another checksum. Approve the server again."
                )
        return found

    def approve(self, server: str, offers: Sequence[Offer]) -> None:
        """Store what was looked at; it takes the place of what was approved of this server before."""
        rows = self._read() | {server: [_row(offer) for offer in offers]}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{FILE}.{secrets.token_hex(6)}")
        temporary.write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf-8")
        os.replace(temporary, self._path)  # noqa: PTH105

    def _read(self) -> dict[str, list[dict[str, Any]]]:
        try:
            return json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StateCorrupt(
                f"{self._path} cannot be read: {error}. Move it away and approve again."
            ) from None


def digest(offer: Offer) -> str:
    """Return the checksum of what a model is told of an offer."""
    told = [offer.kind, offer.name, offer.description, offer.schema]
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def changes(before: Sequence[Offer], now: Sequence[Offer]) -> list[tuple[str, Offer]]:
    """Return what is `new`, `changed`, `gone` and `same`, in that order of the offers."""
    old = {(offer.kind, offer.name): offer for offer in before}
    found: list[tuple[str, Offer]] = []
    for offer in now:
        known = old.pop((offer.kind, offer.name), None)
        found.append(("new" if known is None else "same" if known == offer else "changed", offer))
    return [*found, *(("gone", offer) for offer in old.values())]


def _row(offer: Offer) -> dict[str, Any]:
    return {
        "kind": offer.kind,
        "name": offer.name,
        "description": offer.description,
        "schema": offer.schema,
        "sha256": digest(offer),
    }
