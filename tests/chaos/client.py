"""Clients: they ask for runs as a careful caller does, read along, and write down what they were told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from tests.chaos.journal import Journal

RETRY_S = 0.02

LATER = frozenset({"database_full", "database_unavailable"})
"""Refusals that a caller takes for "try again later"."""


class Gone(Exception):
    """The server is not there, or went away before it answered."""


async def ask(socket: Path, **asked: Any) -> dict[str, Any]:
    """Ask one thing and return the first answer.

    Raises:
        Gone: No answer came.
    """
    async for answer in answers(socket, **asked):
        return answer
    raise Gone


async def answers(socket: Path, **asked: Any) -> AsyncIterator[dict[str, Any]]:
    """Ask one thing and yield the answers until the connection ends."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket), limit=2**20)
    except OSError as error:
        raise Gone from error
    try:
        writer.write(json.dumps(asked).encode() + b"\n")
        await writer.drain()
        while line := await reader.readline():
            yield json.loads(line)
    except OSError as error:
        raise Gone from error
    finally:
        writer.close()


class Client:
    """Talks to whichever server is there now. `where` gives its socket; it changes when a server is started anew."""

    def __init__(self, journal: Journal, where: Callable[[], Path]) -> None:
        self._journal = journal
        self._where = where
        self.questions: dict[str, dict[str, Any]] = {}
        """What runs asked, the last question of each."""

    async def submit(
        self,
        marker: str,
        thread_id: str,
        *,
        tool: str = "",
        key: str = "",
        resume: Any = None,
        patient: bool = True,
    ) -> str | None:
        """Ask for an order and return its run; None when it was refused, or the caller gave up.

        Args:
            marker: What is ordered, see `model.ORDER`.
            thread_id: On which thread.
            tool: With which tool.
            key: Idempotency key; the marker unless given.
            resume: The answer to what the order's last run asked; a new order unless given.
            patient: Whether to ask again, under the same key, until an answer comes.
        """
        key = key or marker
        text = f"order {marker} by {tool}" if tool else f"order {marker}"
        wanted = {"text": text} if resume is None else {"resume": resume}
        self._journal.write(did="ask", marker=marker, thread_id=thread_id, key=key)
        while True:
            try:
                answer = await ask(self._where(), op="submit", thread_id=thread_id, key=key, **wanted)
            except Gone:
                if not patient:
                    self._journal.write(did="give up", marker=marker, key=key)
                    return None
                await asyncio.sleep(RETRY_S)
                continue
            if "error" in answer:
                self._journal.write(did="refused", marker=marker, key=key, code=answer["error"])
                if answer["error"] in LATER and patient:
                    await asyncio.sleep(10 * RETRY_S)
                    continue
                return None
            self._journal.write(did="told", marker=marker, key=key, **answer)
            return answer["run_id"]

    async def order(self, marker: str, thread_id: str) -> str:
        """Ask for an order until it is accepted, and read it to its end; return the last event's type."""
        run_id = await self.submit(marker, thread_id)
        assert run_id is not None, f"{marker} was refused"
        return await self.read(run_id)

    async def read(self, run_id: str, *, cut: Callable[[], bool] = lambda: False) -> str:
        """Read a run's events to their end and return the last one's type.

        Each event is written down. `cut` is asked after each; where it says so, the reader hangs up and comes back
        with the number of the last event that it has, as it does when the server goes away.
        """
        after, last = 0, ""
        while True:
            try:
                async for answer in answers(self._where(), op="follow", run_id=run_id, after=after):
                    if "end" in answer:
                        return last
                    if "error" in answer:
                        self._journal.write(did="refused", run_id=run_id, code=answer["error"])
                        break
                    after, last = answer["seq"], answer["type"]
                    self._journal.write(did="read", run_id=run_id, seq=after, type=last)
                    if answer["asks"] is not None:
                        self.questions[run_id] = answer["asks"]
                    if cut():
                        break
            except Gone:
                pass
            await asyncio.sleep(RETRY_S)
