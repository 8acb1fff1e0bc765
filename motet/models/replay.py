"""Plays recorded calls: a tape of one run, and a chat model that says what the tape has.

What does not live here: the file (`cassette`), and who records (`runs.recordings`).

Calls are found by what they are given, not by their place: branches that ran side by side may come in another order.
Of equal requests the first gets the first reply. A request that is not there is refused, unless the tape may go on
live: then a run is played up to the point where something is different, and goes on with a real model from there.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables.config import ensure_config
from pydantic import ConfigDict, Field, PrivateAttr
from typing_extensions import override

from motet.errors import RecordingMismatch
from motet.models.base import Capabilities, ConnectedModel, ModelSpec
from motet.models.cassette import TAPE_KEY, Cassette, digest, message_of, model_request
from motet.models.halt import Halt
from motet.models.tokenizer import Tokenizer
from motet.models.wrapped import WrapperChatModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_core.language_models.base import LangSmithParams

    from motet.models.cassette import Call, Kind
    from motet.models.wrapped import Exchange
    from motet.settings import Settings


class Tape(Protocol):
    """What a run's calls go by: it gives what is recorded, and keeps what is to be recorded."""

    @property
    def plays(self) -> bool:
        """Whether it plays a recording."""
        ...

    @property
    def earlier(self) -> dict[str, str]:
        """What of the conversation was summed up before the run that is played; {} for nothing."""
        ...

    def given(self, kind: Kind, name: str, request: dict[str, Any]) -> list[Any]:
        """Return what a call gave when it was recorded, alone; [] when it is to be made.

        Raises:
            Halt: It is not recorded, and nothing is to be called (`RecordingMismatch`).
        """
        ...

    def keep(self, kind: Kind, name: str, request: dict[str, Any], response: Any) -> None:
        """Keep what a call gave, where the run is recorded."""
        ...


class Player:
    """Plays one cassette once."""

    def __init__(
        self,
        cassette: Cassette,
        *,
        live: bool = False,
        live_from: int | None = None,
        changes: Mapping[int, Any] | None = None,
    ) -> None:
        """Wire it.

        Args:
            cassette: What was recorded.
            live: Whether what is not recorded is called for real.
            live_from: Calls from this number on count as not recorded.
            changes: Replies that stand in the place of recorded ones, by number.
        """
        self.live = live
        self.earlier: dict[str, str] = cassette.header.get("earlier") or {}
        self._left: defaultdict[tuple[str, str], deque[Call]] = defaultdict(deque)
        self._calls = cassette.calls
        self._changes = changes or {}
        for call in cassette.calls:
            if live_from is None or call.number < live_from or call.number in self._changes:
                self._left[call.kind, digest(call.request)].append(call)

    def given(self, kind: Kind, name: str, request: dict[str, Any]) -> list[Any]:
        """See `Tape.given`."""
        found = self._left.get((kind, digest(request)))
        if found:
            call = found.popleft()
            return [self._changes.get(call.number, call.response)]
        if self.live:
            return []
        alike = [call.number for call in self._calls if call.kind == kind and call.name == name]
        near = f" Recorded calls of '{name}': {', '.join(map(str, alike[:8]))}." if alike else ""
        error = RecordingMismatch(
            f"The recording has no such call of the {kind} '{name}': the run went another way than when it was "
            f"recorded, or its code changed.{near} Record it anew, or fork from it: motet replay RUN --live.",
            kind=kind,
            name=name,
        )
        raise Halt(error)


