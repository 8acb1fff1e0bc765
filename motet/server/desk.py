"""What a wire may do: everything that the app offers, bound to the caller who was authenticated.

What does not live here: how it is done; the app builds a desk for each request. Whatever a desk gives or does is of
the caller's tenant; without the scope `admin` it is the caller's own. What is another's is not there (`NotFound`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from motet.events import Recorded
    from motet.runs.assistants import Assistants
    from motet.runs.lookup import Lookup
    from motet.runs.records import Records
    from motet.runs.request import Accepted, Caller, RunRecord, RunRequest, ThreadRecord
    from motet.runs.schedules import Schedules
    from motet.runs.threads.making import Maker
    from motet.runs.threads.service import Threads
    from motet.runs.threads.states import States
    from motet.server.library import Library


class Desk(Protocol):
    """What one caller may do."""

    traceparent: str | None
    """The caller's span as W3C Trace Context writes it; runs that are submitted belong to its trace."""
    accepted: Accepted | None
    """The run that was submitted last; for the access log."""

    @property
    def caller(self) -> Caller:
        """Who asks."""
        ...

    @property
    def records(self) -> Records:
        """Threads, runs and transcripts as they stand on disk, the caller's alone."""
        ...

    @property
    def threads(self) -> Threads:
        """Operations on threads, of the whole tenant: ask `thread()` first whether a thread is the caller's."""
        ...

    @property
    def lookup(self) -> Lookup:
        """Finds threads and runs by what they are, the caller's alone."""
        ...

    @property
    def maker(self) -> Maker:
        """Makes threads of the caller's without a run. `forget_run` is of the whole tenant: ask `run()` first."""
        ...

    @property
    def states(self) -> States:
        """States of the tenant's threads: ask `thread()` first whether a thread is the caller's."""
        ...

    @property
    def assistants(self) -> Assistants:
        """Graphs under ids, with settings: the graphs' own and the caller's."""
        ...

    @property
    def schedules(self) -> Schedules:
        """Runs that begin by the clock, of the whole tenant."""
        ...

    @property
    def store(self) -> Any:
        """LangGraph's `BaseStore` of the tenant: put what belongs to a caller below a namespace of its own."""
        ...

    @property
    def library(self) -> Library:
        """Documents and memories."""
        ...

    def graphs(self) -> Mapping[str, str]:
        """Return what each graph is good for, by name."""
        ...

    async def graph(self, name: str) -> Any:
        """Return a compiled LangGraph graph with the tenant's checkpointer, for its schemas, drawing and state.

        Raises:
            NotFound: No graph has this name.
        """
        ...

    async def thread(self, thread_id: str) -> ThreadRecord:
        """Return one thread by its whole id.

        Raises:
            NotFound: There is none, or it is another's.
        """
        ...

    async def run(self, run_id: str) -> RunRecord:
        """Return one run by its whole id.

        Raises:
            NotFound: There is none, or it is another's.
        """
        ...

    async def submit(self, request: RunRequest) -> Accepted:
        """Start a run as the caller, whoever `request.caller` is; see `Gate.submit` for errors.

        Raises:
            ServerStopping: The server takes no new work.
        """
        ...

    def pages(
        self, run_id: str, *, after: int = 0, idle_s: float | None = None
    ) -> AsyncIterator[list[Recorded]]:
        """Follow a run's log; see `EventLog.pages`. Ask `run()` first whether the run is the caller's."""
        ...

    async def cancel(self, run_id: str, *, reason: str = "cancelled", undo: bool = False) -> bool:
        """Stop a run of the caller's; False when it had ended already. With `undo` its effects are taken back.

        Raises:
            NotFound: There is none, or it is another's.
        """
        ...


class Desks(Protocol):
    """Makes desks: the app."""

    def desk(self, caller: Caller) -> Desk:
        """Return the desk of a caller who was authenticated."""
        ...
