"""Who is asking: from a request's credential to a `Caller`. Default deny.

What does not live here: what a route needs (`protocols.base`), keys (`keys`) and tokens (`tokens`).
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from motet.errors import PermissionRefused, Unauthenticated
from motet.runs.request import Caller
from motet.runs.scopes import allows

if TYPE_CHECKING:
    from starlette.datastructures import Headers

    from motet.server.keys import Keys
    from motet.server.tokens import Tokens

ANYBODY = Caller(tenant_id="-", owner_id="-", scopes=frozenset())
"""Who asks for what is public."""

KNOWN_S = 2.0
"""A key that was found good is not looked up again for so long; so soon a revoked one stops to count."""
MAX_KNOWN = 1000


class Authenticator(Protocol):
    """Knows who may come in."""

    async def asks(self) -> bool:
        """Say whether callers have to show a credential."""
        ...

    async def caller(self, headers: Headers) -> Caller:
        """Return who a request comes from.

        Raises:
            Unauthenticated: It shows no credential, or none that counts.
        """
        ...


class Door:
    """Asks for a key or a token as soon as a key was ever made, or an issuer of tokens is named.

    Until then whoever reaches the server is the local tenant's owner: the socket is then this machine's alone.
    """

    def __init__(self, keys: Keys, tokens: Tokens | None = None) -> None:
        self._keys = keys
        self._tokens = tokens
        self._asks = tokens is not None
        self._looked_at = float("-inf")
        self._known: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    async def asks(self) -> bool:
        """See `Authenticator.asks`."""
        if not self._asks and time.monotonic() - self._looked_at > KNOWN_S:
            self._asks, self._looked_at = await self._keys.any(), time.monotonic()
        return self._asks

    async def caller(self, headers: Headers) -> Caller:
        """See `Authenticator.caller`. Where nothing is asked for, what clients send by habit is not looked at."""
        if not await self.asks():
            return Caller()
        credential = credential_of(headers)
        if not credential:
            raise Unauthenticated("A key is needed: 'Authorization: Bearer mtk_…', or 'x-api-key: mtk_…'.")
        if self._tokens is not None and not credential.startswith("mtk_"):
            return await self._tokens.caller(credential)
        return await self._of_key(credential)

    async def _of_key(self, credential: str) -> Caller:
        now, shown = time.monotonic(), hashlib.sha256(credential.encode("utf-8", "replace")).digest()
        known = self._known.get(shown)
        if known is not None and now - known[1] < KNOWN_S:
            return known[0]
        self._known.pop(shown, None)
        found = await self._keys.caller(credential)
        self._known[shown] = (found, now)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return found


def credential_of(headers: Headers) -> str:
    """Return the credential that a request carries, as a bearer or as an API key; "" for none.

    Raises:
        Unauthenticated: It carries several that differ, or one in another form.
    """
    found: set[str] = set()
    for value in headers.getlist("authorization"):
        scheme, _, credential = value.strip().partition(" ")
        if scheme.lower() != "bearer" or not credential.strip():
            raise Unauthenticated(
                "The Authorization header must read: Bearer, a space, and a key or a token."
            )
        found.add(credential.strip())
    found |= {value.strip() for value in headers.getlist("x-api-key")}
    if len(found) > 1:
        raise Unauthenticated("The request carries two credentials that differ.")
    return found.pop() if found else ""


def require(caller: Caller, scope: str) -> None:
    """Refuse a caller who has not a scope.

    Raises:
        PermissionRefused: The caller has it not.
    """
    if scope != "public" and not allows(caller, scope):
        raise PermissionRefused(f"This credential may not do that: the scope {scope} is needed.", scope=scope)
