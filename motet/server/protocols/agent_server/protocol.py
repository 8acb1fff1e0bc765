"""The newer protocol of this wire ("Protocol v2"): commands on a thread, and subscriptions to its events.

`langgraph_sdk`'s `client.threads.stream()` speaks it. What does not live here: what events look like
(`protocol_events`), and how runs begin (`runs`). Its WebSocket is not served.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from motet.errors import Conflict, InvalidInput
from motet.server.call import validate
from motet.server.plain import json_text
from motet.server.protocols.agent_server import bodies
from motet.server.protocols.agent_server.protocol_events import CHANNELS, MODES, PER_RUN, ProtocolEncoder
from motet.server.protocols.agent_server.runs import begin_on
from motet.server.protocols.agent_server.shapes import answer
from motet.server.protocols.agent_server.thread_stream import ThreadStream, runs_of, send_part
from motet.server.protocols.agent_server.threads import thread_of
from motet.server.sse import frame

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Send

    from motet.runs.lookup import FoundRun
    from motet.server.call import Call

Json = dict[str, Any]
MAX_NAMES = 100


class CommandBody(BaseModel):
    """What `/threads/{id}/commands` takes."""

    model_config = ConfigDict(extra="ignore")

    id: int = Field(ge=0)
    method: str = Field(max_length=100)
    params: dict[str, Any] = {}


class AnswerBody(BaseModel):
    """One answer to a question of a run."""

    model_config = ConfigDict(extra="ignore")

    interrupt_id: str = Field(max_length=200)
    response: Any = None


class SubscribeBody(BaseModel):
    """What `/threads/{id}/stream/events` takes."""

    model_config = ConfigDict(extra="ignore")

    channels: list[str] = Field(min_length=1, max_length=MAX_NAMES)
    namespaces: list[list[str]] | None = Field(default=None, max_length=MAX_NAMES)
    depth: int | None = Field(default=None, ge=0)
    since: int | None = Field(default=None, ge=0)

    def wants(self, event: Json) -> bool:
        """Say whether an event is of a channel and of a graph that was asked for."""
        method = event["method"]
        channel = "input" if method == "input.requested" else method
        if channel not in self.channels and not (channel == "custom" and self._names_custom()):
            return False
        namespace: list[str] = event["params"]["namespace"]
        return self.namespaces is None or any(self._within(namespace, asked) for asked in self.namespaces)

    def _names_custom(self) -> bool:
        return any(channel.startswith("custom:") for channel in self.channels)

    def _within(self, namespace: list[str], asked: list[str]) -> bool:
        """Say whether a graph is the one that was asked for, or beneath it; a name without a task stands for all."""
        pairs = zip(namespace, asked, strict=False)
        below = len(namespace) - len(asked)
        return (
            below >= 0
            and (self.depth is None or below <= self.depth)
            and all(found == name or found.partition(":")[0] == name for found, name in pairs)
        )


async def command(call: Call) -> Response:
    """Carry out a command on a thread: begin a run, or answer what one asked.

    What is wrong with a command is said in the protocol's own form; what is not there, or another's, is a 404 as ever.
    """
    asked = await call.read(CommandBody)
    try:
        match asked.method:
            case "run.start":
                run_id = await _start(call, asked.params)
            case "input.respond":
                run_id = await _respond(call, asked.params)
            case _:
                return _refused(asked.id, "unknown_command", f"There is no command {asked.method!r}.")
    except InvalidInput as error:
        return _refused(asked.id, "invalid_argument", error.message)
    except Conflict as error:
        is_answer = asked.method == "input.respond"
        return _refused(asked.id, "no_such_interrupt" if is_answer else "invalid_argument", error.message)
    return answer({"type": "success", "id": asked.id, "result": {"run_id": run_id}})


async def _start(call: Call, params: Json) -> str:
    said = {"if_not_exists": "create", **params, "stream_mode": MODES, "stream_subgraphs": True}
    return (await begin_on(call, validate(bodies.RunBody, said), MODES)).run_id


async def _respond(call: Call, params: Json) -> str:
    given = params.get("responses") if isinstance(params.get("responses"), list) else [params]
    answers = [validate(AnswerBody, one) for one in given or []]
    if not answers:
        raise InvalidInput("responses: an answer was expected.")
    thread = await thread_of(call)
    command = {"resume": {one.interrupt_id: one.response for one in answers}}
    for name in ("update", "goto"):
        if params.get(name) is not None:
            command[name] = params[name]
    said = {"assistant_id": thread.graph, "command": command, "stream_subgraphs": True}
    return (await begin_on(call, validate(bodies.RunBody, {**said, "stream_mode": MODES}), MODES)).run_id


def _refused(command_id: int, code: str, message: str) -> Response:
    return answer({"type": "error", "id": command_id, "error": code, "message": message})


async def events(call: Call) -> Response:
    """Subscribe to a thread's events: its newest run's from the beginning, or after `since`; then those to come."""
    asked = await call.read(SubscribeBody)
    for channel in asked.channels:
        if channel not in CHANNELS and not channel.startswith("custom:"):
            raise InvalidInput(f"channels: {channel[:40]!r} is none; {', '.join(CHANNELS)} were expected.")
    thread_id = (await thread_of(call)).thread_id
    return _Events(call, thread_id, asked, await runs_of(call, thread_id))


class _Events(ThreadStream):
    """Streams what a subscription asks for; a run is told from its beginning, so that its messages are whole."""

    def __init__(self, call: Call, thread_id: str, asked: SubscribeBody, runs: list[FoundRun]) -> None:
        first = max(len(runs) - 1, 0) if asked.since is None else asked.since // PER_RUN
        super().__init__(call, thread_id, {one.record.run_id for one in runs[:first]})
        self._asked, self._index = asked, first

    async def send_run(self, send: Send, one: FoundRun) -> None:
        """Send one run's events, until it ends."""
        encoder, run_id = ProtocolEncoder(one, self._index), one.record.run_id
        self._index += 1
        idle_s = self._call.office.settings.heartbeat_s
        pages: Any = self._call.desk.pages(run_id, after=0, idle_s=idle_s)
        async with contextlib.aclosing(pages):
            async for page in pages:
                told = [event for recorded in page for event in encoder.encode(recorded)]
                await send_part(
                    send, b"".join(map(frame_of, filter(self._wanted, told))) if page else self._heartbeat
                )
        self.done.add(run_id)

    def _wanted(self, event: Json) -> bool:
        return (self._asked.since is None or event["seq"] > self._asked.since) and self._asked.wants(event)


def frame_of(event: Json) -> bytes:
    """Return an event of the protocol as a server-sent one."""
    text = json_text(event, compact=True)
    return frame(text, event=event["method"], event_id=event["event_id"], newline="\r\n")
