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
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import ToolMessage
from langchain_core.runnables.config import ensure_config
from langgraph.errors import GraphBubbleUp
from langgraph.runtime import get_runtime
from langgraph.types import Command, interrupt

from motet.errors import MotetError
from motet.tools.base import IDEMPOTENCY_KEY, effect_of
from motet.tools.ledger.base import Call
from motet.tools.ledger.question import ANSWER_SCHEMA, decide, question

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.prebuilt.tool_node import ToolCallRequest

    from motet.tools.ledger.base import Entry, Ledger

CONFIG_KEY = "motet_call_keeper"
"""Where the keeper is in a config's `configurable`."""


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

    def __init__(self, ledger: Ledger, saver: BaseCheckpointSaver[Any], thread_id: str) -> None:
        self._ledger = ledger
        self._saver = saver
        self._thread_id = thread_id
        self._numbers: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._made: Counter[str] = Counter()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._stored: dict[tuple[str, str], bool] = {}

    @property
    def configurable(self) -> dict[str, Any]:
        """What the engine adds to a run's config."""
        return {CONFIG_KEY: self}

    async def keep(
        self,
        tool: BaseTool,
        call: Mapping[str, Any],
        config: RunnableConfig,
        execute: Callable[[], Awaitable[Any]],
    ) -> Any:
        """Make a tool call, or give what it gave before.

        Args:
            tool: Its metadata says what may be repeated.
            call: LangChain's tool call: `name`, `args`, `id`.
            config: The calling node's; the call's idempotency key is put into it.
            execute: Makes the call.

        Raises:
            GraphInterrupt: A person is asked; the run waits.
            LedgerFailed: The ledger cannot be used, or the run is another worker's: the call was not made, or its
                result is not on disk.
        """
        given = config.setdefault("configurable", {})
        # Calls of one task take their turns in the order they came: LangGraph hands answers out by order.
        async with self._turns[str(given.get("checkpoint_ns", ""))]:
            with _ledgers_own():
                made = await self._identify(tool, call, given)
                entry = await self._ledger.begin(made)
                told = await self._settle(made, entry)
        if told:
            return told_to(told[0], str(call["id"]), made.tool)
        config["configurable"] = {**given, IDEMPOTENCY_KEY: made.key}
        return await self._make(made, execute)

    async def _settle(self, call: Call, entry: Entry) -> list[Any]:
        """Return what a call gave or is to be taken to have given, alone; [] when it is to be made now."""
        for _ in range(entry.asks):  # LangGraph repeats the answers in the order of the questions
            interrupt(question(call), response_schema=ANSWER_SCHEMA)
        if entry.is_new:
            return []
        if entry.has_result:
            return [entry.result]
        if call.effect != "once" or entry.status in ("paused", "failed"):
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

    async def _make(self, call: Call, execute: Callable[[], Awaitable[Any]]) -> Any:
        try:
            with self._ledger.around(f"a call of {call.tool}"):
                result = await execute()
        except LedgerFailed:  # of a call inside this one, whose end nobody knows then either
            raise
        except GraphBubbleUp:
            with _ledgers_own():
                await self._ledger.leave(call, "paused")
            raise
        except Exception:
            with _ledgers_own():
                await self._ledger.leave(call, "failed")
            raise
        with _ledgers_own():
            await self._ledger.finish(call, result)
        return result

    async def _identify(self, tool: BaseTool, call: Mapping[str, Any], given: Mapping[str, Any]) -> Call:
        arguments = json.dumps(call["args"], sort_keys=True, default=str)
        place = await self._place(given)
        stands = json.dumps([self._thread_id, place, tool.name, arguments])
        known = self._numbers[stands]
        number = known.setdefault(f"{given.get('checkpoint_ns', '')} {self._id(call, stands)}", len(known))
        key = hashlib.sha256(f"{stands}#{number}".encode()).hexdigest()[:40]
        return Call(key, tool.name, arguments, effect_of(tool))

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


async def keep_call(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Any]]) -> Any:
    """Wrap a `ToolNode`'s calls: `ToolNode(tools, awrap_tool_call=keep_call)`."""
    config: RunnableConfig = request.runtime.config
    keeper: CallKeeper | None = (config.get("configurable") or {}).get(CONFIG_KEY)
    if keeper is None or request.tool is None:
        return await execute(request)
    return await keeper.keep(request.tool, request.tool_call, config, lambda: execute(request))


async def call_tool(tool: BaseTool, arguments: Mapping[str, Any]) -> Any:
    """Call a tool from a node's own code, through the run's ledger where there is one; return what it gives.

    A tool that is called by `tool.ainvoke(…)` inside a node is not seen by the ledger.
    """
    config = ensure_config()
    keeper: CallKeeper | None = (config.get("configurable") or {}).get(CONFIG_KEY)
    if keeper is None:
        return await tool.ainvoke(dict(arguments))
    call = {"name": tool.name, "args": dict(arguments), "id": ""}

    async def execute() -> Any:
        return await tool.ainvoke(dict(arguments), config)

    result = await keeper.keep(tool, call, config, execute)
    return result.content if isinstance(result, ToolMessage) else result


async def call_for_message(tool: BaseTool, arguments: Mapping[str, Any]) -> ToolMessage:
    """Call a tool as `call_tool` does; return its whole message, with what became of the call and its artifact.

    Arguments that do not fit, and errors that the tool tells of, are a message of status `error`.
    """
    config = ensure_config()
    keeper: CallKeeper | None = (config.get("configurable") or {}).get(CONFIG_KEY)
    call = {"name": tool.name, "args": dict(arguments), "id": "", "type": "tool_call"}

    async def execute() -> Any:
        return await tool.ainvoke({**call, "id": "call"}, config)

    result = await execute() if keeper is None else await keeper.keep(tool, call, config, execute)
    return result if isinstance(result, ToolMessage) else ToolMessage(str(result), tool_call_id="call")


def told_to(result: Any, call_id: str, tool: str) -> Any:
    """Return a recorded result as the answer to the call with this id: the model may have given it a new one."""
    if isinstance(result, ToolMessage):
        return result.model_copy(update={"tool_call_id": call_id, "name": result.name or tool})
    if isinstance(result, list):
        return [told_to(item, call_id, tool) for item in cast("list[Any]", result)]
    if isinstance(result, Command) and isinstance(result.update, dict):
        update = cast("dict[str, Any]", result.update)
        return Command(
            graph=result.graph,
            update={key: told_to(value, call_id, tool) for key, value in update.items()},
            resume=result.resume,
            goto=result.goto,
        )
    return result
