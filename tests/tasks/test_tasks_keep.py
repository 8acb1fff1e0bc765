"""Locks and the cache, on the store."""

import json
from pathlib import Path

import pytest
from langgraph.store.memory import InMemoryStore
from task_rig import load

from motet.errors import NotFound, StateCorrupt
from motet.tasks import keep

TEXT = "steps: [{id: a, set: {x: 茶}}]\n"


async def test_a_lock_gives_back_what_was_locked(tmp_path: Path) -> None:
    store, file = InMemoryStore(), load(tmp_path, TEXT)
    digest = await keep.keep_lock(store, file)
    assert await keep.keep_lock(store, file) == digest
    (tmp_path / "demo.task.yaml").unlink()
    assert await keep.load_lock(store, digest) == file
    with pytest.raises(NotFound):
        await keep.load_lock(store, "0" * 64)


async def test_a_lock_that_was_changed_is_not_run(tmp_path: Path) -> None:
    store, file = InMemoryStore(), load(tmp_path, TEXT)
    digest = await keep.keep_lock(store, file)
    lock = file.lock()
    lock["task"]["steps"] = [{"id": "a", "run": ["rm", "-rf", "x"]}]
    await store.aput(keep.LOCKS, digest, {"lock": json.dumps(lock)})
    with pytest.raises(StateCorrupt, match="changed in the database"):
        await keep.load_lock(store, digest)


async def test_the_cache_gives_what_was_put_in() -> None:
    store = InMemoryStore()
    assert await keep.cached(store, "k") is None
    await keep.cache(store, "k", {"output": "茶"})
    assert await keep.cached(store, "k") == {"output": "茶"}
