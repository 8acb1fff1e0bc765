import asyncio

import pytest
import sqlalchemy as sa
from studio import Studio, asks

from motet.errors import Conflict, InvalidInput, NotFound, PermissionRefused
from motet.events import MessageCompleted, RunAccepted
from motet.runs.request import Caller, RunOptions, RunRequest
from motet.runs.submit import MAX_INPUT_BYTES, Gate
from motet.storage.engine import Database
from motet.storage.tables import runs
from motet.tools.policy.rules import Permissions


async def test_an_accepted_run_is_on_disk_with_its_whole_input_before_anyone_works_on_it(
    studio: Studio,
) -> None:
    accepted = await studio.submit("你好 world")
    row = studio.database.read_sync(lambda c: c.execute(sa.select(runs.c.status, runs.c.job)).one())
    assert row.status == "pending"
    assert "你好 world" in row.job
    first, second = await studio.log.read("local", accepted.run_id)
    assert isinstance(first.event, RunAccepted)
    assert isinstance(second.event, MessageCompleted)
    assert (first.seq, second.seq, second.event.text) == (1, 2, "你好 world")


async def test_the_first_message_names_the_thread_and_enters_the_transcript(studio: Studio) -> None:
    accepted = await studio.submit("  What is\na motet?  ")
    thread = await studio.records.thread(accepted.thread_id)
    assert thread.title == "What is a motet?"
    assert [m.role for m in await studio.records.messages(accepted.thread_id)] == ["user"]


@pytest.mark.parametrize(
    "messages",
    [
        "just text",
        [("user", "tuple")],
        [{"type": "human", "content": "typed"}],
        [{"role": "user", "content": "dict"}],
    ],
)
async def test_messages_are_taken_in_every_form_that_langchain_knows(
    studio: Studio, messages: object
) -> None:
    accepted = await studio.gate.submit(RunRequest(input={"messages": messages}))
    assert len(await studio.records.messages(accepted.thread_id)) == 1


async def test_an_unknown_graph_is_refused_with_a_guess(studio: Studio) -> None:
    with pytest.raises(NotFound, match="Did you mean 'echo'"):
        await studio.submit("hi", graph="ecoh")


async def test_an_unknown_thread_model_or_tool_is_refused(studio: Studio) -> None:
    with pytest.raises(NotFound, match="no thread 'nope'"):
        await studio.submit("hi", thread_id="nope")
    with pytest.raises(InvalidInput, match="Did you mean 'openai'"):
        await studio.submit("hi", options=RunOptions(model="opnai:gpt"))
    with pytest.raises(NotFound, match="Did you mean 'calculator'"):
        await studio.submit("hi", options=RunOptions(tools=["calculater"]))
    for steps in (0, 1001):
        with pytest.raises(InvalidInput, match=f"max_steps is {steps}: a run may have 1 to 1000"):
            await studio.submit("hi", options=RunOptions(max_steps=steps))
    with pytest.raises(NotFound, match="no run 'gone'"):
        await studio.submit("hi", options=RunOptions(reuse_results_of="gone"))
    assert await studio.records.threads() == []


@pytest.mark.parametrize(
    "request_",
    [
        RunRequest(),
        RunRequest(input={"messages": []}),
        RunRequest(input={"messages": [{"rule": "user"}]}),
        RunRequest(input={"messages": [{"role": "user", "content": "x" * MAX_INPUT_BYTES}]}),
        RunRequest(input={"messages": "hi"}, resume="yes"),
    ],
)
async def test_input_of_a_wrong_shape_is_refused(studio: Studio, request_: RunRequest) -> None:
    with pytest.raises(InvalidInput):
        await studio.gate.submit(request_)


async def test_a_lone_surrogate_becomes_a_replacement_character(studio: Studio) -> None:
    accepted = await studio.submit("a\ud800b")
    [message] = await studio.records.messages(accepted.thread_id)
    assert message.text.startswith("a")
    assert "\ufffd" in message.text


