"""Budgets at work: what a spent one stops, what a person can answer, and that parallel runs cannot pass it together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Send, interrupt
from studio import TENANT, Studio, graph_of, open_database, open_studio

from motet.errors import BudgetExceeded, InvalidInput, PermissionRefused
from motet.events import (
    Event,
    InterruptRequested,
    MessageCompleted,
    RunCompleted,
    RunFailed,
    RunInterrupted,
    StepCompleted,
    ToolCompleted,
    Usage,
)
from motet.models.prices import Prices
from motet.models.scripted import Call, Reply, ScriptedChatModel, ToolCall
from motet.runs.budget import Budget
from motet.runs.budgets import meters
from motet.runs.budgets.guard import Guard
from motet.runs.budgets.limits import Defaults, Limit
from motet.runs.budgets.service import summary
from motet.runs.request import Caller, RunOptions, RunRequest
from motet.settings import BudgetSettings, Settings
from motet.storage.engine import Database
from motet.storage.tables import budget_holds, budget_meters

TOKENS = 10


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A fresh database of the quick kind; what two processes may do at once is tried on both kinds."""
    with open_database(settings.storage) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Database]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_database(replace(settings.storage, database_url=url or settings.storage.database_url)) as made:
        yield made


class Talker:
    """A graph that asks its model `calls` times in a row, each call of ten tokens, and says how often it did."""

    def __init__(self, *, delay_s: float = 0, calls: int = 5) -> None:
        self.model = ScriptedChatModel(script=self._reply)
        self.at_once = 0
        self.most_at_once = 0
        self._delay_s = delay_s
        self._calls = calls

    def _reply(self, call: Call) -> Reply:
        return Reply(text="x" * 36, delay_s=self._delay_s)  # nine tokens, and one of the question

    def graph(self) -> Any:
        async def talk(state: MessagesState) -> dict[str, Any]:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            reply = await self.model.ainvoke(state["messages"][:1])
            self.at_once -= 1
            return {"messages": [reply]}

        builder = StateGraph(MessagesState)
        builder.add_node("talk", talk)
        builder.add_edge(START, "talk")
        builder.add_conditional_edges(
            "talk", lambda state: "talk" if len(state["messages"]) <= self._calls else END, ["talk", END]
        )
        return builder.compile()


@asynccontextmanager
async def studio_of(
    database: Database, settings: Settings, graph: Callable[[], Any], **more: Any
) -> AsyncIterator[Studio]:
    async with open_studio(database, settings, {"graph": graph}, **more) as studio:
        await studio.work()
        yield studio


def with_budget(text: str) -> RunOptions:
    return RunOptions(budget=Budget.parse(text))


def question_in(events: list[Event]) -> InterruptRequested:
    [asked] = [e for e in events if isinstance(e, InterruptRequested)]
    assert isinstance(events[-1], RunInterrupted)
    return asked


async def answer(studio: Studio, thread_id: str, reply: Any, **more: Any) -> list[Event]:
    accepted = await studio.gate.submit(RunRequest(thread_id=thread_id, resume=reply, **more))
    return await studio.events(accepted.run_id)


async def test_a_run_without_a_budget_has_no_meter(database: Database, settings: Settings) -> None:
    talker = Talker()
    async with studio_of(database, settings, talker.graph) as studio:
        events = await studio.events((await studio.submit("hi")).run_id)
    assert isinstance(events[-1], RunCompleted)
    assert (
        database.read_sync(
            lambda c: c.execute(sa.select(sa.func.count()).select_from(budget_meters)).scalar()
        )
        == 0
    )


