"""Recordings through the app: a run is recorded, played with nothing called, forked, and turned into a test."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from motet.app import App, build_app
from motet.app.control import described
from motet.app.play import play
from motet.errors import InvalidInput, NotFound
from motet.events import Event, MessageCompleted, RunCompleted, RunFailed, ToolCompleted
from motet.models.base import Capabilities, ConnectedModel, ModelSpec
from motet.models.cassette import VERSION, Cassette
from motet.models.replay import replayed as replayed_model
from motet.models.scripted import ScriptedChatModel
from motet.runs.recordings import store
from motet.runs.recordings.service import request_of
from motet.runs.request import Replay, RunOptions, RunRequest
from motet.settings import Settings
from motet.storage.tables import recorded_calls, recorded_values

SCRIPT = """
rules:
  - {schema: Route, reply: {json: {route: plan, personal: false}}}
  - {schema: Plan, reply: {json: {steps: [{agent: worker, task: "thirty batteries", depends_on: []}]}}}
  - {schema: Review, reply: {json: {enough: true, missing: ""}}}
  - {user: "thirty batteries", after: calculator, reply: "They hold 360, sk-abcdefghijklmnop. 它们存得下。"}
  - {user: "thirty batteries", reply: {tool: calculator, arguments: {expression: "12*30"}}}
  - {user: "again", reply: "Once more."}
default: "Hello."
"""


@pytest.fixture
async def app(settings: Settings, tmp_path: Path) -> AsyncIterator[App]:
    (tmp_path / "script.yaml").write_text(SCRIPT, "utf-8")
    settings = settings.replace(
        models__default=f"scripted:{tmp_path / 'script.yaml'}", models__embed="none", agents__graph="chat"
    )
    async with build_app(settings) as made:
        yield made


def asks(text: str, **options: Any) -> RunRequest:
    return RunRequest(
        input={"messages": [{"role": "user", "content": text}]}, options=RunOptions(max_retries=0, **options)
    )


async def run(app: App, request: RunRequest) -> tuple[str, list[Event]]:
    recorded = [one async for one in app.stream(request)]
    return recorded[0].run_id, [one.event for one in recorded]


async def replayed(app: App, run_id: str, **changes: Any) -> list[Event]:
    cassette = await app.recordings.of(app.tenant_id, run_id)
    options = RunOptions(replay=Replay(run_id=run_id, **changes), max_retries=0)
    return (await run(app, RunRequest(**request_of(cassette, options))))[1]


def did(events: list[Event]) -> list[Any]:
    """What a run told, without what is new each time: the ids of messages."""
    told = ("message.completed", "tool.started", "tool.completed")
    return [event.model_dump(mode="json", exclude={"message_id"}) for event in events if event.type in told]


def break_script(app: App) -> None:
    """Take the model away: whoever calls it from now on fails."""
    Path(app.settings.models.default.removeprefix("scripted:")).write_text(
        "rules: []\ndefault: {fault: auth}", "utf-8"
    )


def told(events: list[Event]) -> str:
    """Everything that a run told, as JSON, but for how long it took and cost; a message's pieces are joined."""
    told: list[Any] = []
    for event in events:
        one = event.model_dump(mode="json", exclude={"duration_s", "cost_usd"})
        joined = told and event.type == told[-1]["type"] == "message.delta"
        if joined and one["message_id"] == told[-1]["message_id"]:
            told[-1]["text"] += one["text"]
        else:
            told.append(one)
    return json.dumps(told, ensure_ascii=False, indent=1)


@pytest.mark.parametrize("graph", ["chat", "ensemble"])
async def test_a_run_is_played_again_byte_for_byte_with_nothing_called(app: App, graph: str) -> None:
    first = asks("thirty batteries", record=True).model_copy(update={"graph": graph})
    run_id, events = await run(app, first)
    break_script(app)
    again = await replayed(app, run_id)
    assert told(again) == told(events)
    assert isinstance(again[-1], RunCompleted)
    [second, first_run] = await app.records.runs(limit=2)
    assert second.status == "success"
    before, after = [
        [(m.message_id, m.role, m.text, m.citations) for m in await app.records.messages(one.thread_id)]
        for one in (first_run, second)
    ]
    assert after == before


