"""Encryption at rest: what is stored is unreadable, and unchangeable, without the key.

What does not live here: which rows are encrypted (`storage.encryption`), seals without encryption (`storage.seal`).

A blob is `version (1 byte) | key id (2) | nonce (12) | ciphertext and tag (AES-256-GCM, 16 more)`. Each row has a key
of its own, made of the installation's key and the row's place (tenant, table, row) by HMAC-SHA256, so that however
many rows there are no key sees many nonces. The header and the place are authenticated with the data: a blob that was
moved to another row, table or tenant is refused, as a changed one is.

Source: NIST SP 800-38D, section 8.3, for how many random nonces one key may see.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.errors import ExtraMissing, SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.settings import StorageSettings

VERSION = b"\x02"
HEADER_BYTES = 3
NONCE_BYTES = 12
TAG_BYTES = 16
OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES
"""How much longer an encrypted blob is than its data."""

MIN_KEY_CHARS = 16


class Unreadable(Exception):
    """A blob is not what was encrypted for this place; the text says why."""


class Cipher:
    """Encrypts and decrypts with one or more keys. The last key encrypts; all of them decrypt. Thread-safe."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take the keys, any text of at least 16 characters each, oldest first.

        Raises:
            SettingInvalid: No key, or one that is too short to be a secret.
            ExtraMissing: The package `cryptography` is not installed.
        """
        if not keys or any(len(key) < MIN_KEY_CHARS for key in keys):
            raise SettingInvalid(
                f"An encryption key needs at least {MIN_KEY_CHARS} characters; `openssl rand -hex 32` makes one."
            )
        self._aead = _load_aead()
        made = [hashlib.sha256(b"motet encryption " + key.encode()).digest() for key in keys]
        self._keys = {_long_id(key): key for key in made}
        self._newest = made[-1]

    @property
    def key_ids(self) -> list[str]:
        """Names of the keys, oldest first; they tell nothing of the keys."""
        return list(self._keys)

    @property
    def newest_id(self) -> str:
        """Name of the key that encrypts."""
        return _long_id(self._newest)

    def encrypt(self, data: bytes, place: bytes) -> bytes:
        """Return the data encrypted, good for this place only."""
        header, nonce = VERSION + _short_id(self._newest), os.urandom(NONCE_BYTES)
        return header + nonce + self._box(self._newest, place).encrypt(nonce, data, header + place)

    def decrypt(self, blob: bytes, place: bytes) -> bytes:
        """Return the data of a blob.

        Raises:
            Unreadable: It was changed or moved, is not encrypted, or was encrypted with a key that is not known here.
        """
        header = bytes(blob[:HEADER_BYTES])
        if header[:1] != VERSION or len(blob) < OVERHEAD_BYTES:
            raise Unreadable("it is not encrypted, and this database is")
        nonce = bytes(blob[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES])
        sealed = bytes(blob[HEADER_BYTES + NONCE_BYTES :])
        candidates = [key for key in self._keys.values() if _short_id(key) == header[1:]]
        for key in candidates:
            try:
                return self._box(key, place).decrypt(nonce, sealed, header + place)
            except self._aead.invalid:
                continue
        raise Unreadable("it was changed or moved" if candidates else "it was encrypted with an unknown key")

    def digests(self, data: bytes) -> list[str]:
        """Return keyed digests of data, the newest key's first: equal data is known again, not guessed."""
        return [
            hmac.digest(key, b"motet digest " + data, "sha256").hex() for key in reversed(self._keys.values())
        ]

    def is_newest(self, blob: bytes) -> bool:
        """Say whether a blob names the key that encrypts now."""
        return bytes(blob[:HEADER_BYTES]) == VERSION + _short_id(self._newest)

    def _box(self, key: bytes, place: bytes) -> Any:
        return self._aead.box(hmac.digest(key, b"motet row " + place, "sha256"))


class _Aead:
    def __init__(self, box: Any, invalid: type[Exception]) -> None:
        self.box = box
        self.invalid = invalid


def _load_aead() -> _Aead:
    try:
        ciphers = import_module("cryptography.hazmat.primitives.ciphers.aead")
        invalid: type[Exception] = import_module("cryptography.exceptions").InvalidTag
    except ImportError:
        raise ExtraMissing(
            "An encryption key is set, and the package that encrypts is not installed: pip install 'motet[encrypt]'."
        ) from None
    return _Aead(ciphers.AESGCM, invalid)


def load_cipher(settings: StorageSettings) -> Cipher | None:
    """Return the cipher of this installation; None where no key is set.

    Keys come from MOTET_ENCRYPTION_KEY (several, oldest first, separated by commas), or from the file that
    MOTET_ENCRYPTION_KEY_FILE names (one a line, oldest first). The file is never made: losing it is losing the data.

    Raises:
        SettingInvalid: Both are set, the file cannot be read or is empty, or a key is too short.
        ExtraMissing: The package `cryptography` is not installed.
    """
    text, file = settings.encryption_key.reveal(), settings.encryption_key_file
    if text and file:
        raise SettingInvalid(
            "MOTET_ENCRYPTION_KEY and MOTET_ENCRYPTION_KEY_FILE are both set: take one away."
        )
    if file:
        return Cipher(_read_keys(Path(file).expanduser()))
    return Cipher([part.strip() for part in text.split(",") if part.strip()]) if text else None


def _read_keys(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingInvalid(
            f"The encryption key file {path} cannot be read: {reason}.", path=str(path)
        ) from None
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        raise SettingInvalid(
            f"The encryption key file {path} is empty. Restore it from a backup.", path=str(path)
        )
    return keys


def _long_id(key: bytes) -> str:
    return hashlib.sha256(b"motet encryption key id " + key).hexdigest()[:16]


def _short_id(key: bytes) -> bytes:
    return bytes.fromhex(_long_id(key))[:2]
