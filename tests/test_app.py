"""The app as a whole, with the scripted model: what the command line and other people's code rely on."""

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from motet import Caller, RunRequest, Settings, build_app
from motet.agents.unanswered import NOTHING
from motet.app import App
from motet.errors import Conflict, NotFound
from motet.events import MessageCompleted, RunFailed
from motet.storage.clock import db_now
from motet.storage.tables import schedules

SCRIPT = {
    "rules": [
        {"schema": "Route", "reply": {"json": {"route": "direct", "personal": False}}},
        {
            "user": "(?i)slow",
            "reply": {"text": "Slowly, very slowly, the answer comes.", "piece_delay_s": 0.2},
        },
        {"user": "(?i)name", "reply": "Your name is Ada."},
    ],
    "default": "Hello.",
}


@pytest.fixture
def scripted_settings(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(SCRIPT), "utf-8")
    return settings.replace(models__default=f"scripted:{path}", models__embed="none")


def asks(text: str, thread_id: str | None = None, **more: object) -> RunRequest:
    return RunRequest.model_validate(
        {"input": {"messages": [{"role": "user", "content": text}]}, "thread_id": thread_id, **more}
    )


async def answer(app: App, request: RunRequest) -> tuple[str, str]:
    """Run a request to its end; return the answer and the thread."""
    thread_id = ""
    text = ""
    async for recorded in app.stream(request):
        thread_id = recorded.thread_id
        if isinstance(recorded.event, MessageCompleted) and recorded.event.role == "assistant":
            text = recorded.event.text
        if isinstance(recorded.event, RunFailed):
            pytest.fail(str(recorded.event.error))
    return text, thread_id


async def test_a_conversation_is_there_after_a_restart(scripted_settings: Settings) -> None:
    async with build_app(scripted_settings) as app:
        _, thread_id = await answer(app, asks("I am Ada"))
    async with build_app(scripted_settings) as app:
        last = await app.records.last_thread()
        assert last is not None
        assert last.thread_id == thread_id
        text, _ = await answer(app, asks("What is my name?", thread_id))
        assert text == "Your name is Ada."
        assert [m.text for m in await app.records.messages(thread_id)] == [
            "I am Ada",
            "Hello.",
            "What is my name?",
            "Your name is Ada.",
        ]
        state = await (await app.graph("ensemble")).aget_state({"configurable": {"thread_id": thread_id}})
        assert len(state.values["messages"]) == 4


async def test_a_run_that_names_collections_looks_them_up_whatever_the_router_says(
    settings: Settings, tmp_path: Path
) -> None:
    look = {"steps": [{"agent": "retriever", "task": "Look it up.", "depends_on": []}]}
    rules = [*SCRIPT["rules"][:1], {"schema": "Plan", "reply": {"json": look}}]
    rules += [
        {"schema": "Facts", "reply": {"json": {"facts": []}}},
        {"schema": "Queries", "reply": {"json": {"en": "", "zh": ""}}},
        {"schema": "Review", "reply": {"json": {"enough": True, "missing": ""}}},
    ]
    script, document = tmp_path / "script.json", tmp_path / "fares.md"
    script.write_text(json.dumps({"rules": rules, "default": "Hello."}), "utf-8")
    document.write_text("# Fares\n\nA ticket costs 12 euros.\n", "utf-8")
    chosen = settings.replace(
        models__default=f"scripted:{script}", models__embed="none", agents__graph="ensemble"
    )
    named = {"collections": ["fares"]}
    async with build_app(chosen) as app:
        await app.knowledge.add([document], collection="fares")
        assert (await answer(app, asks("How is bread baked?", options=named)))[0] == NOTHING["en"]
        assert (await answer(app, asks("Good morning!", options=named)))[0] == "Hello."
        assert (await answer(app, asks("How is bread baked?")))[0] == "Hello."


async def test_two_apps_with_different_settings_live_in_one_process(
    scripted_settings: Settings, tmp_path: Path
) -> None:
    other = scripted_settings.replace(
        storage__home=tmp_path / "other", storage__database_url=f"sqlite:///{tmp_path / 'other' / 'm.db'}"
    )
    async with build_app(scripted_settings) as one, build_app(other) as two:
        await answer(one, asks("hi"))
        assert len(await one.records.threads()) == 1
        assert await two.records.threads() == []


async def test_both_graphs_share_a_thread(scripted_settings: Settings) -> None:
    async with build_app(scripted_settings) as app:
        _, thread_id = await answer(app, asks("one", graph="ensemble"))
        await answer(app, asks("two", thread_id, graph="chat"))
        await answer(app, asks("three", thread_id, graph="ensemble"))
        assert len(await app.records.messages(thread_id)) == 6


async def test_a_graph_of_the_users_own_runs_by_name(
    scripted_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_graphs.py").write_text(
        "from langgraph.graph import END, START, MessagesState, StateGraph\n"
        "def shout():\n"
        "    b = StateGraph(MessagesState)\n"
        "    b.add_node('shout', lambda s: {'messages': [('ai', s['messages'][-1].text.upper())]})\n"
        "    b.add_edge(START, 'shout'); b.add_edge('shout', END)\n"
        "    return b\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    own = dataclasses.replace(
        scripted_settings, graphs={"shout": "my_graphs:shout", "lost": "my_graphs:nowhere"}
    )
    async with build_app(own) as app:
        assert "shout" in app.graph_names()
        text, _ = await answer(app, asks("hi there", graph="shout"))
        assert text == "HI THERE"
        last = [r async for r in app.stream(asks("hi", graph="lost"))][-1].event
        assert isinstance(last, RunFailed)
        assert "my_graphs:nowhere" in last.error["message"]


