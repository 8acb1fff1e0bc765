"""Answers to interrupts: which fit, who may give them, and what a restart, a crash and time do to a question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel
from studio import Studio, graph_of, open_studio

from motet.errors import Conflict, InterruptExpired, InvalidInput, NotFound, PermissionRefused
from motet.events import InterruptRequested, MessageCompleted
from motet.memory.checkpoints import MotetSaver
from motet.runs.answers import check_answers, expire, rules_for_settings
from motet.runs.request import Accepted, Caller, RunOptions, RunRequest
from motet.runs.submit import Gate
from motet.runs.worker import Worker
from motet.settings import RunSettings, Settings, StorageSettings
from motet.storage.engine import Database
from motet.storage.schema import prepare
from motet.storage.seal import Seal
from motet.storage.tables import runs
from motet.tools.policy.approval import question
from motet.tools.policy.approval import schema as approval_schema


class Decision(BaseModel):
    """What a person may answer."""

    approve: bool
    reason: Literal["cheap", "便宜", "other"] = "other"


async def typed(state: MessagesState) -> dict[str, Any]:
    answer = interrupt({"question": "buy it?"}, response_schema=Decision)
    return {"messages": [AIMessage(f"approved {answer.approve}, {answer.reason}", id="m1")]}


async def in_value(state: MessagesState) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1}
    answer = interrupt({"question": "how many?", "response_schema": schema})
    return {"messages": [AIMessage(f"{answer} of them", id="m1")]}


async def twice(state: MessagesState) -> dict[str, Any]:
    first = interrupt("first?")
    second = interrupt("second?")
    return {"messages": [AIMessage(f"{first} and {second}", id="m1")]}


def both() -> Any:
    """Two nodes that ask at once."""

    async def left(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"left {interrupt('left?')}", id="left")]}

    async def right(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"right {interrupt('right?')}", id="right")]}

    builder = StateGraph(MessagesState)
    for node in (left, right):
        builder.add_node(node)
        builder.add_edge(START, node.__name__)
    return builder.compile()


GRAPHS: dict[str, Any] = {
    "typed": graph_of(typed),
    "in_value": graph_of(in_value),
    "twice": graph_of(twice),
    "both": both,
}


@pytest.fixture(params=["sqlite", "postgres"])
async def asking(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Studio]:
    """A studio with graphs that ask, a worker, and Motet's own saver."""
    storage = settings.storage
    if request.param == "postgres":
        storage = StorageSettings(home=storage.home, database_url=request.getfixturevalue("postgres_url"))
    database = Database(storage)
    prepare(database, storage)
    try:
        async with open_studio(database, settings, GRAPHS) as studio:
            studio.saver = MotetSaver(database, Seal([b"0123456789abcdef"]))
            await studio.work()
            yield studio
    finally:
        await asyncio.to_thread(database.close)


async def asked(studio: Studio, graph: str) -> tuple[Accepted, list[InterruptRequested]]:
    accepted = await studio.submit("hi", graph=graph)
    events = await studio.events(accepted.run_id)
    assert events[-1].type == "run.interrupted"
    return accepted, [event for event in events if isinstance(event, InterruptRequested)]


async def answer(studio: Studio, accepted: Accepted, **given: Any) -> list[Any]:
    done = await studio.gate.submit(RunRequest(thread_id=accepted.thread_id, **given))
    return await studio.events(done.run_id)


def told(events: list[Any]) -> list[str]:
    return [e.text for e in events if isinstance(e, MessageCompleted) and e.role == "assistant"]


# What fits


async def test_a_question_carries_the_schema_of_its_answer_and_its_graph_is_the_answers_too(
    asking: Studio,
) -> None:
    accepted, [question] = await asked(asking, "typed")
    assert question.response_schema is not None
    assert question.response_schema["properties"].keys() == {"approve", "reason"}
    # The default graph of the gate is another one.
    asking.gate = gate_of(asking, default_graph="both")
    events = await answer(asking, accepted, resume={"approve": True, "reason": "便宜"})
    assert told(events) == ["approved True, 便宜"]
    assert events[-1].type == "run.completed"