async def test_without_its_recording_nothing_is_played(app: App) -> None:
    run_id, _ = await run(app, asks("thirty batteries"))
    with pytest.raises(NotFound, match="was not recorded"):
        await replayed(app, run_id)
    with pytest.raises(NotFound, match="was not recorded"):
        await app.submit(asks("hi", replay=Replay(run_id=run_id)))
    with pytest.raises(InvalidInput, match="either a run_id or a file"):
        await app.submit(asks("hi", replay=Replay()))


async def test_what_goes_another_way_is_refused_and_live_goes_on(app: App) -> None:
    run_id, _ = await run(app, asks("thirty batteries", record=True))
    other = {"messages": [{"role": "user", "content": "again"}]}
    cassette = await app.recordings.of(app.tenant_id, run_id)
    for live in (False, True):
        options = RunOptions(replay=Replay(run_id=run_id, live=live), max_retries=0)
        request = RunRequest(**request_of(cassette, options)).model_copy(update={"input": other})
        _, events = await run(app, request)
        if live:
            assert [e.text for e in events if isinstance(e, MessageCompleted)][-1] == "Once more."
        else:
            assert isinstance(events[-1], RunFailed)
            assert events[-1].error["code"] == "recording_mismatch"


async def test_one_result_changed_forks_the_run(app: App) -> None:
    run_id, _ = await run(app, asks("thirty batteries", record=True))
    cassette = await app.recordings.of(app.tenant_id, run_id)
    [number] = [call.number for call in cassette.calls if call.kind == "tool"]
    events = await replayed(app, run_id, live=True, changes={number: {"message": {"content": "361"}}})
    assert [e.content for e in events if isinstance(e, ToolCompleted)] == ["361"]
    assert isinstance(events[-1], RunCompleted)


async def test_a_change_that_does_not_fit_is_refused_and_any_call_can_be_changed(app: App) -> None:
    run_id, _ = await run(app, asks("thirty batteries", record=True))
    cassette = await app.recordings.of(app.tenant_id, run_id)
    numbers = {call.kind: call.number for call in reversed(cassette.calls)}
    wrong = {
        99: ("a text", "has no call 99"),
        numbers["memory"]: ("a text", "write JSON of that form"),
        numbers["tool"]: ({"message": {"nothing": 1}}, "write JSON of that form"),
        numbers["model"]: ({"tool_calls": [3]}, "write JSON of that form"),
    }
    for number, (reply, words) in wrong.items():
        failed = (await replayed(app, run_id, live=True, changes={number: reply}))[-1]
        assert isinstance(failed, RunFailed)
        assert (failed.error["code"], words in failed.error["message"]) == ("invalid_input", True), failed
    for number, reply in ((numbers["memory"], "[]"), (numbers["tool"], "361"), (numbers["model"], "No.")):
        assert isinstance((await replayed(app, run_id, live=True, changes={number: reply}))[-1], RunCompleted)


async def test_a_later_turn_is_played_with_the_conversation_before_it(app: App) -> None:
    first = await app.submit(asks("thirty batteries"))
    await app.start_worker()
    _ = [one async for one in app.follow(first.run_id)]
    second, events = await run(
        app, asks("again", record=True).model_copy(update={"thread_id": first.thread_id})
    )
    again = await replayed(app, second)
    assert did(again)[-1] == did(events)[-1]


async def test_a_long_conversation_is_summed_up_looked_back_into_and_played_again(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "s.yaml").write_text(
        'rules: [{system: "Sum up", reply: "They talked of bridges."}]\ndefault: "Well, the river is wide."\n',
        "utf-8",
    )
    settings = settings.replace(
        models__default=f"scripted:{tmp_path / 's.yaml'}",
        models__embed="none",
        agents__graph="chat",
        agents__history_tokens=150,
    )
    asked = [
        "The Alder bridge is 77 metres long. " + "It is old. " * 30,
        *(f"Number {n}. " * 20 for n in range(5)),
    ]
    async with build_app(settings) as app:
        thread_id = None
        for text in asked:
            accepted = await app.submit(asks(text).model_copy(update={"thread_id": thread_id}))
            await app.start_worker()
            _ = [one async for one in app.follow(accepted.run_id)]
            thread_id = accepted.thread_id
        last = asks("How long is the Alder bridge?", record=True).model_copy(update={"thread_id": thread_id})
        run_id, events = await run(app, last)
        cassette = await app.recordings.of(app.tenant_id, run_id)
        [call] = [
            call for call in cassette.calls if call.kind == "model" and "Alder bridge?" in str(call.request)
        ]
        seen = json.dumps(call.request)
        assert "They talked of bridges." in seen
        assert "77 metres" in seen  # found again in the transcript
        assert "Number 0." not in seen
        assert len(seen) < 4000
        assert isinstance(events[-1], RunCompleted)
        assert did(await replayed(app, run_id))[-1] == did(events)[-1]