async def test_a_thread_is_deleted_with_everything_but_not_while_it_is_busy(
    scripted_settings: Settings,
) -> None:
    async with build_app(scripted_settings) as app:
        await app.start_worker()
        accepted = await app.submit(asks("slow"))
        with pytest.raises(Conflict, match="has not ended"):
            await app.delete_thread(accepted.thread_id)
        await app.cancel(accepted.run_id)
        assert [r async for r in app.follow(accepted.run_id)][-1].event.type == "run.cancelled"
        await app.delete_thread(accepted.thread_id)
        assert await app.records.threads() == []
        assert await app.records.search("slow") == []
        with pytest.raises(NotFound):
            await app.delete_thread(accepted.thread_id)


async def test_an_unreachable_model_ends_the_run_with_a_typed_error(settings: Settings) -> None:
    nowhere = settings.replace(models__default="other:name@http://127.0.0.1:9/v1", models__max_retries=0)
    async with build_app(nowhere) as app:
        last = [r async for r in app.stream(asks("hi"))][-1].event
        assert isinstance(last, RunFailed)
        assert last.error["code"] == "model_unavailable"
        assert "127.0.0.1" in last.error["message"]


async def test_a_closed_app_gives_unfinished_runs_back(scripted_settings: Settings) -> None:
    async with build_app(scripted_settings) as app:
        await app.start_worker()
        accepted = await app.submit(asks("slow"))
        async for recorded in app.follow(accepted.run_id):
            if recorded.event.type == "message.delta":
                break
    async with build_app(scripted_settings) as app:
        assert (await app.records.run(accepted.run_id)).status == "pending"
        await app.start_worker()
        assert await app.resume_thread(accepted.thread_id) == [accepted.run_id]
        assert [r async for r in app.follow(accepted.run_id)][-1].event.type == "run.completed"


CHILD = """
import asyncio, sys
from motet import RunRequest, Settings, build_app

async def main():
    async with build_app(Settings.load()) as app:
        request = RunRequest(input={"messages": [{"role": "user", "content": "slow"}]})
        async for recorded in app.stream(request):
            print(recorded.event.type, recorded.run_id, recorded.thread_id, flush=True)

asyncio.run(main())
"""


async def test_a_run_that_was_killed_in_the_middle_is_finished_before_the_next_one(
    scripted_settings: Settings,
) -> None:
    environment = os.environ | {
        "MOTET_HOME": str(scripted_settings.storage.home),
        "MOTET_MODEL": scripted_settings.models.default,
        "MOTET_MODEL_EMBED": "none",
    }
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert child.stdout is not None
        run_id = thread_id = ""
        for line in child.stdout:
            kind, run_id, thread_id = line.split()
            if kind == "message.delta":
                child.send_signal(signal.SIGKILL)
                break
    async with build_app(scripted_settings) as app:
        [thread] = await app.records.threads()
        assert (thread.thread_id, thread.status) == (thread_id, "busy")
        text, _ = await asyncio.wait_for(answer(app, asks("What is my name?", thread_id)), 30)
        assert text == "Your name is Ada."
        assert (await app.records.run(run_id)).status == "success"
        assert [m.text for m in await app.records.messages(thread_id)] == [
            "slow",
            "Slowly, very slowly, the answer comes.",
            "What is my name?",
            "Your name is Ada.",
        ]


async def test_a_tenant_sees_nothing_of_another(scripted_settings: Settings) -> None:
    async with build_app(scripted_settings) as app:
        await answer(app, asks("mine"))
        stranger = App(scripted_settings, tenant_id="stranger")
        async with stranger:
            assert await stranger.records.threads() == []
        accepted = await app.submit(
            asks("theirs").model_copy(update={"caller": Caller(tenant_id="stranger")})
        )
        with pytest.raises(NotFound):
            await anext(aiter(app.follow(accepted.run_id)))


async def test_workers_of_every_thread_begin_what_is_scheduled_and_others_do_not(
    scripted_settings: Settings,
) -> None:
    settings = scripted_settings.replace(runs__heartbeat_s=0.05)
    async with build_app(settings) as one, build_app(settings) as two, build_app(settings) as three:
        await one.schedules.add("0 0 1 1 *", asks("hi", graph="chat"), name="s")  # no second tick today
        change = sa.update(schedules).values(next_at=db_now() - 1)
        await one._rooms.database.write(lambda c: c.execute(change))
        await three.start_worker()
        await asyncio.sleep(0.3)
        assert await one.records.runs() == []
        await one.start_worker(every_thread=True)
        await two.start_worker(every_thread=True)
        async with asyncio.timeout(30):
            while not (begun := await one.records.runs()):  # noqa: ASYNC110  # the database tells nobody
                await asyncio.sleep(0.05)
        async for _ in one.follow(begun[0].run_id):
            pass
        [run] = await one.records.runs()
        assert (run.run_id, run.status) == ((await one.schedules.get("s")).last_run_id, "success")