async def test_a_spent_budget_asks_and_more_goes_on(database: Database, settings: Settings) -> None:
    talker = Talker(calls=5)
    async with studio_of(database, settings, talker.graph) as studio:
        accepted = await studio.submit("hi", options=with_budget("tokens=25"))
        asked = question_in(await studio.events(accepted.run_id))
        assert len(talker.model.calls) == 3  # 10, 20, and the one that passes 25
        assert asked.value["limit"], asked.value["spent"] == ("tokens", 30)
        assert "30 of 25 tokens" in asked.value["question"]
        assert asked.response_schema is not None
        events = await answer(studio, accepted.thread_id, "more")
        assert isinstance(events[-1], RunCompleted)
        assert len(talker.model.calls) == 5
        assert [e.message_id for e in events if isinstance(e, MessageCompleted)]


async def test_more_is_as_much_again_and_then_it_asks_again(database: Database, settings: Settings) -> None:
    talker = Talker(calls=9)
    async with studio_of(database, settings, talker.graph) as studio:
        accepted = await studio.submit("hi", options=with_budget("model_calls=3"))
        first = question_in(await studio.events(accepted.run_id))
        second = question_in(await answer(studio, accepted.thread_id, "more"))
        assert (len(talker.model.calls), second.value["allowed"]) == (6, 6)
        assert first.interrupt_id != second.interrupt_id
        [spent] = await studio.engine.budgets.report(await job_of(studio, accepted.run_id))  # pyright: ignore[reportOptionalMemberAccess]
        assert (spent.spent, spent.allowed) == (6, 6)


async def test_more_of_nothing_is_one_call(database: Database, settings: Settings) -> None:
    talker = Talker(calls=9)
    async with studio_of(database, settings, talker.graph) as studio:
        accepted = await studio.submit("hi", options=with_budget("model_calls=0"))
        question_in(await studio.events(accepted.run_id))
        assert talker.model.calls == []
        question_in(await answer(studio, accepted.thread_id, "more"))
        assert len(talker.model.calls) == 1


async def job_of(studio: Studio, run_id: str) -> Any:
    return await studio.records.job(run_id)


async def test_cheaper_goes_on_with_the_model_that_is_named(database: Database, settings: Settings) -> None:
    talker = Talker(calls=4)
    async with studio_of(database, settings, talker.graph) as studio:
        accepted = await studio.submit("hi", options=with_budget("model_calls=3"))
        await studio.events(accepted.run_id)
        reply = {"choice": "cheaper", "model": "vllm:small"}
        went_on = await studio.gate.submit(RunRequest(thread_id=accepted.thread_id, resume=reply))
        await studio.events(went_on.run_id)
        assert (await job_of(studio, went_on.run_id)).options.model == "vllm:small"


async def test_stop_ends_with_what_there_is(database: Database, settings: Settings) -> None:
    @tool
    def price() -> str:
        """Tell the price."""
        return "12 euros"

    from langgraph.prebuilt import ToolNode

    model = ScriptedChatModel(script=lambda call: ToolCall("price", {}, call_id=f"c{len(call.messages)}"))

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def graph() -> Any:
        builder = StateGraph(MessagesState)
        builder.add_node("ask", ask)
        builder.add_node("tools", ToolNode([price]))
        builder.add_edge(START, "ask")
        builder.add_edge("ask", "tools")
        builder.add_edge("tools", "ask")
        return builder.compile()

    async with studio_of(database, settings, graph) as studio:
        accepted = await studio.submit("多少钱？", options=with_budget("tool_calls=1"))
        asked = question_in(await studio.events(accepted.run_id))
        assert asked.value["limit"] == "tool_calls"
        events = await answer(studio, accepted.thread_id, "stop")
        [message] = [e for e in events if isinstance(e, MessageCompleted)]
        assert "12 euros" in message.text
        assert message.text.startswith("预算已用完")
        assert isinstance(events[-1], RunCompleted)
        transcript = await studio.records.messages(accepted.thread_id, limit=9)
        assert transcript[-1].text == message.text
        again = await studio.submit(
            "and now?", thread_id=accepted.thread_id, options=with_budget("model_calls=0 then=fail")
        )
        assert isinstance((await studio.events(again.run_id))[-1], RunFailed)


