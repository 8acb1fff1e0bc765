"""The app as one caller may use it: its tenant's rooms, and of them what is the caller's.

What does not live here: who the caller is (`motet.server.auth`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motet.app.library import RoomsLibrary
from motet.errors import NotFound, ServerStopping
from motet.runs.assistants import Assistants
from motet.runs.lookup import Lookup
from motet.runs.records import Records
from motet.runs.request import RunOptions
from motet.runs.schedules import Schedules
from motet.runs.threads.making import Maker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from motet.app.rooms import Rooms
    from motet.app.switchboard import App
    from motet.events import Recorded
    from motet.runs.request import Accepted, Caller, RunRecord, RunRequest, ThreadRecord
    from motet.runs.threads.service import Threads
    from motet.runs.threads.states import States
    from motet.server.library import Library


class CallerDesk:
    """A `motet.server.desk.Desk`."""

    def __init__(self, app: App, rooms: Rooms, caller: Caller) -> None:
        self._app = app
        self._rooms = rooms
        self.caller = caller
        self.traceparent: str | None = None
        self.accepted: Accepted | None = None
        all_of_tenant = bool(caller.scopes & {"*", "admin"})
        owner_id = None if all_of_tenant else caller.owner_id
        self.records = Records(rooms.database, caller.tenant_id, owner_id=owner_id)
        self.lookup = Lookup(rooms.database, caller.tenant_id, owner_id=owner_id)
        self.maker = Maker(rooms.database, caller)
        self.assistants = Assistants(
            rooms.database, caller.tenant_id, app.graph_names(), owner_id=owner_id, me=caller.owner_id
        )

    @property
    def threads(self) -> Threads:
        """See `Desk.threads`."""
        return self._rooms.threads

    @property
    def states(self) -> States:
        """See `Desk.states`."""
        from motet.runs.threads.states import States  # noqa: PLC0415  # LangGraph is loaded when it is needed

        return States(self._rooms.saver, self.graph)

    @property
    def schedules(self) -> Schedules:
        """See `Desk.schedules`."""
        app = self._app
        return Schedules(self._rooms.database, app.gate, self.caller.tenant_id, complete=app.complete)

    @property
    def store(self) -> Any:
        """See `Desk.store`."""
        return self._rooms.store

    @property
    def library(self) -> Library:
        """See `Desk.library`."""
        return RoomsLibrary(self._app, self._rooms)

    def graphs(self) -> Mapping[str, str]:
        """See `Desk.graphs`."""
        return self._app.graph_names()

    async def graph(self, name: str) -> Any:
        """See `Desk.graph`."""
        return await self._rooms.graph(name, RunOptions())

    async def thread(self, thread_id: str) -> ThreadRecord:
        """See `Desk.thread`."""
        found = await self.records.thread_by_id(thread_id)
        if found is None:
            raise NotFound(f"There is no thread '{thread_id}'.", thread_id=thread_id)
        return found

    async def run(self, run_id: str) -> RunRecord:
        """See `Desk.run`."""
        found = await self.records.run_by_id(run_id)
        if found is None:
            raise NotFound(f"There is no run '{run_id}'.", run_id=run_id)
        return found

    async def submit(self, request: RunRequest) -> Accepted:
        """See `Desk.submit`."""
        if not self._app.accepting:
            raise ServerStopping("The server is about to stop. Ask again in a moment.", retry_after_s=2)
        self.accepted = await self._app.submit(
            request.model_copy(update={"caller": self.caller, "traceparent": self.traceparent})
        )
        return self.accepted

    def pages(
        self, run_id: str, *, after: int = 0, idle_s: float | None = None
    ) -> AsyncIterator[list[Recorded]]:
        """See `Desk.pages`."""
        return self._app.log.pages(self.caller.tenant_id, run_id, after=after, idle_s=idle_s)

    async def cancel(self, run_id: str, *, reason: str = "cancelled", undo: bool = False) -> bool:
        """See `Desk.cancel`."""
        await self.run(run_id)
        return await self._app.cancel(run_id, reason=reason, tenant_id=self.caller.tenant_id, undo=undo)