async def test_dictionaries_that_look_like_constructors_stay_data(studio: Studio) -> None:
    trap = {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}
    accepted = await studio.gate.submit(RunRequest(input={"messages": "hi", "trap": trap}))
    first, *_ = await studio.log.read("local", accepted.run_id)
    assert isinstance(first.event, RunAccepted)
    assert first.event.input["trap"] == trap


async def test_a_caller_without_the_scope_is_refused(studio: Studio) -> None:
    with pytest.raises(PermissionRefused):
        await studio.submit("hi", caller=Caller(scopes=frozenset({"threads:read"})))


async def test_one_idempotency_key_is_one_run(studio: Studio) -> None:
    again = [studio.submit("hi", thread_id="t", create_thread=True, idempotency_key="k") for _ in range(20)]
    accepted = await asyncio.gather(*again)
    assert len({a.run_id for a in accepted}) == 1
    assert sum(a.created for a in accepted) == 1
    with pytest.raises(Conflict, match="another request"):
        await studio.submit("bye", thread_id="t", create_thread=True, idempotency_key="k")


async def test_a_busy_thread_follows_the_multitask_strategy(studio: Studio) -> None:
    first = await studio.submit("one")
    second = await studio.submit("two", thread_id=first.thread_id)
    with pytest.raises(Conflict, match="is busy"):
        await studio.submit("three", thread_id=first.thread_id, multitask="reject")
    third = await studio.submit("four", thread_id=first.thread_id, multitask="interrupt")
    await studio.work()
    ends = [(await studio.events(a.run_id))[-1].type for a in (first, second, third)]
    assert ends == ["run.cancelled", "run.cancelled", "run.completed"]


async def test_tenants_do_not_see_each_others_threads(studio: Studio) -> None:
    accepted = await studio.submit("mine")
    with pytest.raises(NotFound):
        await studio.gate.submit(
            asks("theirs", thread_id=accepted.thread_id, caller=Caller(tenant_id="other"))
        )


async def test_a_run_and_a_scope_name_the_users_own_tools(database: Database) -> None:
    gate = Gate(
        database, graphs=["chat"], default_graph="chat", on_accepted=lambda _job: None, own_tools=["pay"]
    )
    asked = RunRequest(input={"messages": [{"role": "user", "content": "x"}]})
    scoped = asked.model_copy(
        update={"caller": Caller(scopes=frozenset({"runs:write", "tools:pay", "tools:no"}))}
    )
    assert gate.grant(scoped).options.tools == ["pay"]
    named = asked.model_copy(update={"options": RunOptions(tools=["pay"])})
    assert gate.grant(named).options.tools == ["pay"]
    with pytest.raises(NotFound, match=r"Unknown tool 'payy'. Did you mean 'pay'"):
        gate.grant(asked.model_copy(update={"options": RunOptions(tools=["payy"])}))


async def test_a_caller_may_narrow_what_tools_do_and_not_widen_it(database: Database) -> None:
    few = Caller(scopes=frozenset({"runs:write", "tools:*"}))
    gate = Gate(database, graphs=["chat"], default_graph="chat", on_accepted=lambda _job: None)

    def asked(caller: Caller, **rules: list[str]) -> RunRequest:
        options = RunOptions(permissions=Permissions(**rules), untrusted=True)
        return RunRequest(
            caller=caller, input={"messages": [{"role": "user", "content": "x"}]}, options=options
        )

    assert (await gate.submit(asked(few, deny=["shell"], ask=["@egress"]))).created
    for name in ("allow", "allow_tainted", "trusted"):
        with pytest.raises(PermissionRefused, match=f"permissions.{name}"):
            await gate.submit(asked(few, **{name: ["shell"]}))
        more = Caller(scopes=few.scopes | {"permissions:write"})
        assert (await gate.submit(asked(more, **{name: ["shell"]}))).created
        assert gate.grant(asked(more, **{name: ["shell"]})).options.permissions == Permissions(
            **{name: ["shell"]}
        )