async def test_where_nobody_is_to_be_asked_the_run_fails_with_its_type(
    database: Database, settings: Settings
) -> None:
    talker = Talker()
    async with studio_of(database, settings, talker.graph) as studio:
        accepted = await studio.submit("hi", options=with_budget("tokens=15 then=fail"))
        last = (await studio.events(accepted.run_id))[-1]
    assert isinstance(last, RunFailed)
    assert last.error["code"] == BudgetExceeded.code
    assert last.error["fields"] == {"scope": "run", "limit": "tokens", "allowed": 15, "spent": 20}


async def test_fifty_runs_of_a_tenant_pass_a_limit_by_one_call_at_most(
    both: Database, settings: Settings
) -> None:
    """Each call reserves what it may take at most; without that every one of the runs would be let through."""
    talker = Talker(calls=3, delay_s=0.001)
    settings = settings.replace(runs__concurrency=50)
    limit = 200
    defaults = Defaults(tenant=Budget.parse(f"tokens={limit} then=fail"))
    async with studio_of(both, settings, talker.graph, defaults=defaults) as studio:
        accepted = [await studio.submit("hi") for _ in range(50)]
        ends = [(await studio.events(a.run_id))[-1] for a in accepted]
    spent = sum(TOKENS for _ in talker.model.calls)
    assert limit <= spent <= limit + TOKENS
    assert any(isinstance(end, RunFailed) for end in ends)
    row = both.read_sync(lambda c: c.execute(sa.select(budget_meters)).one())
    assert (row.tokens, row.held_tokens, row.scope) == (spent, 0, "tenant")
    assert talker.most_at_once > 1
    assert (
        both.read_sync(lambda c: c.execute(sa.select(sa.func.count()).select_from(budget_holds)).scalar())
        == 0
    )


async def test_money_is_counted_by_the_price_list(database: Database, settings: Settings) -> None:
    talker = Talker(calls=5)
    prices = Prices({"scripted": (1_000_000 / 100, 1_000_000 / 100)})  # a cent a token
    async with studio_of(database, settings, talker.graph, prices=prices) as studio:
        accepted = await studio.submit("hi", options=with_budget("cost=0.25"))
        events = await studio.events(accepted.run_id)
        assert question_in(events).value["spent"] == pytest.approx(0.3)
    assert [e.cost_usd for e in events if isinstance(e, Usage)] == pytest.approx([0.1] * 3)


async def test_models_of_ones_own_cost_nothing(database: Database, settings: Settings) -> None:
    talker = Talker(calls=3)
    async with studio_of(database, settings, talker.graph, prices=Prices({"scripted": (0, 0)})) as studio:
        events = await studio.events((await studio.submit("hi", options=with_budget("cost=0.000001"))).run_id)
    assert isinstance(events[-1], RunCompleted)


async def test_time_at_work_is_counted(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guard, "_worked", lambda _guard: 3.0)
    talker = Talker(calls=5)
    async with studio_of(database, settings, talker.graph) as studio:
        accepted = await studio.submit("hi", options=with_budget("time=5.5"))
        asked = question_in(await studio.events(accepted.run_id))
        assert (asked.value["limit"], len(talker.model.calls)) == ("time", 1)
        assert "of 5.5 seconds" in asked.value["question"]


async def test_parallel_work_that_one_limit_stops_asks_one_question(
    database: Database, settings: Settings
) -> None:
    model = ScriptedChatModel(script=lambda call: "done")

    async def branch(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke([HumanMessage("go")])]}

    def graph() -> Any:
        builder = StateGraph(MessagesState)
        builder.add_node("branch", branch)
        builder.add_conditional_edges(
            START, lambda state: [Send("branch", state) for _ in range(4)], ["branch"]
        )
        return builder.compile()

    async with studio_of(database, settings, graph) as studio:
        accepted = await studio.submit("hi", options=with_budget("model_calls=2"))
        question_in(await studio.events(accepted.run_id))
        assert len(model.calls) == 2
        assert isinstance((await answer(studio, accepted.thread_id, "more"))[-1], RunCompleted)
        assert len(model.calls) == 4


