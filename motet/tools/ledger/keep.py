"""Keeps the tool calls of a graph in the ledger, whoever wrote the graph.

What does not live here: the rows (`base`, `sql`) and the words of the question (`question`).

The ledger of a run travels in LangGraph's config, where the engine puts it (`CallKeeper.configurable`). Where there
is none, as in a graph that is used without Motet, everything here passes calls through as they are.

A call is known again by where it stands, not by the id that a model gave it: a model that is asked again after a
crash gives another. Where it stands is the nearest task whose step is on disk, the tool, its arguments, and how
many such calls that task has made before. LangGraph names a task by its checkpoint, so the name is the same when
the task is run again; the tasks of a sub-graph that stores nothing have new names, and are passed over.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter, defaultdict
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import ToolMessage
from langchain_core.runnables.config import ensure_config
from langgraph.errors import GraphBubbleUp
from langgraph.runtime import get_runtime
from langgraph.types import Command, interrupt

from motet.errors import MotetError
from motet.events import ARGUMENTS_KEY
from motet.tools.base import IDEMPOTENCY_KEY, effect_of, fails_cleanly
from motet.tools.ledger.base import Call
from motet.tools.ledger.question import ANSWER_SCHEMA, decide, question
from motet.tools.ledger.recorded import from_tape, shortened, to_tape, with_id
from motet.tools.limits import CallLimits
from motet.tools.policy.approval import read
from motet.tools.policy.guard import CONFIG_KEY as GUARD_KEY
from motet.tools.policy.guard import refusal, told_denied, told_no

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence

    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.prebuilt.tool_node import ToolCallRequest

    from motet.models.replay import Tape
    from motet.tools.ledger.base import Entry, Ledger
    from motet.tools.policy.guard import Guard

CONFIG_KEY = "motet_call_keeper"
"""Where the keeper is in a config's `configurable`."""


_inside: ContextVar[bool] = ContextVar("motet_inside_a_call", default=False)
"""Whether this is part of a tool call."""


class LedgerFailed(GraphBubbleUp):
    """Carries the ledger's own error past a tool node, which would tell the agent of it as if the tool had failed."""

    def __init__(self, error: MotetError) -> None:
        super().__init__(error.message)
        self.error = error


@contextmanager
def _ledgers_own() -> Generator[None]:
    try:
        yield
    except MotetError as error:
        raise LedgerFailed(error) from error