async def test_a_file_plays_anywhere_with_its_secrets_taken_out(app: App, tmp_path: Path) -> None:
    run_id, events = await run(app, asks("thirty batteries", record=True))
    cassette = app.recordings.redacted(await app.recordings.of(app.tenant_id, run_id))
    file = tmp_path / "run.jsonl"
    file.write_text("".join(cassette.lines()), "utf-8")
    text = file.read_text("utf-8")
    assert "sk-abc" not in text
    assert "它们存得下" in text
    break_script(app)
    played = await play(file)
    assert played.tools == ["calculator"]
    assert played.answer == "They hold 360, ***. 它们存得下。"
    assert played.model_calls == sum(event.type == "usage" for event in events)


async def test_the_model_replay_file_is_the_same(app: App, tmp_path: Path) -> None:
    run_id, events = await run(app, asks("thirty batteries", record=True))
    file = tmp_path / "run.jsonl"
    file.write_text("".join((await app.recordings.of(app.tenant_id, run_id)).lines()), "utf-8")
    _, again = await run(app, asks("thirty batteries", model=f"replay:{file}"))
    assert [e.text for e in again if isinstance(e, MessageCompleted)][-1] == [
        e.text for e in events if isinstance(e, MessageCompleted)
    ][-1]


async def test_equal_messages_are_stored_once(app: App) -> None:
    accepted = await app.submit(asks("thirty batteries " + "x" * 500, record=True))
    await app.start_worker()
    _ = [one async for one in app.follow(accepted.run_id)]
    database = app._rooms.database  # pyright: ignore[reportPrivateUsage]
    rows = database.read_sync(lambda c: c.execute(sa.select(recorded_values.c.value)).scalars().all())
    assert sum("x" * 500 in row for row in rows) == 2  # as it was asked, and as both model calls saw it
    calls = database.read_sync(lambda c: c.execute(sa.select(recorded_calls.c.call)).scalars().all())
    assert not any("x" * 500 in call for call in calls if json.loads(call).get("kind") == "model")


async def test_what_is_forgotten_is_in_no_recording(app: App) -> None:
    await run(app, asks("thirty batteries", record=True))
    database = app._rooms.database  # pyright: ignore[reportPrivateUsage]
    assert await database.write(lambda c: store.delete_with(c, app.tenant_id, ["nothing of it"])) == 0
    assert await database.write(lambda c: store.delete_with(c, app.tenant_id, ["thirty batteries"])) == 1
    for table in (recorded_calls, recorded_values):
        assert (
            database.read_sync(
                lambda c, t=table: c.execute(sa.select(sa.func.count()).select_from(t)).scalar()
            )
            == 0
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("{}", "no 'cassette'"),
        ('{"cassette": 99}', "version 99"),
        (f'{{"cassette": {VERSION}}}\n{{"number": 1}}', "line 2"),
        (f'{{"cassette": {VERSION}}}\nnonsense', "line 2"),
    ],
)
def test_what_is_no_recording_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Cassette.parse(text, "run.jsonl")


def test_a_recording_is_written_and_read_as_it_is() -> None:
    line = {"number": 1, "kind": "tool", "name": "now", "request": {"tool": "now"}, "response": "noon 正午"}
    text = f'{{"cassette": {VERSION}, "graph": "chat"}}\n{json.dumps(line, ensure_ascii=False)}\n'
    assert "".join(Cassette.parse(text, "x").lines()) == text


def test_what_a_model_can_do_is_played_as_it_was() -> None:
    able = Capabilities("native", json_schema=True, small=True, logprobs=True, context_tokens=9)
    known = described(ConnectedModel(ModelSpec("embedded", "m"), ScriptedChatModel(), able))
    played = replayed_model(ModelSpec("scripted", "x"), Cassette({"models": {"fast": known}}), "fast")
    assert played.capabilities == dataclasses.replace(able, json_by=None)
    assert str(played.spec) == known["spec"]


def test_a_run_that_answers_a_question_is_not_played_by_itself() -> None:
    with pytest.raises(InvalidInput, match="replay the one that asked"):
        request_of(Cassette({"graph": "chat", "input": None}), RunOptions())