async def test_a_question_of_the_graphs_own_gets_its_own_answer(
    database: Database, settings: Settings
) -> None:
    """The budget's answer takes no place among the answers that LangGraph hands out by order."""
    model = ScriptedChatModel(script=lambda call: "done")

    async def first(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke([HumanMessage("go")])]}

    async def second(state: MessagesState) -> dict[str, Any]:
        await model.ainvoke([HumanMessage("go on")])
        await model.ainvoke([HumanMessage("and on")])
        return {"messages": [AIMessage(f"you said {interrupt({'question': 'really?'})}")]}

    async with studio_of(database, settings, graph_of(first, second)) as studio:
        accepted = await studio.submit("hi", options=with_budget("model_calls=2"))
        assert question_in(await studio.events(accepted.run_id)).value["limit"] == "model_calls"
        asked = question_in(await answer(studio, accepted.thread_id, "more"))
        assert asked.value == {"question": "really?"}
        events = await answer(studio, accepted.thread_id, "yes", options=RunOptions(budget=None))
        replies = [e.text for e in events if isinstance(e, MessageCompleted)]
    assert "you said yes" in replies


async def test_a_plain_function_on_another_thread_is_stopped_too(
    database: Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    model = ScriptedChatModel(script=lambda call: "done")

    def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke([HumanMessage("go")]), model.invoke([HumanMessage("again")])]}

    from motet import telemetry

    with caplog.at_level(logging.WARNING, logger="langchain_core"):
        telemetry.setup_logging("warning")
        async with studio_of(database, settings, graph_of(node)) as studio:
            accepted = await studio.submit("hi", options=with_budget("model_calls=1"))
            assert question_in(await studio.events(accepted.run_id)).value["limit"] == "model_calls"
    assert len(model.calls) == 1
    assert caplog.messages == []


async def test_only_who_answers_for_the_tenant_allows_more_there(
    database: Database, settings: Settings
) -> None:
    talker = Talker()
    defaults = Defaults(user=Budget.parse("model_calls=2"))
    user = Caller(owner_id="ann", scopes=frozenset({"runs:write", "tools:*"}))
    async with studio_of(database, settings, talker.graph, defaults=defaults) as studio:
        accepted = await studio.submit("hi", caller=user)
        assert question_in(await studio.events(accepted.run_id)).value["scope"] == "user"
        with pytest.raises(PermissionRefused, match="budgets:raise"):
            await answer(studio, accepted.thread_id, "more", caller=user)
        other = await studio.submit("hi", caller=Caller(owner_id="bob"))
        question_in(await studio.events(other.run_id))  # bob's own two calls
        assert len(talker.model.calls) == 4
        allowed = Caller(owner_id="ann", scopes=user.scopes | {"budgets:raise"})
        question_in(await answer(studio, accepted.thread_id, "more", caller=allowed))
        assert len(talker.model.calls) == 6


async def test_an_answer_that_is_none_of_the_choices_is_refused_and_the_run_still_waits(
    database: Database, settings: Settings
) -> None:
    talker = Talker()
    async with studio_of(database, settings, talker.graph) as studio:
        accepted = await studio.submit("hi", options=with_budget("model_calls=1"))
        question_in(await studio.events(accepted.run_id))
        with pytest.raises(InvalidInput, match="still waits"):
            await answer(studio, accepted.thread_id, "perhaps")
        question_in(await answer(studio, accepted.thread_id, "more"))


def call_of(hold_id: str, tokens: int, limit: Limit, *, run_id: str = "r", fence: int = 1) -> meters.Call:
    return meters.Call(hold_id, "model", meters.Amount(tokens), TENANT, run_id, fence, "t", [limit])