@pytest.mark.parametrize(
    ("graph", "wrong", "words"),
    [
        ("typed", {"approve": "perhaps"}, "approve: 'perhaps' is not of type 'boolean'"),
        ("typed", {"approve": True, "reason": "x"}, "reason: 'x' is not one of"),
        ("typed", "yes", "'yes' is not of type 'object'"),
        ("in_value", 0, "0 is less than the minimum of 1"),
        ("in_value", "三", "'三' is not of type 'integer'"),
    ],
)
async def test_a_wrong_answer_is_refused_in_one_line_and_the_run_still_waits(
    asking: Studio, graph: str, wrong: Any, words: str
) -> None:
    accepted, [question] = await asked(asking, graph)
    with pytest.raises(InvalidInput) as refused:
        await answer(asking, accepted, answers={question.interrupt_id: wrong})
    assert words in refused.value.message
    assert "\n" not in refused.value.message
    run = await asking.records.run(accepted.run_id)
    assert run.status == "interrupted"
    assert [q.interrupt_id for q in await asking.records.questions(run)] == [question.interrupt_id]
    assert len(await asking.records.runs()) == 1
    right = {"approve": False} if graph == "typed" else 3
    assert told(await answer(asking, accepted, resume=right)) in (["approved False, other"], ["3 of them"])
    assert await asking.records.questions(await asking.records.run(accepted.run_id)) == []


async def test_questions_at_once_are_answered_by_id_one_after_the_other_or_together(asking: Studio) -> None:
    accepted, questions = await asked(asking, "both")
    ids = {q.value: q.interrupt_id for q in questions}
    assert ids.keys() == {"left?", "right?"}
    with pytest.raises(InvalidInput, match="asks 2 things at once"):
        await answer(asking, accepted, resume="yes")
    events = await answer(asking, accepted, answers={ids["right?"]: "R"})
    [left] = [e for e in events if isinstance(e, InterruptRequested)]
    assert left.interrupt_id == ids["left?"]
    assert events[-1].type == "run.interrupted"
    events = await answer(asking, accepted, answers={left.interrupt_id: "L"})
    assert events[-1].type == "run.completed"
    texts = [m.text for m in await asking.records.messages(accepted.thread_id)]
    assert sorted(texts) == ["hi", "left L", "right R"]

    accepted, questions = await asked(asking, "both")
    events = await answer(asking, accepted, answers={q.interrupt_id: "X" for q in questions})
    assert sorted(told(events)) == ["left X", "right X"]


async def test_an_id_that_is_not_open_is_refused_with_those_that_are(asking: Studio) -> None:
    accepted, [question] = await asked(asking, "typed")
    with pytest.raises(NotFound, match=question.interrupt_id):
        await answer(asking, accepted, answers={"0" * 32: 1})
    with pytest.raises(InvalidInput, match="No answer was given"):
        await answer(asking, accepted, answers={})


async def test_one_answer_answers_one_question_also_after_a_crash(asking: Studio) -> None:
    """The worker dies after the first answer made the second question, before it could tell."""
    accepted, [first] = await asked(asking, "twice")
    for worker in asking.workers:
        await worker.aclose()
    resumed = await asking.gate.submit(RunRequest(thread_id=accepted.thread_id, resume="one"))
    graph = await asking.graph("twice")
    from langgraph.types import Command

    config: Any = {"configurable": {"thread_id": accepted.thread_id}, "metadata": {"run_id": resumed.run_id}}
    await graph.ainvoke(Command(resume={first.interrupt_id: "one"}), config)
    await asking.work()
    events = await asking.events(resumed.run_id)
    [second] = [e for e in events if isinstance(e, InterruptRequested)]
    assert second.value == "second?"
    assert second.interrupt_id != first.interrupt_id
    assert told(await answer(asking, accepted, resume="two")) == ["one and two"]


# A thread that waits for nothing


async def test_an_answer_to_nothing_is_refused(asking: Studio) -> None:
    with pytest.raises(NotFound, match="no thread 'nowhere'"):
        await asking.gate.submit(RunRequest(thread_id="nowhere", resume=1))
    accepted, [question] = await asked(asking, "typed")
    await answer(asking, accepted, resume={"approve": True})
    with pytest.raises(Conflict, match=r"waits for no answer: its newest run, .* ended with 'success'"):
        await answer(asking, accepted, answers={question.interrupt_id: {"approve": True}})


