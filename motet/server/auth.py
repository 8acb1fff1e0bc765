"""Who is asking: from a request's credential to a `Caller`. Default deny.

What does not live here: what a route needs (`protocols.base`), keys (`keys`) and tokens (`tokens`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from motet.errors import PermissionRefused, Unauthenticated
from motet.runs.request import Caller

if TYPE_CHECKING:
    from starlette.datastructures import Headers

ANYBODY = Caller(tenant_id="-", owner_id="-", scopes=frozenset())
"""Who asks for what is public."""


class Authenticator(Protocol):
    """Knows who may come in."""

    @property
    def asks(self) -> bool:
        """Whether it asks for a credential at all."""
        ...

    async def caller(self, credential: str) -> Caller:
        """Return who a credential belongs to; "" is none.

        Raises:
            Unauthenticated: It counts for nobody.
        """
        ...


class OpenDoor:
    """Lets everybody in as the local tenant's owner: for this machine alone, where no key was made."""

    asks = False

    async def caller(self, credential: str) -> Caller:
        """Return the local tenant's owner, who may do everything."""
        del credential
        return Caller()


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


def allows(caller: Caller, scope: str) -> bool:
    """Say whether a caller has a scope: by its name, by `AREA:*`, as an admin, or as one who may do everything."""
    area = scope.partition(":")[0]
    return bool(caller.scopes & {"*", "admin", scope, f"{area}:*"})


def require(caller: Caller, scope: str) -> None:
    """Refuse a caller who has not a scope.

    Raises:
        PermissionRefused: The caller has it not.
    """
    if scope != "public" and not allows(caller, scope):
        raise PermissionRefused(f"This credential may not do that: the scope {scope} is needed.", scope=scope)