class CallKeeper:
    """Keeps the calls of one attempt of one run."""

    def __init__(
        self,
        ledger: Ledger,
        saver: BaseCheckpointSaver[Any],
        thread_id: str,
        guard: Guard | None = None,
        *,
        tape: Tape | None = None,
    ) -> None:
        self._ledger = ledger
        self._guard = guard
        self._tape = tape
        self._saver = saver
        self._thread_id = thread_id
        self._numbers: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._made: Counter[str] = Counter()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._stored: dict[tuple[str, str], bool] = {}
        self._limits = guard.limits if guard is not None else CallLimits()
        self._counting = asyncio.Lock() if self._limits.calls else nullcontext()
        self._places = asyncio.Semaphore(self._limits.parallel) if self._limits.parallel else nullcontext()

    @property
    def configurable(self) -> dict[str, Any]:
        """What the engine adds to a run's config."""
        return {CONFIG_KEY: self, GUARD_KEY: self._guard}

    async def keep(
        self,
        tool: BaseTool,
        call: Mapping[str, Any],
        config: RunnableConfig,
        execute: Callable[[Mapping[str, Any]], Awaitable[Any]],
        messages: Sequence[Any] = (),
    ) -> Any:
        """Make a tool call, or give what it gave before.

        Args:
            tool: Its metadata says what may be repeated, and what it reaches.
            call: LangChain's tool call: `name`, `args`, `id`.
            config: The calling node's; the call's idempotency key is put into it.
            execute: Makes the call with the arguments that it is given: the call's, or a person's.
            messages: The conversation that the caller sees, where it can be told.

        Raises:
            GraphInterrupt: A person is asked; the run waits.
            LedgerFailed: The ledger cannot be used, or the run is another worker's: the call was not made, or its
                result is not on disk.
        """
        asked = {"tool": tool.name, "arguments": dict(call["args"])}
        played = self._tape.given("tool", tool.name, asked) if self._tape is not None else []
        made_with: Mapping[str, Any] = call["args"]
        if played:
            result = from_tape(played[0])
        else:
            result, made_with = await self._keep(tool, call, config, execute, messages)
        if self._tape is not None:
            result = with_id(result)
            self._tape.keep("tool", tool.name, asked, to_tape(result))
        changed = dict(made_with) if made_with != call["args"] else None
        return told_to(result, str(call["id"]), tool.name, changed)

    async def _keep(
        self,
        tool: BaseTool,
        call: Mapping[str, Any],
        config: RunnableConfig,
        execute: Callable[[Mapping[str, Any]], Awaitable[Any]],
        messages: Sequence[Any],
    ) -> tuple[Any, Mapping[str, Any]]:
        """Return what a call gives, and the arguments that it was made with: a person may have given others."""
        given = config.setdefault("configurable", {})
        place = str(given.get("checkpoint_ns", ""))
        # Calls of one task take their turns in the order they came: LangGraph hands answers out by order.
        async with self._turns[place]:
            with _ledgers_own():
                made = await self._identify(tool, call, given)
                told, arguments = await self._admit(made, tool, call["args"], place, messages)
            if told:
                return told[0], arguments
            config["configurable"] = {**given, IDEMPOTENCY_KEY: made.key}
            if (tool.metadata or {}).get("asks"):  # it asks a person itself, in its turn
                return await self._make(made, tool, lambda: execute(arguments)), arguments
        return await self._make(made, tool, lambda: execute(arguments)), arguments

    async def _admit(
        self, call: Call, tool: BaseTool, arguments: Mapping[str, Any], place: str, messages: Sequence[Any]
    ) -> tuple[list[Any], Mapping[str, Any]]:
        """Return what a call is to be told without being made, alone, or []; and the arguments to make it with."""
        verdict = await self._guard.judge(tool, arguments, place, messages) if self._guard else None
        if verdict is not None and verdict.action == "deny":
            return [told_denied(call.tool, verdict)], arguments
        asks_first = verdict is not None and verdict.action == "ask"
        async with self._counting:
            if self._limits.calls and (
                told := self._limits.reached(call.tool, await self._ledger.made(besides=call))
            ):
                return [refusal(call.tool, told)], arguments
            entry = await self._ledger.begin(call, asks_first=asks_first)
        if not entry.asks_first or verdict is None:
            return await self._settle(call, entry), arguments
        answer = read(interrupt(verdict.question(call.tool, arguments), response_schema=verdict.schema(tool)))
        if answer.arguments is not None:
            arguments = answer.arguments
        if entry.status != "waiting":  # decided before a crash
            return await self._settle(call, entry), arguments
        if not answer.approved:
            return await self._refuse(call, told_no(call.tool, answer)), arguments
        assert self._guard is not None
        if answer.arguments is not None:  # no person's word is stronger than a rule that denies
            edited = await self._guard.judge(tool, arguments, place, messages)
            if edited.action == "deny":
                return await self._refuse(call, told_denied(call.tool, edited)), arguments
        if answer.always:
            await self._guard.grant(tool, arguments, answer.always, is_tainted=verdict.is_tainted)
        await self._ledger.begin_again(call, asks=0)
        return [], arguments

    async def _refuse(self, call: Call, told: ToolMessage) -> list[Any]:
        await self._ledger.finish(call, told)
        return [told]

    async def _settle(self, call: Call, entry: Entry) -> list[Any]:
        """Return what a call gave or is to be taken to have given, alone; [] when it is to be made now."""
        for _ in range(entry.asks):  # LangGraph repeats the answers in the order of the questions
            interrupt(question(call), response_schema=ANSWER_SCHEMA)
        if entry.is_new:
            return []
        if entry.has_result:
            return [entry.result]
        if _may_repeat(call, entry):
            await self._ledger.begin_again(call, asks=entry.asks)
            return []
        decision = decide(interrupt(question(call), response_schema=ANSWER_SCHEMA))
        asks = entry.asks + 1
        if decision.again:
            await self._ledger.begin_again(call, asks=asks)
            return []
        status = "error" if decision.skipped else "success"
        result = ToolMessage(decision.result, name=call.tool, tool_call_id="", status=status)
        await self._ledger.finish(call, result, asks=asks)
        return [result]

    async def _make(self, call: Call, tool: BaseTool, execute: Callable[[], Awaitable[Any]]) -> Any:
        try:
            with self._ledger.around(f"a call of {call.tool}"):
                result = await self._limited(tool, execute)
        except LedgerFailed:  # of a call inside this one, whose end nobody knows then either
            raise
        except GraphBubbleUp:
            with _ledgers_own():
                await self._ledger.leave(call, "paused")
            raise
        except Exception:
            with _ledgers_own():
                await self._note(tool, None)  # the agent may be told what it said
                await self._ledger.leave(call, "failed")
            raise
        with _ledgers_own():
            await self._note(tool, result)
            await self._ledger.finish(call, result)
        return result

    async def _limited(self, tool: BaseTool, execute: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call within the limits; one that waits for a person, or for others, has none of its own.

        A call inside of another takes no place of its own: the outer one holds its place until the inner one ends.
        """
        about = tool.metadata or {}
        if about.get("asks"):
            return await execute()
        limit_s = float(about.get("timeout_s", self._limits.timeout_s))
        clock = asyncio.timeout(limit_s or None)
        async with nullcontext() if _inside.get() else self._places:
            token = _inside.set(True)
            try:
                async with clock:
                    return shortened(await execute(), self._limits.output_chars)
            except TimeoutError:
                if not clock.expired():
                    raise
            finally:
                _inside.reset(token)
        told = f"{tool.name} did not end within {limit_s:g} s. What it began may be done all the same."
        return refusal(tool.name, told)

    async def _note(self, tool: BaseTool, result: Any) -> None:
        if self._guard is not None:
            await self._guard.note_result(tool, result)

    async def _identify(self, tool: BaseTool, call: Mapping[str, Any], given: Mapping[str, Any]) -> Call:
        arguments = json.dumps(call["args"], sort_keys=True, default=str)
        place = await self._place(given)
        stands = json.dumps([self._thread_id, place, tool.name, arguments])
        known = self._numbers[stands]
        number = known.setdefault(f"{given.get('checkpoint_ns', '')} {self._id(call, stands)}", len(known))
        key = hashlib.sha256(f"{stands}#{number}".encode()).hexdigest()[:40]
        return Call(key, tool.name, arguments, effect_of(tool), fails_cleanly(tool))

    def _id(self, call: Mapping[str, Any], stands: str) -> str:
        """Return what tells a call from its equals in one task; the same when LangGraph has the node try again."""
        if call["id"]:
            return str(call["id"])
        info = get_runtime().execution_info
        attempt = f"{info.node_attempt if info else 1} {stands}"
        self._made[attempt] += 1
        return str(self._made[attempt])

    async def _place(self, given: Mapping[str, Any]) -> str:
        """Return the path of tasks down to the last one whose step is on disk."""
        path = str(given.get("checkpoint_ns", "")).split("|")
        steps: Mapping[str, str] = given.get("checkpoint_map") or {}
        for depth in range(1, len(path)):
            above = "|".join(path[:depth])
            if above in steps and not await self._is_stored(above, steps[above]):
                return above
        return "|".join(path)

    async def _is_stored(self, namespace: str, checkpoint_id: str) -> bool:
        step = namespace, checkpoint_id
        if step not in self._stored:
            config: RunnableConfig = {
                "configurable": {
                    "thread_id": self._thread_id,
                    "checkpoint_ns": namespace,
                    "checkpoint_id": checkpoint_id,
                }
            }
            self._stored[step] = await self._saver.aget_tuple(config) is not None
        return self._stored[step]


def _may_repeat(call: Call, entry: Entry) -> bool:
    """Say whether a call whose result is not known may be made again without asking.

    One that raised may have had its effect all the same: an answer that got lost is an error too.
    """
    if call.effect != "once" or entry.status == "paused":
        return True
    return entry.status == "failed" and call.fails_cleanly


async def keep_call(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Any]]) -> Any:
    """Wrap a `ToolNode`'s calls: `ToolNode(tools, awrap_tool_call=keep_call)`."""
    config: RunnableConfig = request.runtime.config
    keeper: CallKeeper | None = (config.get("configurable") or {}).get(CONFIG_KEY)
    if keeper is None or request.tool is None:
        return await execute(request)

    async def make(arguments: Mapping[str, Any]) -> Any:
        call: Any = {**request.tool_call, "args": dict(arguments)}
        return await execute(request.override(tool_call=call))

    return await keeper.keep(request.tool, request.tool_call, config, make, _messages(request.state))


async def call_tool(tool: BaseTool, arguments: Mapping[str, Any]) -> Any:
    """Call a tool from a node's own code, through the run's ledger where there is one; return what it gives.

    A tool that is called by `tool.ainvoke(…)` inside a node is not seen by the ledger.
    """
    config = ensure_config()
    keeper: CallKeeper | None = (config.get("configurable") or {}).get(CONFIG_KEY)
    if keeper is None:
        return await tool.ainvoke(dict(arguments))
    call = {"name": tool.name, "args": dict(arguments), "id": ""}

    async def execute(given: Mapping[str, Any]) -> Any:
        return await tool.ainvoke(dict(given), config)

    result = await keeper.keep(tool, call, config, execute)
    return result.content if isinstance(result, ToolMessage) else result


async def call_for_message(tool: BaseTool, arguments: Mapping[str, Any]) -> ToolMessage:
    """Call a tool as `call_tool` does; return its whole message, with what became of the call and its artifact.

    Arguments that do not fit, and errors that the tool tells of, are a message of status `error`.
    """
    config = ensure_config()
    keeper: CallKeeper | None = (config.get("configurable") or {}).get(CONFIG_KEY)
    call = {"name": tool.name, "args": dict(arguments), "id": "", "type": "tool_call"}

    async def execute(given: Mapping[str, Any]) -> Any:
        return await tool.ainvoke({**call, "args": dict(given), "id": "call"}, config)

    result = await execute(arguments) if keeper is None else await keeper.keep(tool, call, config, execute)
    return result if isinstance(result, ToolMessage) else ToolMessage(str(result), tool_call_id="call")


def _messages(state: Any) -> Sequence[Any]:
    """Return the conversation in a graph's state, whatever its shape; () where there is none."""
    found: Any = state.get("messages") if isinstance(state, dict) else getattr(state, "messages", state)
    return cast("list[Any]", found) if isinstance(found, list) else ()


def told_to(result: Any, call_id: str, tool: str, changed: Mapping[str, Any] | None = None) -> Any:
    """Return a recorded result as the answer to the call with this id: the model may have given it a new one.

    `changed` are the arguments that a person had the call made with.
    """
    if isinstance(result, ToolMessage):
        update = {"tool_call_id": call_id, "name": result.name or tool}
        more = {ARGUMENTS_KEY: dict(changed)} if changed is not None else {}
        return result.model_copy(update={**update, "additional_kwargs": {**result.additional_kwargs, **more}})
    if isinstance(result, list):
        return [told_to(item, call_id, tool, changed) for item in cast("list[Any]", result)]
    if isinstance(result, Command) and isinstance(result.update, dict):
        update = cast("dict[str, Any]", result.update)
        return Command(
            graph=result.graph,
            update={key: told_to(value, call_id, tool, changed) for key, value in update.items()},
            resume=result.resume,
            goto=result.goto,
        )
    return result