class ReplayChatModel(WrapperChatModel):
    """Says what the run's tape has, else what its own cassette has; what is in neither goes to `inner`, if there."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: str = "replay"
    cassette: Any = Field(default=None, exclude=True)
    """A `Cassette` for runs that have no tape of their own."""
    _players: dict[str, Player] = PrivateAttr(default_factory=dict[str, Player])
    _told_ids: set[str] = PrivateAttr(default_factory=set[str])

    @override
    def keeps_id(self, message_id: str | None) -> bool:
        return message_id in self._told_ids

    @override
    def _exchange(self, messages: list[BaseMessage], options: dict[str, Any]) -> Exchange:
        found = self._given(messages, {name: value for name, value in options.items() if name != "stop"})
        recorded = message_of(found[0]) if found else None
        if recorded is not None and recorded.id:
            self._told_ids.add(recorded.id)
        return _Playing(recorded, messages, options)

    def _given(self, messages: list[BaseMessage], options: dict[str, Any]) -> list[Any]:
        config = ensure_config()
        tape: Tape | None = (config.get("configurable") or {}).get(TAPE_KEY)
        request = model_request(messages, options)
        if tape is not None and tape.plays:
            return tape.given("model", self.model, request)
        run_id = str((config.get("metadata") or {}).get("run_id", ""))
        player = self._players.setdefault(run_id, Player(self.cassette or Cassette({})))
        try:
            return player.given("model", self.model, request)
        except Halt as halt:
            if not run_id:  # no graph is there for it to pass through
                raise halt.error from None
            raise

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        if self.inner is not None:
            return super()._get_ls_params(stop, **kwargs)
        params = super(WrapperChatModel, self)._get_ls_params(stop, **kwargs)
        return cast("LangSmithParams", {**params, "ls_provider": "replay", "ls_model_name": self.model})

    @property
    @override
    def _llm_type(self) -> str:
        return "motet-replay"


class _Playing:
    """One call: what was recorded, as a stream, or else the real model's answer."""

    def __init__(
        self, recorded: AIMessage | None, messages: list[BaseMessage], options: dict[str, Any]
    ) -> None:
        self.done = False
        self.prompt = messages if recorded is None else None
        self.options = options
        self._recorded = recorded

    def take(self, chunk: AIMessageChunk) -> Iterator[ChatGenerationChunk]:
        """See `Exchange.take`."""
        yield ChatGenerationChunk(message=chunk)

    def finish(self) -> Iterator[ChatGenerationChunk]:
        """See `Exchange.finish`."""
        self.done = True
        if self._recorded is not None:
            yield from _pieces(self._recorded)


class ReplayProvider:
    """Provider of `replay:FILE`: each recording is one model, which can do what the recorded one could."""

    def __init__(self, settings: Settings) -> None:
        del settings

    async def connect(self, spec: ModelSpec) -> ConnectedModel:
        """Return the model that says what the file has.

        Raises:
            NotFound: There is no such file.
            InvalidInput: It is no recording, or of another version.
        """
        cassette = await asyncio.to_thread(Cassette.load, Path(spec.name))
        return replayed(spec, cassette, "deep")

    async def aclose(self) -> None:
        """Do nothing: a recording holds nothing."""


def replayed(
    spec: ModelSpec, cassette: Cassette, role: str, inner: ConnectedModel | None = None
) -> ConnectedModel:
    """Return the model of a role as it was recorded, by its name then; `inner` answers what is not recorded.

    Raises:
        InvalidInput: The recording's header names a model that cannot be read.
    """
    known: dict[str, Any] = cassette.header.get("models", {}).get(role, {})
    capabilities = Capabilities(
        tool_method="native",
        json_schema=bool(known.get("json_schema", True)),
        context_tokens=int(known.get("context_tokens", 0)),
        small=bool(known.get("small", False)),
        logprobs=bool(known.get("logprobs", False)),
    )
    name = str(known.get("name") or spec.name)
    chat = ReplayChatModel(model=name, cassette=cassette, inner=inner.chat if inner is not None else None)
    recorded = ModelSpec.parse(known["spec"]) if known.get("spec") else spec
    counts = Tokenizer(None) if known.get("tokenizer") and inner is None else None
    if inner is not None:
        return ConnectedModel(inner.spec, chat, capabilities, inner.tokenizer)
    return ConnectedModel(recorded, chat, capabilities, counts)


def _pieces(message: AIMessage) -> Iterator[ChatGenerationChunk]:
    """Yield a message as a stream does: its text, its calls, and at last what it took."""
    if message.content:
        yield ChatGenerationChunk(message=AIMessageChunk(content=message.content, id=message.id))
    for index, call in enumerate(message.tool_calls):
        arguments = json.dumps(call["args"], ensure_ascii=False)
        part = tool_call_chunk(name=call["name"], args=arguments, id=call["id"], index=index)
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[part], id=message.id))
    last = AIMessageChunk(
        content="",
        id=message.id,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        chunk_position="last",
    )
    yield ChatGenerationChunk(message=last)
