"""Recordings as the engine and the app use them: a tape for each attempt, a run's recording, and its file.

What does not live here: the parts that do it (`tape`, `store`, `taps`).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.errors import InvalidInput, NotFound
from motet.runs.recordings import store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from langchain_core.messages import BaseMessage

    from motet.models.cassette import Cassette
    from motet.runs.queue.base import Claim
    from motet.runs.recordings.tape import RunTape
    from motet.runs.request import Replay, RunJob, RunOptions
    from motet.storage.engine import Database

SECRET = re.compile(r"\b(sk|pk|rk|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{12,}|\bBearer [A-Za-z0-9._~+/-]{12,}=*")
"""What looks like a key is taken out of a recording's file, whoever it belongs to."""


@dataclass(frozen=True, slots=True)
class Recordings:
    """The recordings of one database."""

    database: Database
    by_default: bool
    """Whether runs are recorded that do not say."""
    secrets: Sequence[str]
    """Taken out of every file."""
    surroundings: Callable[[RunJob], Awaitable[dict[str, Any]]]
    """Says what a job works with: its models and what they can do, its tools."""

    async def tape(self, claim: Claim) -> RunTape | None:
        """Return the tape of an attempt; None when it neither records nor plays. Call it on the run's event loop.

        Raises:
            NotFound: The recording that is to be played is gone.
            InvalidInput: Its file is none, or a change does not fit it.
        """
        job = claim.job
        played = job.options.played()
        records = self.by_default if job.options.record is None else job.options.record
        if not records and played is None:
            return None
        from motet.models.replay import Player  # noqa: PLC0415  # imports LangChain
        from motet.runs.recordings.changes import fitted  # noqa: PLC0415
        from motet.runs.recordings.tape import RunTape  # noqa: PLC0415

        player = None
        if played is not None:
            live = played.live or played.live_from is not None
            cassette = await self.played(job.tenant_id, played)
            changes = fitted(cassette, played.changes)
            player = Player(cassette, live=live, live_from=played.live_from, changes=changes)
        first = 0
        if records and claim.fence > 1:
            first = await self.database.read(lambda c: store.count(c, job.tenant_id, job.run_id))
        return RunTape(self.database, job, player, records=records, first=first)

    async def header(
        self, job: RunJob, earlier: Sequence[BaseMessage], summed_up: Any = None
    ) -> dict[str, Any]:
        """Return the first line of a job's recording."""
        from motet import __version__  # noqa: PLC0415

        return {
            "motet": __version__,
            "run_id": job.run_id,
            "graph": job.graph,
            "input": job.input,
            "history": [m.model_dump(mode="json", exclude_defaults=True) | {"type": m.type} for m in earlier],
            **({"earlier": summed_up} if summed_up else {}),
            "options": job.options.model_dump(
                mode="json", exclude_none=True, include={"tools", "collections", "max_steps"}
            ),
            **await self.surroundings(job),
        }

    async def played(self, tenant_id: str, replay: Replay) -> Cassette:
        """Return the recording that is played.

        Raises:
            NotFound: It is gone.
            InvalidInput: Its file is no recording, or of another version.
        """
        if replay.file is not None:
            from motet.models.cassette import Cassette  # noqa: PLC0415

            return await asyncio.to_thread(Cassette.load, Path(replay.file))
        return await self.of(tenant_id, replay.run_id or "")

    async def of(self, tenant_id: str, run_id: str) -> Cassette:
        """Return a run's recording, by its whole id.

        Raises:
            NotFound: It was not recorded.
        """
        found = await self.database.read(lambda c: store.load(c, tenant_id, run_id))
        if found is None:
            raise NotFound(store.not_recorded(run_id), run_id=run_id)
        return found

    def redacted(self, cassette: Cassette) -> Cassette:
        """Return a recording with every secret taken out; it plays as the whole one does."""
        known = [secret for secret in self.secrets if secret]

        def clean(value: Any) -> Any:
            if isinstance(value, str):
                for secret in known:
                    value = value.replace(secret, "***")
                return SECRET.sub("***", value)
            if isinstance(value, list):
                return [clean(item) for item in value]
            if isinstance(value, dict):
                return {key: clean(item) for key, item in value.items()}
            return value

        calls = [
            replace(call, request=clean(call.request), response=clean(call.response))
            for call in cassette.calls
        ]
        return type(cassette)(clean(cassette.header), calls)


def request_of(cassette: Cassette, options: RunOptions) -> dict[str, Any]:
    """Return `graph`, `input` and `options` of a request that plays a recording with other options.

    The conversation before the run goes in front of its input: a replay needs no thread of its own to go on with.

    Raises:
        InvalidInput: The run went on from a question, or its recording has no beginning.
    """
    header = cassette.header
    given = header.get("input")
    if given is None:
        raise InvalidInput(
            "This run answered a question of another run, and is not played by itself: replay the one that asked."
        )
    history: list[Any] = header.get("history") or []
    if history and "messages" in given:
        given = {**given, "messages": [*history, *given["messages"]]}
    named = {"tools": header.get("tools"), **header.get("options", {})}
    kept = {name: value for name, value in named.items() if getattr(options, name) is None}
    return {"graph": header.get("graph"), "input": given, "options": options.model_copy(update=kept)}
