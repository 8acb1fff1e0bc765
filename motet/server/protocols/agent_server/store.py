"""What outlives a thread: items by namespace and key, each caller's below a namespace of its own.

What does not live here: agents' memories, which are not to be had this way.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from motet.errors import InvalidInput, UserError
from motet.server.protocols.agent_server import bodies
from motet.server.protocols.agent_server.shapes import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motet.server.call import Call

Json = dict[str, Any]

ROOT = "store"
"""First label of every namespace of this wire's: nothing else of the tenant's store is reached from here."""


async def put(call: Call) -> Response:
    """Store an item."""
    asked = await call.read(bodies.PutItem)
    if not asked.namespace:
        raise UserError("A namespace needs at least one label.")
    how: Json = {} if asked.ttl is None else {"ttl": asked.ttl}
    await call.desk.store.aput(_below(call, asked.namespace), asked.key, asked.value, asked.index, **how)
    return Response(status_code=204)


async def get(call: Call) -> Response:
    """Return an item; null where there is none."""
    key = call.query("key")
    if not key or "\x00" in key:
        raise UserError("key: which item was expected.")
    refresh = call.query("refresh_ttl").lower()
    how: Json = {"refresh_ttl": refresh in ("true", "1")} if refresh else {}
    found = await call.desk.store.aget(_below(call, _labels(call.query("namespace"))), key, **how)
    return answer(None if found is None else _item(found))


async def delete(call: Call) -> Response:
    """Delete an item; one that is not there is passed over."""
    asked = await call.read(bodies.DeleteItem)
    await call.desk.store.adelete(_below(call, asked.namespace), asked.key)
    return Response(status_code=204)


async def search(call: Call) -> Response:
    """List items, by what they hold or by what they mean."""
    asked = await call.read(bodies.SearchItems)
    how: Json = {} if asked.refresh_ttl is None else {"refresh_ttl": asked.refresh_ttl}
    found = await call.desk.store.asearch(
        _below(call, asked.namespace_prefix),
        query=asked.query,
        filter=asked.filter,
        limit=asked.limit,
        offset=asked.offset,
        **how,
    )
    return answer({"items": [_item(one) | {"score": one.score} for one in found]})


async def namespaces(call: Call) -> Response:
    """List namespaces."""
    asked = await call.read(bodies.Namespaces)
    own = len(_own(call))
    found = await call.desk.store.alist_namespaces(
        prefix=_below(call, asked.prefix or ()),
        suffix=tuple(asked.suffix) if asked.suffix else None,
        max_depth=None if asked.max_depth is None else asked.max_depth + own,
        limit=asked.limit,
        offset=asked.offset,
    )
    return answer({"namespaces": [list(one[own:]) for one in found]})


def _own(call: Call) -> tuple[str, str]:
    """Return the namespace that is the caller's. A label has no dot in it, and an owner's name may."""
    owner = call.desk.caller.owner_id
    return ROOT, owner.replace("%", "%25").replace(".", "%2E")


def _below(call: Call, labels: Sequence[str]) -> tuple[str, ...]:
    return (*_own(call), *labels)


def _labels(raw: str) -> list[str]:
    """Return the labels of a namespace in a query, separated by dots.

    Raises:
        InvalidInput: One is empty.
    """
    labels = raw.split(".") if raw else []
    if not all(labels) or "\x00" in raw:
        raise InvalidInput("namespace: labels separated by dots were expected.")
    return labels


def _item(found: Any) -> Json:
    return {
        "namespace": list(found.namespace[2:]),
        "key": found.key,
        "value": json.loads(json.dumps(found.value)),
        "created_at": found.created_at.isoformat(),
        "updated_at": found.updated_at.isoformat(),
    }
