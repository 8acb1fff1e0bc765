"""Seals on stored bytes: what Motet did not write, or wrote for another row, is refused before it is parsed.

What does not live here: what the bytes mean. A sealed blob is `version (1 byte) | key id (2) | tag (16) | data`;
the tag is HMAC-SHA256 over the header, the tenant, the table, the row's id and the data, cut to 128 bits
(RFC 2104, section 5). Whoever can write the database can delete a row or put back an older one, not forge one.
Where the database is encrypted, the encryption (`storage.cipher`) is the seal.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import hmac
import os
import secrets
import stat
from typing import TYPE_CHECKING

from motet.errors import SettingInvalid, StateCorrupt, StorageError
from motet.storage import cipher as encryption
from motet.storage.cipher import Cipher, Unreadable, load_cipher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from motet.settings import StorageSettings

_VERSION = b"\x01"
_TAG_BYTES = 16
_HEADER_BYTES = 3
OVERHEAD_BYTES = _HEADER_BYTES + _TAG_BYTES
"""How much longer a sealed blob is than its data."""

MIN_KEY_BYTES = 16


class Seal:
    """Seals and unseals bytes with one or more keys. The last key seals; all of them unseal.

    Thread-safe. Equal data in two rows has two different seals, so a blob cannot be moved. With a cipher bytes are
    encrypted instead, and what is only sealed is refused.
    """

    def __init__(self, keys: Sequence[bytes], cipher: Cipher | None = None) -> None:
        """Take the keys, oldest first, each of at least 16 bytes, and the cipher of an encrypted database.

        Raises:
            SettingInvalid: No key, or one that is too short to be a secret.
        """
        if not keys or any(len(key) < MIN_KEY_BYTES for key in keys):
            raise SettingInvalid(f"A sealing key needs at least {MIN_KEY_BYTES} bytes; give a longer one.")
        self._keys: dict[bytes, list[bytes]] = {}
        for key in keys:
            self._keys.setdefault(_key_id(key), []).insert(0, key)
        self._newest = keys[-1]
        self._header = _VERSION + _key_id(self._newest)
        self._cipher = cipher

    def derive(self, purpose: str) -> list[bytes]:
        """Return a key of 32 bytes for another purpose from each of these keys, the newest first."""
        newest_first = sorted(
            (k for same in self._keys.values() for k in same), key=lambda k: k is not self._newest
        )
        return [hmac.new(key, f"for {purpose}".encode(), hashlib.sha256).digest() for key in newest_first]

    def with_cipher(self, cipher: Cipher | None) -> Seal:
        """Return a seal with the same keys, and this cipher or none."""
        clone = copy.copy(self)
        clone._cipher = cipher  # noqa: SLF001  # its own kind
        return clone

    def seal(self, data: bytes, tenant_id: str, table: str, *row: str | int | bytes) -> bytes:
        """Return the data with its seal in front, good for this row of this tenant's table only."""
        where = place_of(tenant_id, table, row)
        if self._cipher is not None:
            return self._cipher.encrypt(data, where)
        return self._header + _tag(self._newest, self._header, where, data) + data

    def unseal(self, blob: bytes, tenant_id: str, table: str, *row: str | int | bytes) -> bytes:
        """Return the data of a blob after its seal was found good for this row.

        Raises:
            StateCorrupt: The blob was changed, moved, forged, or sealed with a key that is not known here.
        """
        where = place_of(tenant_id, table, row)
        try:
            return self._cipher.decrypt(blob, where) if self._cipher is not None else self._check(blob, where)
        except Unreadable as error:
            shown = "/".join(part.hex() if isinstance(part, bytes) else str(part) for part in row)
            raise StateCorrupt(
                f"A stored value in table {table}, row {shown}, is not loaded: {error}. Restore it from a backup, or "
                "give back the key file it was written with.",
                table=table,
                row=shown,
            ) from None

    def digests(self, digest: str) -> list[str]:
        """Return what may stand for a digest of readable text, the first of which is to be stored.

        Each is keyed, so that nobody without a key can try texts until one fits; by the cipher's keys where there is
        one. In a database that is not encrypted the digest itself is among them: older versions stored it.
        """
        data = digest.encode()
        found = [] if self._cipher is None else self._cipher.digests(data)
        keys = [self._newest, *(key for same in self._keys.values() for key in same if key != self._newest)]
        found += [hmac.digest(key, b"motet digest " + data, "sha256").hex() for key in keys]
        return [*(f"k1:{one}" for one in found), *([digest] if self._cipher is None else [])]

    def _check(self, blob: bytes, where: bytes) -> bytes:
        header = bytes(blob[:_HEADER_BYTES])
        if header[:1] == encryption.VERSION:
            raise Unreadable("it is encrypted, and MOTET_ENCRYPTION_KEY is not set")
        candidates = self._keys.get(header[1:], ()) if header[:1] == _VERSION else ()
        data = bytes(blob[OVERHEAD_BYTES:])
        tag = bytes(blob[_HEADER_BYTES:OVERHEAD_BYTES])
        for key in candidates:
            if hmac.compare_digest(tag, _tag(key, header, where, data)):
                return data
        raise Unreadable(
            "its seal is broken" if candidates else "it was sealed with an unknown key, or not at all"
        )


