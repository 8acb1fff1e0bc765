"""What outlives a run of a task: its lock by digest, and the cache of outputs. Both are items of the long-term store.

What does not live here: what a run itself leaves behind (its thread's checkpoints).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from motet.errors import NotFound, StateCorrupt
from motet.tasks.load import TaskFile, digest_of

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

LOCKS = ("motet", "tasks")
CACHE = ("motet", "task-cache")


async def keep_lock(store: BaseStore, file: TaskFile) -> str:
    """Store what a run goes by; return the digest that names it. The same again is stored once."""
    lock = file.lock()
    digest = digest_of(lock)
    if await store.aget(LOCKS, digest) is None:
        await store.aput(LOCKS, digest, {"lock": json.dumps(lock, ensure_ascii=False)}, index=False)
    return digest


async def load_lock(store: BaseStore, digest: str) -> TaskFile:
    """Return a locked task file.

    Raises:
        NotFound: There is none with this digest.
        StateCorrupt: What is stored is another one.
    """
    item = await store.aget(LOCKS, digest)
    if item is None:
        raise NotFound(f"The locked task file {digest[:12]} is not in this database.", digest=digest)
    lock: Any = json.loads(item.value["lock"])
    if digest_of(lock) != digest:
        raise StateCorrupt(f"The locked task file {digest[:12]} was changed in the database, and is not run.")
    return TaskFile.from_lock(lock)


async def cached(store: BaseStore, key: str) -> dict[str, Any] | None:
    """Return what a step with this key gave before, or None."""
    item = await store.aget(CACHE, key)
    return None if item is None else json.loads(item.value["record"])


async def cache(store: BaseStore, key: str, record: dict[str, Any]) -> None:
    """Store what a step gave."""
    await store.aput(CACHE, key, {"record": json.dumps(record, ensure_ascii=False)}, index=False)