async def test_a_second_answer_while_the_first_is_at_work_is_refused(asking: Studio) -> None:
    accepted, [question] = await asked(asking, "typed")
    for worker in asking.workers:
        await worker.aclose()
    given = {question.interrupt_id: {"approve": True}}
    both_at_once = [
        asking.gate.submit(RunRequest(thread_id=accepted.thread_id, answers=given)) for _ in range(2)
    ]
    outcomes = await asyncio.gather(*both_at_once, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Accepted", "Conflict"]


async def test_the_same_answer_with_the_same_key_is_the_same_run(asking: Studio) -> None:
    accepted, [question] = await asked(asking, "typed")
    request = RunRequest(
        thread_id=accepted.thread_id, answers={question.interrupt_id: {"approve": True}}, idempotency_key="k"
    )
    first = await asking.gate.submit(request)
    assert (await asking.events(first.run_id))[-1].type == "run.completed"
    again = await asking.gate.submit(request)
    assert (again.run_id, again.created) == (first.run_id, False)


async def test_a_question_survives_a_restart(settings: Settings) -> None:
    database = Database(settings.storage)
    prepare(database, settings.storage)
    async with open_studio(database, settings, GRAPHS) as studio:
        studio.saver = MotetSaver(database, Seal([b"0123456789abcdef"]))
        await studio.work()
        accepted, _ = await asked(studio, "in_value")
    await asyncio.to_thread(database.close)
    database = Database(settings.storage)
    async with open_studio(database, settings, GRAPHS) as studio:
        studio.saver = MotetSaver(database, Seal([b"0123456789abcdef"]))
        await studio.work()
        assert (await studio.records.thread(accepted.thread_id)).status == "interrupted"
        assert told(await answer(studio, accepted, resume=12)) == ["12 of them"]
    await asyncio.to_thread(database.close)


# Who may


def gate_of(studio: Studio, **more: Any) -> Gate:
    given: dict[str, Any] = {
        "graphs": studio.graphs,
        "default_graph": "typed",
        "on_accepted": lambda job: [worker.wake(job.thread_id) for worker in studio.workers],
    }
    return Gate(studio.database, **(given | more))


async def test_what_a_caller_may_do_is_looked_at_again_when_the_answer_comes(asking: Studio) -> None:
    accepted = await asking.submit("hi", graph="typed", options=RunOptions(tools=["calculator", "now"]))
    await asking.events(accepted.run_id)
    given: dict[str, Any] = {"thread_id": accepted.thread_id, "resume": {"approve": True}}
    with pytest.raises(PermissionRefused, match="runs:write"):
        await asking.gate.submit(RunRequest(caller=Caller(scopes=frozenset({"tools:*"})), **given))
    few = Caller(scopes=frozenset({"runs:write", "tools:calculator"}))
    with pytest.raises(PermissionRefused, match="the tool 'now': the scope tools:now is needed"):
        await asking.gate.submit(RunRequest(caller=few, **given))
    stranger = Caller(owner_id="somebody", scopes=frozenset({"runs:write", "tools:*"}))
    with pytest.raises(NotFound, match="There is no thread"):
        await asking.gate.submit(RunRequest(caller=stranger, **given))
    removed = gate_of(asking, graphs=["both"], default_graph="both")
    with pytest.raises(NotFound, match="Unknown graph 'typed'"):
        await removed.submit(RunRequest(**given))
    enough = Caller(scopes=frozenset({"runs:write", "tools:calculator", "tools:now"}))
    done = await asking.gate.submit(RunRequest(caller=enough, **given))
    assert (await asking.events(done.run_id))[-1].type == "run.completed"
    stored = asking.database.read_sync(
        lambda c: c.execute(sa.select(runs.c.job).where(runs.c.run_id == done.run_id)).scalar_one()
    )
    assert json.loads(stored)["options"]["tools"] == ["calculator", "now"]  # as the run that asked


def test_only_who_may_do_everything_puts_a_rule_into_the_settings_file() -> None:
    value = question(
        "t", "write", {"path": "a/b"}, reasons=[], origins=[], agent="", always={"settings": "t:path=a/*"}
    )
    asked = {"i": InterruptRequested(interrupt_id="i", value=value)}
    kept = {"i": {"always": "*", "where": "settings"}}
    assert rules_for_settings(Caller(), asked, kept) == ["t:path=a/*"]
    assert rules_for_settings(Caller(), asked, {"i": {"always": "t:*", "where": "settings"}}) == ["t:*"]
    other = Caller(scopes=frozenset({"admin", "permissions:write"}))
    assert rules_for_settings(other, asked, {"i": {"always": "t:*"}}) == []
    with pytest.raises(PermissionRefused, match="scope \\*"):
        rules_for_settings(other, asked, kept)
    with pytest.raises(InvalidInput, match=r"is not about this call of t\. This one is: t:path=a/\*"):
        rules_for_settings(Caller(), asked, {"i": {"always": "u:*"}})
    theirs = {"i": InterruptRequested(interrupt_id="i", value={"kind": "approval", "question": "?"})}
    assert rules_for_settings(Caller(), theirs, {"i": "whatever"}) == []


async def test_a_new_run_has_no_more_tools_than_its_caller(studio: Studio) -> None:
    caller = Caller(scopes=frozenset({"runs:write", "tools:calculator", "tools:unknown"}))
    accepted = await studio.submit("hi", caller=caller)
    stored = studio.database.read_sync(
        lambda c: c.execute(sa.select(runs.c.job).where(runs.c.run_id == accepted.run_id)).scalar_one()
    )
    assert json.loads(stored)["options"]["tools"] == ["calculator"]


# Time


async def wait_since(studio: Studio, seconds: float) -> None:
    earlier = sa.update(runs).values(ended_at=runs.c.ended_at - seconds)
    await studio.database.write(lambda c: c.execute(earlier))


async def test_a_question_that_nobody_answers_in_time_ends_its_run(asking: Studio) -> None:
    accepted, [question] = await asked(asking, "typed")
    asking.gate = gate_of(asking, interrupt_ttl_s=60)
    await wait_since(asking, 61)
    with pytest.raises(InterruptExpired, match=r"within 60 s .* has expired. Ask again."):
        await answer(asking, accepted, answers={question.interrupt_id: {"approve": True}})
    run = await asking.records.run(accepted.run_id)
    assert run.status == "error"
    assert run.error is not None
    assert run.error["code"] == "interrupt_expired"
    recorded = await asking.recorded(accepted.run_id)
    assert [r.event.type for r in recorded[-2:]] == ["run.interrupted", "run.failed"]
    assert [r.seq for r in recorded] == list(range(1, run.last_seq + 1))
    assert await asking.records.questions(run) == []
    with pytest.raises(InterruptExpired, match="Ask again"):
        await answer(asking, accepted, answers={question.interrupt_id: {"approve": True}})
    again = await asking.submit("again", thread_id=accepted.thread_id, graph="in_value")
    assert (await asking.events(again.run_id))[-1].type == "run.interrupted"


async def test_only_what_waits_expires_and_only_where_that_is_wanted(asking: Studio) -> None:
    answered, _ = await asked(asking, "typed")
    await answer(asking, answered, resume={"approve": True})
    waiting, _ = await asked(asking, "typed")
    await wait_since(asking, 1000)
    young, _ = await asked(asking, "typed")
    assert await asking.database.write(lambda c: expire(c, 0)) == 0
    assert await asking.database.write(lambda c: expire(c, 500)) == 1
    statuses = {run.run_id: run.status for run in await asking.records.runs()}
    assert statuses[answered.run_id] == "interrupted"
    assert statuses[waiting.run_id] == "error"
    assert statuses[young.run_id] == "interrupted"


async def test_a_worker_ends_what_has_expired_and_a_chore_that_fails_does_not_stop_it(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise ValueError("a surprise")

    async def sweep() -> None:
        await studio.database.write(lambda c: expire(c, 0.01))

    settings = replace(studio.settings.runs, heartbeat_s=0.05, lease_s=0.6)
    assert isinstance(settings, RunSettings)
    worker = Worker(studio.queue, studio.engine, settings, chores=[broken, sweep])
    studio.workers.append(worker)
    await worker.start()
    accepted = await studio.submit("hi", graph="ask")
    async with asyncio.timeout(10):
        while (await studio.records.run(accepted.run_id)).status != "error":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert "cannot do a chore" in caplog.text
    after = await studio.submit("hi")
    assert (await studio.events(after.run_id))[-1].type == "run.completed"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("ja", """'ja' is none of "yes", "no", "always", {"arguments": …}, {"no": …}, {"always": …}."""),
        ({"arguments": {"n": "x"}}, "arguments.n: 'x' is not of type 'integer'."),
    ],
)
def test_an_answer_that_is_none_of_several_is_told_which_are(answer: Any, said: str) -> None:
    arguments = {"properties": {"n": {"type": "integer"}}}
    event = InterruptRequested(
        interrupt_id="i", value="?", response_schema=approval_schema(arguments, is_tainted=False)
    )
    waits: Any = SimpleNamespace(questions={"i": event})
    with pytest.raises(InvalidInput) as refused:
        check_answers(RunRequest(resume=answer), waits)
    assert said in refused.value.message
