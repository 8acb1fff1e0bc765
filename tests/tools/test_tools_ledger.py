"""The ledger around tool calls: what a second attempt of a step calls again, and what it does not."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from motet.agents.tool_agent import build_tool_agent
from motet.errors import InvalidInput, LeaseLost, StateCorrupt
from motet.memory.serde import StrictSerializer
from motet.models.scripted import Call, ToolCall, scripted
from motet.runs.sync_steps import let_graphs_without_saver_be_sync
from motet.settings import Settings, StorageSettings
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.seal import Seal
from motet.storage.tables import runs, threads, tool_calls
from motet.tools.base import effect_of, idempotency_key
from motet.tools.ledger.keep import CallKeeper, LedgerFailed, call_tool
from motet.tools.ledger.nodes import keep_calls_of
from motet.tools.ledger.question import ANSWER_SCHEMA, SKIPPED, decide
from motet.tools.ledger.sql import Attempt, SqlLedger

ATTEMPT = Attempt("local", "t", "r", fence=1)


class Killed(BaseException):
    """Ends a process, as far as the code that is tested can see."""


class World:
    """What tools do to it; `fail` makes the next call of a tool raise after it was done."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.fail: dict[str, BaseException] = {}

    def tool(self, name: str, effect: str | None = None) -> BaseTool:
        async def call(text: str) -> str:
            """Do it."""
            self.done.append((f"{name} {text}", idempotency_key()))
            error = self.fail.pop(name, None)
            if error is not None:
                raise error
            return f"{name} {text}: {len(self.done)}"

        metadata = {"effect": effect} if effect else None
        return StructuredTool.from_function(coroutine=call, name=name, metadata=metadata)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.done]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(params=["sqlite", "postgres"])
def keeps(request: pytest.FixtureRequest, settings: Settings) -> Any:
    storage = settings.storage
    if request.param == "postgres":
        storage = StorageSettings(home=storage.home, database_url=request.getfixturevalue("postgres_url"))
    database = Database(storage)
    prepare(database, storage)
    yield Keeps(database)
    database.close()


