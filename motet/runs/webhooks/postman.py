"""Sends what is due to those who wanted to be told of a run's end, until they take it.

What does not live here: what a message says (the wire that took the run makes it), and which addresses may be called
at all (`egress`). At least once: who is told twice sees the same `webhook-id`. What happens here never touches a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from motet.egress.addresses import read_networks
from motet.egress.rules import PORTS, listed
from motet.errors import EgressRefused, FetchFailed, InvalidInput, MotetError
from motet.runs.webhooks import rows
from motet.runs.webhooks.signature import signed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from motet.egress.client import Egress
    from motet.runs.webhooks.rows import Due
    from motet.storage.engine import Database

logger = logging.getLogger(__name__)

PAUSES_S = (5.0, 60.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0)
"""How long after each try that failed the next one comes: ten tries in about two days."""

POLL_S = 1.0
"""How often it is looked for messages that are due."""

TIMEOUT_S = 15.0
"""How long a receiver has."""

LEASE_S = 60.0
"""How long a process has a message before another may take it."""

AT_ONCE = 16
"""Most messages under way."""

GONE = 410
"""A receiver that answers so wants no more."""


@dataclass(frozen=True, slots=True)
class Receivers:
    """Whom this installation tells of anything: nobody, unless an operator names hosts (`egress.webhooks`)."""

    egress: Egress
    hosts: str

    def check(self, url: str) -> None:
        """Refuse an address that no run may name; nothing is resolved or called.

        Raises:
            InvalidInput: It is none, or not one of the operator's.
        """
        if not self.hosts.strip():
            raise InvalidInput(
                "webhook: this server calls nobody back. An operator can list hosts in MOTET_WEBHOOK_HOSTS."
            )
        try:
            parsed = self.egress.parse(url)
        except EgressRefused as error:
            raise InvalidInput(f"webhook: {error.message}") from None
        if self.hosts.strip() == "*":
            return
        host = parsed.raw_host.decode("ascii", "replace").strip("[]").lower()
        port = parsed.port or PORTS[parsed.scheme]
        if not listed(read_networks(self.hosts, setting="egress.webhooks"), host, port, below=True):
            raise InvalidInput(f"webhook: '{host}' is not among the hosts of MOTET_WEBHOOK_HOSTS.", host=host)


@dataclass(slots=True)
class Postman:
    """Sends messages. `write` makes what is sent, None where the run is gone; `keys_of` gives a tenant's keys."""

    database: Database
    receivers: Receivers
    write: Callable[[Due], Awaitable[str | None]]
    keys_of: Callable[[str], Sequence[bytes]]
    pauses_s: Sequence[float] = PAUSES_S
    poll_s: float = POLL_S
    _under_way: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def work(self) -> None:
        """Send what is due, and look again, until cancelled."""
        try:
            while True:
                with contextlib.suppress(MotetError):  # a database that is locked now is looked at again
                    await self.look()
                await asyncio.sleep(self.poll_s)
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def look(self) -> None:
        """Begin to send what is due, as much as may be under way at once."""
        while len(self._under_way) < AT_ONCE:
            due = await self.database.write(lambda c: rows.take(c, lease_s=LEASE_S))
            if due is None:
                return
            task = asyncio.create_task(self.deliver(due), name=f"motet-webhook-{due.run_id}")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def deliver(self, due: Due) -> None:
        """Send one message, and note what came of it; what goes wrong is another try later, or is given up."""
        try:
            answer, again_s = await self._try(due)
        except Exception:  # the worker's edge: a fault here must not end the work on others
            logger.exception("cannot tell of the end of run %s", due.run_id)
            answer, again_s = "MotetBug", self._pause(due)
        sent = answer == "taken"
        if not sent:
            logger.warning("webhook of run %s, try %d: %s", due.run_id, due.tries, answer)
        try:
            await self.database.write(lambda c: rows.note(c, due, answer=answer, again_s=again_s, sent=sent))
        except MotetError as error:  # it is due again when its lease is over
            logger.warning("webhook of run %s: %s", due.run_id, error.message)

    async def _try(self, due: Due) -> tuple[str, float | None]:
        """Send a message; return what came of it, and after how long it is tried again."""
        try:
            self.receivers.check(due.url)
            body = await self._body(due)
            if body is None:
                return "the run is gone", None
            headers = {
                "content-type": "application/json",
                **signed(self.keys_of(due.tenant_id), f"run_{due.run_id}", due.now, body.encode()),
            }
            got = await self.receivers.egress.fetch(
                due.url, method="POST", headers=headers, content=body.encode(), timeout_s=TIMEOUT_S
            )
        except (InvalidInput, EgressRefused) as error:
            return error.message, None
        except FetchFailed as error:
            return error.message, self._pause(due)
        if 200 <= got.status < 300:
            return "taken", None
        return f"answered {got.status}", None if got.status == GONE else self._pause(due)

    async def _body(self, due: Due) -> str | None:
        if due.body is not None:
            return due.body
        body = await self.write(due)
        if body is not None:
            await self.database.write(lambda c: rows.write_body(c, due, body))
        return body

    def _pause(self, due: Due) -> float | None:
        return self.pauses_s[due.tries - 1] if due.tries <= len(self.pauses_s) else None