def place_of(tenant_id: str, table: str, row: tuple[str | int | bytes, ...]) -> bytes:
    """Return the bytes that stand for a row: no two rows of any tenant's tables have the same."""
    parts = [tenant_id.encode(), table.encode()]
    parts.extend(
        part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass") for part in row
    )
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def load_seal(settings: StorageSettings) -> Seal:
    """Return the seal of this installation, with its cipher where a key of encryption is set.

    Keys come from MOTET_SECRET_KEY (any text; several, oldest first, separated by commas), or from the file
    `keys` in the home folder, which is made with one random key when it is not there.

    Raises:
        SettingInvalid: A key is too short, or the key file has a broken line.
        StorageError: The key file cannot be read or made.
    """
    cipher = load_cipher(settings)
    if settings.secret_key:
        return Seal(derive_keys(settings.secret_key.reveal()), cipher)
    return Seal(read_key_file(settings.home / "keys"), cipher)


def derive_keys(secret: str) -> list[bytes]:
    """Make keys of a secret text: its parts between commas, each of at least 16 characters."""
    parts = [part.strip() for part in secret.split(",") if part.strip()]
    if not parts or any(len(part) < MIN_KEY_BYTES for part in parts):
        raise SettingInvalid(f"MOTET_SECRET_KEY needs at least {MIN_KEY_BYTES} characters in each key.")
    return [hashlib.sha256(b"motet seal " + part.encode()).digest() for part in parts]


def read_key_file(path: Path) -> list[bytes]:
    """Read the keys, one in hex a line, oldest first; make the file with a random one when it is not there.

    It is readable by its owner alone, and appears whole or not at all: of two processes that make it at once
    both read the same key.

    Raises:
        SettingInvalid: A line is not a key.
        StorageError: The file cannot be read or made.
    """
    try:
        if not path.exists():
            _make_key_file(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
        lines = path.read_text("ascii").split()
        keys = [bytes.fromhex(line) for line in lines]
    except OSError as error:
        raise StorageError(f"The key file {path} cannot be used: {error.strerror}.", path=str(path)) from None
    except ValueError:
        raise SettingInvalid(
            f"The key file {path} has a line that is no key. Restore it from a backup: without it the stored "
            "state cannot be read.",
            path=str(path),
        ) from None
    if not keys:
        raise SettingInvalid(f"The key file {path} is empty. Restore it from a backup.", path=str(path))
    return keys


def _make_key_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was faster; its key is the one
            os.link(draft, path)
    finally:
        draft.unlink()


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"motet key id " + key).digest()[:2]


def _tag(key: bytes, header: bytes, where: bytes, data: bytes) -> bytes:
    message = b"".join((header, len(where).to_bytes(4, "big"), where, data))
    return hmac.digest(key, message, "sha256")[:_TAG_BYTES]