class Keeps:
    """A ledger's database, with runs `r` and `r2` that are being worked on, and checkpoints."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.saver = InMemorySaver()
        thread = {"tenant_id": "local", "owner_id": "me", "graph": "g", "created_at": 0.0, "updated_at": 0.0}
        run = {"tenant_id": "local", "owner_id": "me", "graph": "g", "job": "{}", "created_at": 0.0}
        rows = [run | {"run_id": r, "thread_id": t} for r, t in (("r", "t"), ("r2", "t2"))]

        def fill(connection: sa.Connection) -> None:
            connection.execute(sa.insert(threads), [thread | {"thread_id": name} for name in ("t", "t2")])
            connection.execute(sa.insert(runs), [row | {"status": "running", "fence": 1} for row in rows])

        database.write_sync(fill)

    def config(self, attempt: Attempt = ATTEMPT) -> Any:
        """A config of a new attempt: nothing is left of the process before."""
        ledger = SqlLedger(self.database, Seal([b"0123456789abcdef"]), StrictSerializer(), attempt)
        keeper = CallKeeper(ledger, self.saver, attempt.thread_id)
        return {"configurable": {"thread_id": attempt.thread_id, **keeper.configurable}}

    async def run(self, graph: Any, given: Any = None, attempt: Attempt = ATTEMPT) -> Any:
        let_graphs_without_saver_be_sync()
        return await graph.ainvoke(given, self.config(attempt), durability="sync")

    def rows(self) -> list[Any]:
        return self.database.read_sync(
            lambda c: list(c.execute(sa.select(tool_calls).order_by(tool_calls.c.position)))
        )


def calls(*named: tuple[str, str], first_id: int = 0) -> AIMessage:
    return AIMessage(
        "",
        tool_calls=[
            {"name": n, "args": {"text": t}, "id": f"c{i}"} for i, (n, t) in enumerate(named, first_id)
        ],
    )


def graph_of(keeps: Keeps, tools: list[BaseTool], message: Callable[[], AIMessage], **more: Any) -> Any:
    """A foreign graph: a node that asks for tools, a plain ToolNode."""

    async def model(state: MessagesState) -> dict[str, Any]:
        return {"messages": [message()]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", model)
    builder.add_node("tools", ToolNode(tools, handle_tool_errors=True, **more))
    builder.add_edge(START, "model")
    builder.add_edge("model", "tools")
    graph = builder.compile(checkpointer=keeps.saver)
    keep_calls_of(graph)
    keep_calls_of(graph)
    return graph


HI: Any = {"messages": [HumanMessage("hi")]}


def said(state: Any) -> list[str]:
    return [m.text for m in state["messages"] if isinstance(m, ToolMessage)]


async def test_a_call_is_on_disk_with_its_result(keeps: Keeps, world: World) -> None:
    graph = graph_of(keeps, [world.tool("send")], lambda: calls(("send", "问好")))
    state = await keeps.run(graph, HI)
    assert said(state) == ["send 问好: 1"]
    [row] = keeps.rows()
    assert (row.tool, row.effect, row.status, row.run_id, row.asks) == ("send", "once", "done", "r", 0)
    assert row.ended_at >= row.started_at
    assert row.result is not None


async def test_a_finished_call_is_given_again_and_not_made_again(keeps: Keeps, world: World) -> None:
    tools = [world.tool("send"), world.tool("look", "pure"), world.tool("die", "pure")]
    world.fail["die"] = Killed()
    graph = graph_of(keeps, tools, lambda: calls(("send", "a"), ("look", "b"), ("die", "c")))
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    await asyncio.sleep(0.2)  # the calls beside it come to their end
    state = await keeps.run(graph)
    assert sorted(world.names) == ["die c", "die c", "look b", "send a"]
    assert len(said(state)) == 3
    assert {row.status for row in keeps.rows()} == {"done"}


async def test_a_call_that_was_broken_off_is_made_again_under_its_key_where_the_tool_allows_it(
    keeps: Keeps, world: World
) -> None:
    world.fail["book"] = Killed()
    graph = graph_of(keeps, [world.tool("book", "idempotent")], lambda: calls(("book", "7")))
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    state = await keeps.run(graph)
    assert said(state) == ["book 7: 2"]
    assert world.done[0] == world.done[1]
    assert len(world.done[0][1]) == 40
    assert world.done[0][1] == keeps.rows()[0].call_key


@pytest.mark.parametrize(
    ("answer", "told", "made"),
    [("again", "send a: 2", 2), ("skip", SKIPPED, 1), ({"result": "it was sent"}, "it was sent", 1)],
    ids=["again", "skip", "result"],
)
async def test_a_call_that_may_have_happened_is_asked_about(
    keeps: Keeps, world: World, answer: Any, told: str, made: int
) -> None:
    world.fail["send"] = Killed()
    graph = graph_of(keeps, [world.tool("send")], lambda: calls(("send", "a")))
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    [asked] = (await keeps.run(graph))["__interrupt__"]
    assert asked.value["tool"] == "send"
    assert asked.value["arguments"] == {"text": "a"}
    assert asked.response_schema == ANSWER_SCHEMA
    assert world.names == ["send a"]
    state = await keeps.run(graph, Command(resume={asked.id: answer}))
    assert said(state) == [told]
    assert len(world.names) == made
    assert [(row.status, row.asks) for row in keeps.rows()] == [("done", 1)]


async def test_who_said_again_is_asked_anew_when_that_breaks_off_too(keeps: Keeps, world: World) -> None:
    world.fail["send"] = Killed()
    graph = graph_of(keeps, [world.tool("send")], lambda: calls(("send", "a")))
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    [first] = (await keeps.run(graph))["__interrupt__"]
    world.fail["send"] = Killed()
    with pytest.raises(Killed):
        await keeps.run(graph, Command(resume={first.id: "again"}))
    assert len(world.names) == 2
    [second] = (await keeps.run(graph, Command(resume={first.id: "again"})))["__interrupt__"]
    assert second.id != first.id
    assert len(world.names) == 2
    state = await keeps.run(graph, Command(resume={second.id: {"result": "sent"}}))
    assert said(state) == ["sent"]
    assert len(world.names) == 2


async def test_two_calls_that_may_have_happened_are_asked_about_one_after_the_other(
    keeps: Keeps, world: World
) -> None:
    world.fail |= {"send": Killed(), "post": Killed()}
    tools = [world.tool("send"), world.tool("post")]
    graph = graph_of(keeps, tools, lambda: calls(("send", "a"), ("post", "b")))
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    await asyncio.sleep(0.2)
    [first] = (await keeps.run(graph))["__interrupt__"]
    [second] = (await keeps.run(graph, Command(resume={first.id: {"result": "one"}})))["__interrupt__"]
    assert (first.value["tool"], second.value["tool"]) == ("send", "post")
    state = await keeps.run(graph, Command(resume={second.id: {"result": "two"}}))
    assert said(state) == ["one", "two"]
    assert sorted(world.names) == ["post b", "send a"]


async def test_equal_calls_are_told_apart(keeps: Keeps, world: World) -> None:
    tools = [world.tool("send"), world.tool("die", "pure")]
    world.fail["die"] = Killed()
    graph = graph_of(keeps, tools, lambda: calls(("send", "a"), ("send", "a"), ("die", "c")))
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    await asyncio.sleep(0.2)
    state = await keeps.run(graph)
    assert world.names.count("send a") == 2
    assert len({key for name, key in world.done if name == "send a"}) == 2
    assert len(set(said(state))) == 3


async def test_the_same_call_in_a_later_turn_is_made(keeps: Keeps, world: World) -> None:
    graph = graph_of(keeps, [world.tool("send")], lambda: calls(("send", "a")))
    await keeps.run(graph, HI)
    await keeps.run(graph, HI)
    assert world.names == ["send a", "send a"]


async def test_an_error_that_the_agent_was_told_is_a_result(keeps: Keeps, world: World) -> None:
    tools = [world.tool("send"), world.tool("die", "pure")]
    world.fail |= {"send": ValueError("no such address"), "die": Killed()}
    graph = graph_of(keeps, tools, lambda: calls(("send", "a"), ("die", "c")))
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    await asyncio.sleep(0.2)
    state = await keeps.run(graph)
    assert "no such address" in said(state)[0]
    assert world.names.count("send a") == 1


async def test_a_tool_that_asks_a_person_itself_is_called_again_for_the_answer(
    keeps: Keeps, world: World
) -> None:
    async def approve(text: str) -> str:
        """Ask first."""
        answer = interrupt({"may": text})
        world.done.append((f"approved {answer}", ""))
        return f"approved {answer}"

    graph = graph_of(
        keeps, [StructuredTool.from_function(coroutine=approve)], lambda: calls(("approve", "x"))
    )
    [asked] = (await keeps.run(graph, HI))["__interrupt__"]
    assert keeps.rows()[0].status == "paused"
    state = await keeps.run(graph, Command(resume={asked.id: "yes"}))
    assert said(state) == ["approved yes"]
    assert world.names == ["approved yes"]


async def test_a_wrapper_that_a_tool_node_has_goes_around_the_ledger(keeps: Keeps, world: World) -> None:
    seen: list[str] = []

    async def watch(request: Any, execute: Any) -> Any:
        seen.append(request.tool_call["name"])
        return await execute(request)

    def watch_sync(request: Any, execute: Any) -> Any:
        seen.append(f"sync {request.tool_call['name']}")
        return execute(request)

    for more in ({"awrap_tool_call": watch}, {"wrap_tool_call": watch_sync}):
        graph = graph_of(keeps, [world.tool("send")], lambda: calls(("send", "a")), **more)
        await keeps.run(graph, HI)
    assert seen == ["send", "sync send"]
    assert [row.status for row in keeps.rows()] == ["done", "done"]


async def test_without_a_ledger_a_graph_works_as_before(keeps: Keeps, world: World) -> None:
    graph = graph_of(keeps, [world.tool("send")], lambda: calls(("send", "a")))
    state = await graph.ainvoke(HI, {"configurable": {"thread_id": "t"}})
    assert said(state) == ["send a: 1"]
    assert world.done == [("send a", "")]
    assert keeps.rows() == []


# Where a call stands


def agent_graph(keeps: Keeps, tools: list[BaseTool], ids: list[str], *, stored: bool) -> Any:
    """A node that runs a tool agent inside; its model gives a new id each time it is asked."""

    def reply(call: Call) -> Any:
        if call.tool_result:
            return "done"
        ids.append(f"id{len(ids)}")
        return [
            ToolCall("send", {"text": "a"}, call_id=ids[-1]),
            ToolCall("die", {"text": "b"}, call_id=f"{ids[-1]}d"),
        ]

    agent = build_tool_agent(scripted(reply), tools, "work", max_turns=3)
    if not stored:
        agent.checkpointer = False

    async def work(state: MessagesState) -> dict[str, Any]:
        result = await agent.ainvoke({"messages": [HumanMessage("go")]})
        return {"messages": result["messages"][-3:]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile(checkpointer=keeps.saver)


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "not stored"])
async def test_an_agent_inside_a_node_finds_its_finished_calls(
    keeps: Keeps, world: World, stored: bool
) -> None:
    ids: list[str] = []
    graph = agent_graph(keeps, [world.tool("send"), world.tool("die", "idempotent")], ids, stored=stored)
    world.fail["die"] = Killed()
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    await asyncio.sleep(0.2)
    state = await keeps.run(graph)
    assert ids == (["id0"] if stored else ["id0", "id1"])  # it is asked again only where nothing was stored
    assert sorted(world.names) == ["die b", "die b", "send a"]
    assert len({key for name, key in world.done if name == "die b"}) == 1
    results = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    assert [m.tool_call_id for m in results] == [ids[-1], f"{ids[-1]}d"]


async def test_a_nodes_own_code_can_keep_its_calls(keeps: Keeps, world: World) -> None:
    send, die = world.tool("send"), world.tool("die", "pure")
    told: list[Any] = []

    async def work(state: MessagesState) -> dict[str, Any]:
        told.append(await call_tool(send, {"text": "a"}))
        told.append(await call_tool(send, {"text": "a"}))
        await call_tool(die, {"text": "b"})
        return {"messages": []}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    graph = builder.compile(checkpointer=keeps.saver)
    world.fail["die"] = Killed()
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    await keeps.run(graph)
    assert told == ["send a: 1", "send a: 2"] * 2
    assert world.names == ["send a", "send a", "die b", "die b"]
    await builder.compile().ainvoke(HI)  # no ledger: the tool is called
    assert world.names.count("send a") == 4


async def send_in_a_node(keeps: Keeps, tool: BaseTool) -> Any:
    """A graph whose node calls a tool by itself, so that what the tool raises ends the attempt."""

    async def work(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(str(await call_tool(tool, {"text": "a"})))]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile(checkpointer=keeps.saver)


async def test_a_call_that_raised_may_have_happened_and_a_person_is_asked(keeps: Keeps, world: World) -> None:
    graph = await send_in_a_node(keeps, world.tool("send"))
    world.fail["send"] = RuntimeError("the answer got lost")
    with pytest.raises(RuntimeError):
        await keeps.run(graph, HI)
    asked = await keeps.run(graph)
    [question] = asked["__interrupt__"]
    assert question.value["tool"] == "send"
    state = await keeps.run(graph, Command(resume={"result": "it went out"}))
    assert state["messages"][-1].text == "it went out"
    assert world.names == ["send a"]


@pytest.mark.parametrize(("effect", "failure"), [("once", "clean"), ("idempotent", None), ("pure", None)])
async def test_a_call_that_raised_is_made_again_where_its_tool_allows_that(
    keeps: Keeps, world: World, effect: str, failure: str | None
) -> None:
    tool = world.tool("send", effect)
    tool.metadata = {**(tool.metadata or {}), "failure": failure}
    graph = await send_in_a_node(keeps, tool)
    world.fail["send"] = RuntimeError("nothing was sent")
    with pytest.raises(RuntimeError):
        await keeps.run(graph, HI)
    state = await keeps.run(graph)
    assert state["messages"][-1].text == "send a: 2"
    assert world.names == ["send a", "send a"]


# The rows


async def test_arguments_cannot_be_guessed_from_their_digest(keeps: Keeps, world: World) -> None:
    graph = graph_of(keeps, [world.tool("send")], lambda: calls(("send", "a")))
    await keeps.run(graph, HI)
    [row] = keeps.rows()
    plain = hashlib.sha256(json.dumps({"text": "a"}).encode()).hexdigest()
    assert row.arguments_digest.startswith("k1:")
    assert plain not in row.arguments_digest
    assert row.arguments_digest == Seal([b"0123456789abcdef"]).digests(plain)[0]
    assert row.arguments_digest not in Seal([b"another key of mine"]).digests(plain)


async def test_results_that_an_older_version_recorded_are_found(keeps: Keeps, world: World) -> None:
    graph = graph_of(keeps, [world.tool("send")], lambda: calls(("send", "a")))
    await keeps.run(graph, HI)
    plain = hashlib.sha256(json.dumps({"text": "a"}).encode()).hexdigest()
    keeps.database.write_sync(lambda c: c.execute(sa.update(tool_calls).values(arguments_digest=plain)))
    await keeps.run(graph, HI, replace(ATTEMPT, run_id="r2", thread_id="t2", reuse_results_of="r"))
    assert world.names == ["send a"]


async def test_a_worker_that_lost_its_run_makes_no_call(keeps: Keeps, world: World) -> None:
    send = world.tool("send")

    async def work(state: MessagesState) -> dict[str, Any]:
        await call_tool(send, {"text": "a"})
        return {"messages": []}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    for graph in (
        builder.compile(checkpointer=keeps.saver),
        graph_of(keeps, [send], lambda: calls(("send", "a"))),
    ):
        with pytest.raises(LedgerFailed, match="another worker") as failed:
            await keeps.run(graph, HI, replace(ATTEMPT, fence=0))
        assert isinstance(failed.value.error, LeaseLost)  # and no tool message with it
    assert world.names == []
    assert keeps.rows() == []


async def test_another_runs_results_are_given_in_their_order_as_far_as_they_go(
    keeps: Keeps, world: World
) -> None:
    tools = [world.tool("send"), world.tool("look", "pure")]
    graph = graph_of(keeps, tools, lambda: calls(("send", "a"), ("send", "a"), ("look", "x")))
    first = await keeps.run(graph, HI)
    other = replace(ATTEMPT, run_id="r2", thread_id="t2", reuse_results_of="r")
    more = graph_of(keeps, tools, lambda: calls(("send", "a"), ("send", "a"), ("send", "a"), ("look", "y")))
    second = await keeps.run(more, HI, other)
    assert said(second)[:2] == said(first)[:2]
    assert world.names == ["send a", "send a", "look x", "send a", "look y"]
    reused = [row.reused_key for row in keeps.rows() if row.run_id == "r2"]
    assert [key is not None for key in reused] == [True, True, False, False]


async def test_the_rows_go_with_the_thread(keeps: Keeps, world: World) -> None:
    graph = graph_of(keeps, [world.tool("send")], lambda: calls(("send", "a")))
    await keeps.run(graph, HI)
    keeps.database.write_sync(lambda c: c.execute(sa.delete(threads).where(threads.c.thread_id == "t")))
    assert keeps.rows() == []


async def test_a_result_that_cannot_be_stored_is_asked_about_and_not_made_up(
    keeps: Keeps, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd:
        pass

    async def odd(text: str) -> Any:
        """Give something odd."""
        world.done.append(("odd", ""))
        return "fine", Odd()

    tool = StructuredTool.from_function(coroutine=odd, response_format="content_and_artifact")
    tools = [tool, world.tool("die", "pure")]
    world.fail["die"] = Killed()
    graph = graph_of(keeps, tools, lambda: calls(("odd", "a"), ("die", "b")))
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    await asyncio.sleep(0.2)
    assert "the result of odd is not kept" in caplog.text
    [asked] = (await keeps.run(graph))["__interrupt__"]
    assert asked.value["tool"] == "odd"
    assert world.names.count("odd") == 1


async def test_a_changed_result_is_refused(keeps: Keeps, world: World) -> None:
    tools = [world.tool("send"), world.tool("die", "pure")]
    world.fail["die"] = Killed()
    graph = graph_of(keeps, tools, lambda: calls(("send", "a"), ("die", "c")))
    with pytest.raises(Killed):
        await keeps.run(graph, HI)
    await asyncio.sleep(0.2)
    keeps.database.write_sync(lambda c: c.execute(sa.update(tool_calls).values(result=b"\x01forged" * 9)))
    with pytest.raises(LedgerFailed, match="is not loaded") as failed:
        await keeps.run(graph)
    assert isinstance(failed.value.error, StateCorrupt)
    assert world.names.count("send a") == 1


# Small things


@pytest.mark.parametrize(
    ("metadata", "effect"),
    [(None, "once"), ({}, "once"), ({"effect": "anything"}, "once"), ({"effect": "pure"}, "pure")],
)
def test_a_tool_that_declares_nothing_may_be_called_once(
    metadata: dict[str, Any] | None, effect: str
) -> None:
    tool = StructuredTool.from_function(lambda x: x, name="x", description="x", metadata=metadata)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert effect_of(tool) == effect


@pytest.mark.parametrize("answer", ["yes", None, {"result": 3}, {}, ["again"]])
def test_an_answer_that_was_not_offered_is_refused(answer: Any) -> None:
    with pytest.raises(InvalidInput, match="neither"):
        decide(answer)


def test_outside_of_a_run_there_is_no_key() -> None:
    assert idempotency_key() == ""