@pytest.fixture
async def thread(both: Database, settings: Settings) -> None:
    async with open_studio(both, settings, {"graph": Talker().graph}) as studio:
        await studio.submit("hi", thread_id="t", create_thread=True)


async def test_a_call_waits_while_others_hold_what_is_left(both: Database, thread: None) -> None:
    limit = Limit("tenant", TENANT, Budget(max_tokens=100))
    assert await both.write(lambda c: meters.take(c, call_of("a", 60, limit), 0)) is None
    assert await both.write(lambda c: meters.take(c, call_of("b", 60, limit), 0)) == meters.WAIT
    await both.write(lambda c: meters.settle(c, TENANT, "a", meters.Amount(50)))
    assert await both.write(lambda c: meters.take(c, call_of("b", 60, limit), 0)) is None  # alone
    await both.write(lambda c: meters.settle(c, TENANT, "b", meters.Amount(55)))
    crossed = await both.write(lambda c: meters.take(c, call_of("c", 1, limit), 0))
    assert isinstance(crossed, meters.Crossed)
    assert (crossed.spent, crossed.limit) == (105, 100)


async def test_what_a_crash_left_is_settled_at_what_it_reserved(both: Database, thread: None) -> None:
    limit = Limit("tenant", TENANT, Budget(max_tokens=100))
    await both.write(lambda c: meters.take(c, call_of("a", 60, limit), 0))
    assert await both.write(lambda c: meters.settle_left(c, TENANT, run_id="r", fence=1)) == 0
    assert await both.write(lambda c: meters.settle_left(c, TENANT, run_id="r", fence=2)) == 1
    await both.write(lambda c: meters.take(c, call_of("b", 10, limit, run_id="gone"), 0))
    assert await both.write(lambda c: meters.settle_left(c, TENANT)) == 1
    await both.write(lambda c: meters.settle(c, TENANT, "b", meters.Amount(10)))  # too late: it is settled
    row = both.read_sync(lambda c: c.execute(sa.select(budget_meters)).one())
    assert (row.tokens, row.held_tokens) == (70, 0)


async def test_a_days_meter_begins_anew(
    both: Database, thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = Limit("user", "me", Budget(max_model_calls=1))
    assert await both.write(lambda c: meters.take(c, call_of("a", 1, limit), 0)) is None
    assert isinstance(await both.write(lambda c: meters.take(c, call_of("b", 1, limit), 0)), meters.Crossed)
    now = await both.read(meters.today)
    monkeypatch.setattr(meters, "today", lambda _connection: now + 1)
    assert await both.write(lambda c: meters.take(c, call_of("c", 1, limit), 0)) is None


def test_settings_that_are_no_budget_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'tokens'"):
        Defaults.of(BudgetSettings(tenant_day="token=5"))
    assert Defaults.of(BudgetSettings(run="cost=1")).run == Budget(max_cost_usd=1)


def test_a_runs_own_budget_and_the_settings_both_count() -> None:
    from motet.runs.budgets.limits import limits_of
    from motet.runs.request import RunJob

    job = RunJob(
        tenant_id="t",
        owner_id="o",
        run_id="r",
        thread_id="th",
        graph="g",
        input={},
        options=with_budget("tokens=50 tool_calls=1 then=fail"),
    )
    [limit] = limits_of(job, Defaults(run=Budget.parse("tokens=20 cost=1")))
    assert limit.budget == Budget.parse("tokens=20 cost=1 tool_calls=1 then=fail")
    assert limits_of(job.model_copy(update={"budget_of": "first"}), Defaults())[0].scope_id == "first"


def test_what_there_is_comes_from_steps_before_tools() -> None:
    tool_result = ToolCompleted(tool_call_id="1", name="now", content="noon")
    step = StepCompleted(step_id=1, status="done", result="It is noon.")
    assert "now: noon" in summary([tool_result], chinese=False)
    assert "now: noon" not in summary([tool_result, step], chinese=False)
    assert summary([], chinese=False).endswith("Nothing was found until then.")
