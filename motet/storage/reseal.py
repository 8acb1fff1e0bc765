"""Encrypting a database that is there, and giving an encrypted one a new key.

What does not live here: which columns are encrypted, and the keys that a database knows (`storage.encryption`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.errors import Conflict, InvalidInput
from motet.secret import hide_password
from motet.storage import tables as t
from motet.storage.cipher import VERSION
from motet.storage.encryption import SEALED, Sealed, check_proof, note_key, stored_keys
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.seal import Seal, load_seal
from motet.storage.texts import MARK, Texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection, Row

    from motet.settings import StorageSettings
    from motet.storage.cipher import Cipher

_ROWS = 500


def encrypt_storage(settings: StorageSettings) -> int:
    """Encrypt a database that is not encrypted; return how many values were written.

    One transaction: all of it, or nothing. Then the file is written anew, since freed pages still hold the old
    bytes; backups do too. No other process may work on the database meanwhile: what it writes stays plain, and is
    refused until this is done again.

    Raises:
        InvalidInput: No key is set.
        EncryptionMismatch: The database is encrypted with a key that is not among those given.
        StateCorrupt: A value is not what was stored; nothing is changed.
        StorageError: The database cannot be used.
    """
    return _write_anew(settings, plain=True)


def rekey_storage(settings: StorageSettings) -> int:
    """Encrypt an encrypted database with the newest of the keys given; then the older ones are not needed any more.

    Returns and raises what `encrypt_storage` does; a value that is not encrypted is refused.

    Raises:
        Conflict: The database is not encrypted.
    """
    return _write_anew(settings, plain=False)


def _write_anew(settings: StorageSettings, *, plain: bool) -> int:
    database = Database(settings)
    try:
        prepare(database, settings, keys=False)
        count = _encrypt(database, load_seal(settings), plain=plain)
        _forget_old_bytes(database)
        return count
    finally:
        database.close()


def _encrypt(database: Database, seal: Seal, *, plain: bool) -> int:
    cipher = database.texts.cipher
    if cipher is None:
        raise InvalidInput(
            "Set MOTET_ENCRYPTION_KEY or MOTET_ENCRYPTION_KEY_FILE to the key to encrypt with."
        )
    where = hide_password(database.url)
    known = database.read_sync(stored_keys)
    for key_id, proof in known.items():
        check_proof(cipher, key_id, proof, where)
    if not known and not plain:
        raise Conflict(f"The database {where} is not encrypted: 'motet storage encrypt' does that.")

    def work(connection: Connection) -> int:
        note_key(connection, cipher)
        _key_digests(connection, seal.with_cipher(cipher))
        count = sum(_rewrite(connection, sealed, cipher, seal, plain=plain) for sealed in SEALED)
        older = t.encryption_keys.c.key_id != cipher.newest_id
        connection.execute(sa.delete(t.encryption_keys).where(older))
        return count

    return database.write_sync(work)


def _rewrite(connection: Connection, sealed: Sealed, cipher: Cipher, seal: Seal, *, plain: bool) -> int:
    """Encrypt a column's values with the newest key; return how many there are."""
    table, count = sealed.column.table, 0
    keys = list(table.primary_key)
    texts, encrypting, sealing = Texts(cipher), seal.with_cipher(cipher), seal.with_cipher(None)
    for row in _rows(connection, sealed):
        stored, place = row.stored, _place(sealed, row)
        new: str | bytes
        if isinstance(stored, str):
            is_plain = (plain or sealed.late) and not stored.startswith(MARK)
            new = texts.close(stored if is_plain else texts.open(stored, *place), *place)
        else:
            is_plain = plain and bytes(stored[:1]) != VERSION
            new = encrypting.seal((sealing if is_plain else encrypting).unseal(stored, *place), *place)
        this = sa.and_(*(key == getattr(row, f"k_{key.name}") for key in keys))
        connection.execute(sa.update(table).where(this).values({sealed.column.name: new}))
        count += 1
    return count


def _key_digests(connection: Connection, seal: Seal) -> None:
    """Key the digests of tool calls' arguments that an older version stored as they are."""
    calls = t.tool_calls
    query = sa.select(calls.c.position, calls.c.arguments_digest).where(
        ~calls.c.arguments_digest.startswith("k1:")
    )
    for position, digest in connection.execute(query).all():
        change = sa.update(calls).where(calls.c.position == position)
        connection.execute(change.values(arguments_digest=seal.digests(digest)[0]))


def _place(sealed: Sealed, row: Row[Any]) -> tuple[Any, ...]:
    scope = (row.s_thread_id, row.s_checkpoint_ns) if sealed.scoped else ()
    named = (getattr(row, f"r_{name}") if name else "" for name in sealed.row)
    parts = (bytes(part) if isinstance(part, memoryview) else part for part in named)
    return (row.s_tenant_id, sealed.column.table.name, *scope, *parts, *sealed.ending)


def _rows(connection: Connection, sealed: Sealed) -> Iterator[Row[Any]]:
    """Yield the rows of a column in the order of their keys, a page at a time: each is changed while we go."""
    table, scopes = sealed.column.table, t.checkpoint_scopes
    keys = list(table.primary_key)
    tenant = scopes.c.tenant_id if sealed.scoped else table.c.tenant_id
    chosen = [key.label(f"k_{key.name}") for key in keys]
    chosen += [table.c[name].label(f"r_{name}") for name in sealed.row if name]
    chosen += [sealed.column.label("stored"), tenant.label("s_tenant_id")]
    if sealed.scoped:
        chosen += [scopes.c.thread_id.label("s_thread_id"), scopes.c.checkpoint_ns.label("s_checkpoint_ns")]
    query = sa.select(*chosen).where(sealed.column.is_not(None)).order_by(*keys).limit(_ROWS)
    if sealed.scoped:
        query = query.join(scopes, scopes.c.scope_key == table.c.scope_key)
    page = connection.execute(query).all()
    while page:
        yield from page
        last = [getattr(page[-1], f"k_{key.name}") for key in keys]
        page = connection.execute(query.where(sa.tuple_(*keys) > sa.tuple_(*map(sa.literal, last)))).all()


def _forget_old_bytes(database: Database) -> None:
    """Write every table anew, so that no freed page holds what was there before."""
    connection: Any = database.engine.raw_connection()
    try:
        if database.dialect == "sqlite":
            connection.driver_connection.execute("VACUUM")
            connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        connection.driver_connection.autocommit = True
        for table in dict.fromkeys(sealed.column.table.name for sealed in SEALED):
            connection.driver_connection.execute(f"VACUUM FULL {table}")
    finally:
        connection.invalidate()
