"""Handing a task on: the other graph works within the run, to a depth, and its calls are the run's own."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from motet import RunRequest, Settings, build_app
from motet.app import App
from motet.errors import NotFound
from motet.events import InterruptRequested, MessageCompleted, RunCompleted, RunFailed
from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.delegate import DEPTH_KEY, build
from motet.tools.making import build_tools

RULES: list[dict[str, Any]] = [
    {"after": "delegate", "reply": "They say it is 6."},
    {"after": "calculator", "reply": "It is 6."},
    {"after": "ask_user", "reply": "It is what you said."},
    {"user": "inner", "reply": {"tool": "calculator", "arguments": {"figures": [], "expression": "2*3"}}},
    {"user": "person", "reply": {"tool": "ask_user", "arguments": {"question": "How much?"}}},
    {"user": "again", "reply": {"tool": "delegate", "arguments": {"to": "chat", "task": "hand it on again"}}},
]


def settings_of(settings: Settings, tmp_path: Path, task: str) -> Settings:
    first = {"user": "^Ask", "reply": {"tool": "delegate", "arguments": {"to": "chat", "task": task}}}
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"rules": [*RULES, first], "default": "Hello."}), "utf-8")
    return settings.replace(
        models__default=f"scripted:{path}",
        models__embed="none",
        tools__web_search=False,
        tools__enable="delegate",
    )


async def ask(app: App, **more: Any) -> list[Any]:
    given = {"input": {"messages": [{"role": "user", "content": "Ask somebody."}]}, **more}
    request = RunRequest.model_validate(
        {"graph": "chat", "options": {"tools": ["calculator", "ask_user", "delegate"]}, **given}
    )
    return [recorded async for recorded in app.stream(request)]


def answer(events: list[Any]) -> str:
    failed = [e.event.error for e in events if isinstance(e.event, RunFailed)]
    assert failed == []
    texts = [e.event.text for e in events if isinstance(e.event, MessageCompleted)]
    return texts[-1] if texts else ""


def calls(app: App) -> list[tuple[str, str]]:
    query = "SELECT tool, status FROM tool_calls ORDER BY position"
    with closing(sqlite3.connect(app.settings.storage.home / "motet.db")) as connection:
        return list(connection.execute(query))


async def test_another_graph_does_the_task_within_the_run(settings: Settings, tmp_path: Path) -> None:
    async with build_app(settings_of(settings, tmp_path, "inner: what is 2*3?")) as app:
        events = await ask(app)
        assert answer(events) == "They say it is 6."
        assert calls(app) == [("delegate", "done"), ("calculator", "done")]
        assert len([e for e in events if isinstance(e.event, RunCompleted)]) == 1
        assistants = [e.event.text for e in events if isinstance(e.event, MessageCompleted)]
        assert "It is 6." not in assistants  # what the other one says is the tool's result, not the answer


async def test_the_other_one_may_ask_the_person_and_the_run_goes_on(
    settings: Settings, tmp_path: Path
) -> None:
    async with build_app(settings_of(settings, tmp_path, "ask the person")) as app:
        events = await ask(app)
        (asked,) = [e.event for e in events if isinstance(e.event, InterruptRequested)]
        thread_id = events[0].thread_id
        assert asked.value["question"] == "How much?"
        on = await ask(app, input=None, thread_id=thread_id, answers={asked.interrupt_id: "six"})
        assert answer(on) == "They say it is 6."
        assert sorted(calls(app)) == [("ask_user", "done"), ("delegate", "done")]


async def test_tasks_are_not_handed_on_for_ever(settings: Settings, tmp_path: Path) -> None:
    async with build_app(settings_of(settings, tmp_path, "hand it on again")) as app:
        assert answer(await ask(app)) == "They say it is 6."
        assert calls(app) == [("delegate", "done")] * 3  # the third was told no: the depth is 2


class Nobody:
    def names(self) -> dict[str, str]:
        return {"chat": "One agent.", "triage": ""}

    async def graph(self, name: str) -> Any:
        raise AssertionError(name)


async def test_who_is_not_there_and_how_deep_are_told() -> None:
    made = build(ToolContext(ToolSettings(), delegates=Nobody()))
    assert made is not None
    assert made.description.endswith("chat: One agent.; triage.")
    assert "Did you mean 'triage'" in await made.ainvoke({"to": "triag", "task": "x"})
    deep: Any = {"configurable": {DEPTH_KEY: 2}}
    assert "handed on 2 times" in await made.ainvoke({"to": "chat", "task": "x"}, deep)
    assert build(ToolContext(ToolSettings(delegate_depth=0), delegates=Nobody())) is None
    assert build(ToolContext(ToolSettings())) is None
    with pytest.raises(NotFound):
        build_tools(ToolContext(ToolSettings()), ["delegat"])
