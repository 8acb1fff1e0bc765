"""The tape of one attempt of a run: plays what a recording has, and records what is to be recorded.

What does not live here: the rows (`store`), and finding a call again (`models.replay`).

Models are heard of through LangChain's callbacks, so those of anybody's graph are recorded; tools are, where their
calls go through the ledger; searches and memories through `taps`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from motet.errors import RecordingMismatch
from motet.models.cassette import TAPE_KEY, Call, model_request, reply_of
from motet.models.halt import Halt
from motet.runs.model_calls import CalledModel, HearsOfModels, message_of
from motet.runs.recordings import store

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult

    from motet.models.cassette import Kind
    from motet.models.replay import Player
    from motet.runs.request import RunJob
    from motet.storage.engine import Database


class RunTape:
    """A `Tape`. Make it on the event loop that the run is on; close it when the attempt ends."""

    def __init__(
        self, database: Database, job: RunJob, player: Player | None, *, records: bool, first: int = 0
    ) -> None:
        self._database = database
        self._job = job
        self._player = player
        self._number = first
        self._loop = asyncio.get_running_loop()
        self._writing: set[asyncio.Future[None]] = set()
        self.records = records

    @property
    def plays(self) -> bool:
        """See `Tape.plays`."""
        return self._player is not None

    @property
    def earlier(self) -> dict[str, str]:
        """See `Tape.earlier`."""
        return self._player.earlier if self._player is not None else {}

    @property
    def configurable(self) -> dict[str, Any]:
        """What the engine adds to a run's config."""
        return {TAPE_KEY: self}

    @property
    def callbacks(self) -> list[BaseCallbackHandler]:
        """What the engine adds to a run's callbacks."""
        player = self._player
        refused: list[BaseCallbackHandler] = [NoLiveModel()] if player is not None and not player.live else []
        return [*refused, *([ModelRecorder(self.keep)] if self.records else [])]

    def given(self, kind: Kind, name: str, request: dict[str, Any]) -> list[Any]:
        """See `Tape.given`."""
        return self._player.given(kind, name, request) if self._player is not None else []

    def keep(self, kind: Kind, name: str, request: dict[str, Any], response: Any) -> None:
        """See `Tape.keep`. It is written while the run goes on; from any thread."""
        if self.records:
            self._loop.call_soon_threadsafe(self._keep, kind, name, request, response)

    def begin(self, header: dict[str, Any]) -> None:
        """Record what the run was asked, and with what."""
        if self.records:
            self._write(0, header)

    async def close(self) -> None:
        """Return when everything is on disk. What could not be written is not told of: the run itself went well."""
        await asyncio.sleep(0)  # what other threads kept last
        while self._writing:
            await asyncio.gather(*self._writing, return_exceptions=True)

    def _keep(self, kind: Kind, name: str, request: dict[str, Any], response: Any) -> None:
        self._number += 1
        self._write(self._number, store.plain(Call(self._number, kind, name, request, response)))

    def _write(self, number: int, value: dict[str, Any]) -> None:
        job = self._job
        writing = asyncio.ensure_future(self._database.write(lambda c: store.append(c, job, number, value)))
        self._writing.add(writing)
        writing.add_done_callback(self._written)

    def _written(self, writing: asyncio.Future[None]) -> None:
        self._writing.discard(writing)
        if not writing.cancelled():
            writing.exception()


class ModelRecorder(HearsOfModels):
    """Hears of every model call, on whatever thread, and keeps what it was given and gave."""

    def __init__(self, keep: Callable[[Kind, str, dict[str, Any], Any], None]) -> None:
        self._keep = keep
        self._calls: dict[UUID, tuple[str, dict[str, Any]]] = {}
        self._inner: set[UUID] = set()

    @override
    def on_chat_model_start(
        self,
        serialized: Any,
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        if parent_run_id in self._calls or parent_run_id in self._inner:
            self._inner.add(run_id)
            return
        name = CalledModel.of(kwargs.get("metadata")).name
        self._calls[run_id] = name, model_request(messages[0], kwargs.get("invocation_params") or {})

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        self._inner.discard(run_id)
        known, message = self._calls.pop(run_id, None), message_of(response)
        if known is not None and message is not None:
            self._keep("model", *known, reply_of(message))

    @override
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._inner.discard(run_id)
        self._calls.pop(run_id, None)


class NoLiveModel(HearsOfModels):
    """Refuses every model that does not come from the recording: a graph may have made its own."""

    raise_error = True

    @override
    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        called = CalledModel.of(kwargs.get("metadata"))
        if called.provider != "replay":
            raise Halt(
                RecordingMismatch(
                    f"The graph calls a model of its own ({called.name or called.provider}), which a recording "
                    "cannot stand in for. Have the graph take its model from the parts it is built from."
                )
            )
