"""Sessions with MCP servers that are kept: one a server and conversation, until it has been idle for a while.

What does not live here: how a session is opened and used (`client`). A conversation has a session, and with it a
process, of its own: what a server remembers of one is not told to another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.runnables.config import ensure_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

logger = logging.getLogger(__name__)

IDLE_S = 60.0
MOST = 16
"""Sessions that are kept at once; the one that was idle longest goes first."""
CLOSE_S = 10.0


@dataclass(slots=True)
class _Kept:
    """One session; a task of its own opens it, holds it and closes it, as the library wants it."""

    ready: asyncio.Future[Any]
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    users: int = 0
    used_at: float = 0.0
    is_broken: bool = False


class McpSessions:
    """The kept sessions of one app."""

    def __init__(self, *, idle_s: float = IDLE_S, most: int = MOST) -> None:
        """Wire it; sessions are closed once nobody has used them for `idle_s` seconds."""
        self._idle_s = idle_s
        self._most = most
        self._kept: dict[tuple[Any, str, str], _Kept] = {}

    @contextlib.asynccontextmanager
    async def use(
        self, server: str, open_session: Callable[[], AbstractAsyncContextManager[Any]]
    ) -> AsyncIterator[tuple[Any, bool]]:
        """Give this conversation's session with a server, and whether it was there before.

        One that was used when something went wrong is not given again.
        """
        thread_id = str((ensure_config().get("configurable") or {}).get("thread_id", ""))
        key = asyncio.get_running_loop(), server, thread_id
        kept = self._kept.get(key)
        was_there = kept is not None and not kept.is_broken
        if kept is None or kept.is_broken:
            kept = self._open(key, open_session)
        kept.users += 1
        try:
            yield await asyncio.shield(kept.ready), was_there
        except BaseException:
            kept.is_broken = True
            raise
        finally:
            kept.users -= 1
            kept.used_at = asyncio.get_running_loop().time()
            if kept.is_broken:
                self._drop(key, kept)
            else:
                asyncio.get_running_loop().call_later(self._idle_s, self._drop_idle, key, kept)

    async def aclose(self) -> None:
        """Close every session."""
        tasks = [kept.task for kept in self._kept.values() if kept.task is not None]
        for key, kept in list(self._kept.items()):
            self._drop(key, kept)
        here = [task for task in tasks if task.get_loop() is asyncio.get_running_loop()]
        if here:
            _, late = await asyncio.wait(here, timeout=CLOSE_S)
            for task in late:
                task.cancel()

    def _open(
        self, key: tuple[Any, str, str], open_session: Callable[[], AbstractAsyncContextManager[Any]]
    ) -> _Kept:
        idle = (
            sorted((k.used_at, name) for name, k in self._kept.items() if not k.users and name[0] is key[0])
            if len(self._kept) >= self._most
            else []
        )
        for _, name in idle[: len(self._kept) - self._most + 1]:
            self._drop(name, self._kept[name])
        kept = _Kept(asyncio.get_running_loop().create_future())
        kept.ready.add_done_callback(lambda done: done.cancelled() or done.exception())
        kept.task = asyncio.create_task(_hold(kept, open_session))
        self._kept[key] = kept
        return kept

    def _drop_idle(self, key: tuple[Any, str, str], kept: _Kept) -> None:
        if not kept.users and asyncio.get_running_loop().time() - kept.used_at >= self._idle_s * 0.99:
            self._drop(key, kept)

    def _drop(self, key: tuple[Any, str, str], kept: _Kept) -> None:
        if self._kept.get(key) is kept:
            del self._kept[key]
        if not kept.users:
            kept.closing.set()


async def _hold(kept: _Kept, open_session: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
    try:
        async with open_session() as session:
            kept.ready.set_result(session)
            await kept.closing.wait()
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001  # it is the caller's, where one still waits
        if kept.ready.done():
            logger.info("a session with an MCP server ended: %s", error)
        else:
            kept.ready.set_exception(error)
    finally:
        kept.is_broken = True
