"""JSON Web Tokens of an issuer that the settings name (OpenID Connect and others), by joserfc.

What does not live here: API keys (`keys`), and the way out of the house by which the issuer's keys are fetched.
Algorithms are on a list, claims are checked by a registry: joserfc's `decode` alone takes a token that has expired.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from motet.errors import ExtraMissing, SettingInvalid, Unauthenticated
from motet.runs.request import Caller
from motet.server.keys import ID, SCOPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from motet.settings import ServerSettings

ALGORITHMS = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
]
"""Signatures with a private key alone: a public key is never taken for a shared secret."""
MAX_TOKEN_CHARS = 16_384
KEYS_S = 3600.0
"""How long the issuer's keys are kept."""
MISS_S = 30.0
"""An unknown key id has the keys fetched anew, at most so often."""
LEEWAY_S = 30


@dataclass
class Tokens:
    """Knows the issuer's keys, and who a token stands for."""

    settings: ServerSettings
    fetch: Callable[[str], Awaitable[bytes]] | None = None
    """Fetches an address; None where only a file of keys can be read."""
    _keys: Any = None
    _fetched_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        if not self.settings.jwt_audience:
            raise SettingInvalid(
                "MOTET_JWT_ISSUER is set: name in MOTET_JWT_AUDIENCE who a token must be meant for."
            )
        if find_spec("joserfc") is None:
            raise ExtraMissing("Tokens need joserfc: pip install 'motet[jwt]'.", extra="jwt")

    async def caller(self, token: str) -> Caller:
        """Return who a token stands for.

        Raises:
            Unauthenticated: It is not the issuer's, not for this server, over, or names no tenant or subject.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise Unauthenticated("The token is too long.")
        claims = await self._claims(token)
        tenant_id, owner_id = str(claims.get(self.settings.jwt_tenant_claim, "")), str(claims["sub"])
        if not ID.fullmatch(tenant_id) or not ID.fullmatch(owner_id):
            raise Unauthenticated(
                f"The token names no tenant in {self.settings.jwt_tenant_claim}, or no subject."
            )
        given = claims.get("scope", claims.get("scopes", claims.get("permissions", ())))
        words = given.split() if isinstance(given, str) else given if isinstance(given, list) else ()
        scopes = frozenset(word for word in words if isinstance(word, str) and SCOPE.fullmatch(word))
        return Caller(tenant_id=tenant_id, owner_id=owner_id, scopes=scopes)

    async def _claims(self, token: str) -> dict[str, Any]:
        from joserfc import jwt  # noqa: PLC0415  # an extra
        from joserfc.errors import JoseError  # noqa: PLC0415

        keys = await self._key_set(KEYS_S)
        try:
            try:
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            except ValueError:  # no key of this id: perhaps a new one
                decoded = jwt.decode(token, await self._key_set(MISS_S), algorithms=ALGORITHMS)
            _registry(self.settings).validate(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unauthenticated(f"The token does not count: {type(error).__name__}.") from None
        return decoded.claims

    async def _key_set(self, max_age_s: float) -> Any:
        from joserfc.jwk import KeySet  # noqa: PLC0415

        async with self._lock:
            if self._keys is None or time.monotonic() - self._fetched_at > max_age_s:
                self._keys = KeySet.import_key_set(json.loads(await self._read()))
                self._fetched_at = time.monotonic()
            return self._keys

    async def _read(self) -> bytes:
        settings = self.settings
        if settings.jwks_file:
            from pathlib import Path  # noqa: PLC0415

            return await asyncio.to_thread(Path(settings.jwks_file).read_bytes)
        if self.fetch is None:
            raise SettingInvalid("MOTET_JWKS_FILE names no file with the issuer's keys.")
        address = settings.jwks_url
        if not address:
            place = settings.jwt_issuer.rstrip("/") + "/.well-known/openid-configuration"
            address = json.loads(await self.fetch(place))["jwks_uri"]
        return await self.fetch(address)


def _registry(settings: ServerSettings) -> Any:
    from joserfc.jwt import JWTClaimsRegistry  # noqa: PLC0415

    return JWTClaimsRegistry(
        leeway=LEEWAY_S,
        iss={"essential": True, "value": settings.jwt_issuer},
        aud={"essential": True, "value": settings.jwt_audience},
        exp={"essential": True},
        sub={"essential": True},
    )
