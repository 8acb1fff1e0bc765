"""API keys: made, listed, revoked, and looked up. Light: the command line needs no HTTP for them.

What does not live here: what a key may do (`protocols.base` names the scopes). A key is `mtk_<id>_<secret>`; its
secret has 256 random bits, so a quick keyed hash is enough, and is all that is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from motet.errors import InvalidInput, NotFound, Unauthenticated
from motet.runs.request import LOCAL_TENANT, Caller
from motet.storage.clock import db_now
from motet.storage.tables.api_keys import api_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Row

    from motet.storage.engine import Database

KEY = re.compile(r"mtk_([0-9a-z]{12})_([A-Za-z0-9_-]{43})")
ID = re.compile(r"[\w.@-]{1,64}")
"""Names of tenants and owners."""
SCOPE = re.compile(r"\*|admin|[a-z]+:(\*|[\w.-]+)")
DEFAULT_SCOPES = ("*",)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as it stands on disk, without its secret."""

    key_id: str
    tenant_id: str
    owner_id: str
    name: str
    scopes: list[str]
    created_at: float
    expires_at: float | None
    revoked_at: float | None


class Keys:
    """The keys of one database. `peppers` are what secrets are hashed with, the newest first."""

    def __init__(self, database: Database, peppers: Sequence[bytes]) -> None:
        self._database = database
        self._peppers = peppers

    async def create(
        self,
        name: str,
        *,
        tenant_id: str = LOCAL_TENANT,
        owner_id: str | None = None,
        scopes: Iterable[str] = DEFAULT_SCOPES,
        ttl_s: float | None = None,
    ) -> tuple[str, KeyRecord]:
        """Make a key; return it, this once, and what is kept of it.

        Args:
            name: What its owner calls it, 1 to 100 characters.
            tenant_id: Whose data it opens.
            owner_id: Who it stands for within the tenant; its name unless given.
            scopes: What it may do; everything unless given.
            ttl_s: How long it counts, in seconds; for good unless given.

        Raises:
            InvalidInput: A name, a scope or the time is none.
        """
        owner_id = owner_id or name
        wanted = sorted(set(scopes))
        _check(name, tenant_id, owner_id, wanted, ttl_s)
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        values = {
            "key_id": key_id,
            "tenant_id": tenant_id,
            "owner_id": owner_id,
            "name": name,
            "scopes": json.dumps(wanted),
            "secret_hash": _hash(self._peppers[0], key_id, secret),
            "created_at": db_now(),
            "expires_at": None if ttl_s is None else db_now() + ttl_s,
        }
        made = sa.insert(api_keys).values(values).returning(api_keys)
        row = await self._database.write(lambda c: c.execute(made).one())
        return f"mtk_{key_id}_{secret}", _record(row)

    async def list(self) -> list[KeyRecord]:
        """Return every key, the newest first, those that do not count any more too."""
        query = sa.select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.key_id)
        return [_record(row) for row in await self._database.read(lambda c: c.execute(query).all())]

    async def any(self) -> bool:
        """Say whether a key was ever made: from then on callers are asked for one, the last one revoked or not."""
        query = sa.select(api_keys.c.key_id).limit(1)
        return await self._database.read(lambda c: c.execute(query).first()) is not None

    async def revoke(self, key_id: str) -> KeyRecord:
        """Make a key count no more; one that does not already stays as it is.

        Raises:
            NotFound: There is no such key.
        """
        key_id = key_id.removeprefix("mtk_")[:12]
        change = (
            sa.update(api_keys)
            .where(api_keys.c.key_id == key_id)
            .values(revoked_at=sa.func.coalesce(api_keys.c.revoked_at, db_now()))
            .returning(api_keys)
        )
        row = await self._database.write(lambda c: c.execute(change).first())
        if row is None:
            raise NotFound(f"There is no key '{key_id}'. 'motet keys list' shows them.", key_id=key_id)
        return _record(row)

    async def caller(self, credential: str) -> Caller:
        """Return who a key stands for.

        Raises:
            Unauthenticated: It is no key, or counts no more; which of these is not told.
        """
        match = KEY.fullmatch(credential)
        key_id, secret = (match[1], match[2]) if match is not None else ("", "")
        query = sa.select(api_keys, db_now().label("now")).where(api_keys.c.key_id == key_id)
        row = await self._database.read(lambda c: c.execute(query).first())
        kept = row.secret_hash if row is not None else b""
        right = [hmac.compare_digest(_hash(pepper, key_id, secret), kept) for pepper in self._peppers]
        over = row is None or row.revoked_at is not None or (row.expires_at or row.now + 1) <= row.now
        if row is None or over or not any(right):
            raise Unauthenticated("This key does not count. 'motet keys list' shows those that do.")
        return Caller(
            tenant_id=row.tenant_id, owner_id=row.owner_id, scopes=frozenset(json.loads(row.scopes))
        )


def _hash(pepper: bytes, key_id: str, secret: str) -> bytes:
    return hmac.new(pepper, f"api key {key_id} {secret}".encode(), hashlib.sha256).digest()


def _check(name: str, tenant_id: str, owner_id: str, scopes: Sequence[str], ttl_s: float | None) -> None:
    if not name.strip() or len(name) > 100:
        raise InvalidInput("A key needs a name of at most 100 characters.")
    for what, value in (("tenant", tenant_id), ("owner", owner_id)):
        if not ID.fullmatch(value):
            raise InvalidInput(
                f"'{value}' is no name for the {what} of a key: letters, digits, '.', '_', '@' and '-'."
            )
    for scope in scopes:
        if not SCOPE.fullmatch(scope):
            raise InvalidInput(
                f"'{scope}' is no scope. Scopes read AREA:WHAT, like runs:write, or are * or admin."
            )
    if not scopes:
        raise InvalidInput("A key without scopes may do nothing: give at least one, or none for all.")
    if ttl_s is not None and not 0 < ttl_s < float("inf"):
        raise InvalidInput(f"A key cannot count for {ttl_s} seconds.")


def _record(row: Row[Any]) -> KeyRecord:
    return KeyRecord(
        key_id=row.key_id,
        tenant_id=row.tenant_id,
        owner_id=row.owner_id,
        name=row.name,
        scopes=json.loads(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
