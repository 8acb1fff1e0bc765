"""Every fault of a model server, met by whole runs: each ends, by itself, as it should. Real sockets, a real database.

The script calls a tool twice and answers; a fault happens at its first call, its second, or its last.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langchain_core.messages import ToolMessage

from motet import RunRequest, Settings, build_app
from motet.agents.tool_agent import build_tool_agent
from motet.app import App
from motet.errors import MotetError
from motet.events import (
    Event,
    MessageCompleted,
    MessageDelta,
    MessageSuperseded,
    Notice,
    RunFailed,
    RunRetrying,
)
from motet.models import http_client
from motet.models.roles import Models
from motet.models.scripted import Call, ToolCall
from motet.models.scripted_faults import FaultPlan, known_faults
from motet.models.scripted_server import ScriptedServer
from motet.runs.request import RunOptions
from motet.runs.translate import STREAM_MODES, Translator
from motet.tools.base import ToolContext
from motet.tools.calculator import build

pytestmark = pytest.mark.filterwarnings(
    "ignore:Pydantic serializer warnings:UserWarning"
)  # the client's, of odd content

ANSWER = "The answer is 42, as was calculated twice."

ENDS: dict[str, str] = {
    "auth": "model_refused",
    "forbidden": "model_refused",
    "unknown_model": "model_refused",
    "quota": "model_refused",
    "refused": "model_refused",
    "content_filter": "model_refused",
    "redirect": "model_refused",
    "context": "context_overflow",
}
"""What a run ends with when a fault happens once; after every other one it ends well."""

ALWAYS: dict[str, str] = ENDS | {
    **dict.fromkeys(("hang_up", "reset", "break", "rate_limit", "server"), "model_unavailable"),
    **dict.fromkeys(("http_500", "http_502", "http_503", "http_529"), "model_unavailable"),
    "no_choices": "model_unavailable",  # a stream in which nothing is said
    **dict.fromkeys(("html", "bad_json", "half_character", "gzip_bomb"), "model_error"),
    **dict.fromkeys(("endless", "repeat", "huge_arguments"), "model_error"),
    **dict.fromkeys(("bad_arguments", "cut_arguments", "many_calls"), "model_output_invalid"),
}
"""What a run ends with when a fault never stops; those that do no harm are not in it."""

SLOW = ("silence", "drip")
"""Faults of time have a test of their own."""

WHOLE = (
    "http_503",
    "rate_limit",
    "reset",
    "bad_json",
    "unknown_tool",
    "cut_arguments",
    "auth",
    "context",
    "html",
)
"""Faults that whole runs meet, one of each kind: a run costs much more than an agent's turn."""

OTHER_TEXT = ("refusal", "injected", "null_content", "repeat", "no_choices")
"""Faults after which an answer may be another text than the script's."""


def script(call: Call) -> Any:
    """Call the calculator until it gave two results, then answer."""
    good = [m for m in call.messages if isinstance(m, ToolMessage) and "= 42" in m.text]
    if len(good) >= 2 or not call.tools:
        return ANSWER
    return ToolCall("calculator", {"expression": "7 * 6" if good else "6 * 7"})


def faulty() -> list[str]:
    return [name for name in known_faults() if name not in SLOW]


def knobs(name: str) -> str:
    return {
        "rate_limit": ";retry_after=0.01",
        "gzip_bomb": ";chars=100000",
        "long_line": ";chars=200000",
        "repeat": ";count=9000",
        "huge_arguments": ";chars=100000",
    }.get(name, "")


@asynccontextmanager
async def stage(settings: Settings, **changes: Any) -> AsyncGenerator[tuple[App, ScriptedServer]]:
    """An app whose model is a scripted server that can be made to fail."""
    async with ScriptedServer(script, embedding_dimension=8) as server:
        settings = settings.replace(
            models__default=f"test:scripted@{server.base_url}",
            models__embed="none",
            models__retry_pause_s=0.001,
            models__circuit_failures=0,
            agents__graph="chat",
            runs__max_retries=0,
            **changes,
        )
        async with build_app(settings) as app:
            await app.start_worker()
            yield app, server


def asks(**options: Any) -> RunRequest:
    return RunRequest(
        input={"messages": [{"role": "user", "content": "What is six times seven?"}]},
        options=RunOptions(tools=["calculator"], **options),
    )


async def run(app: App) -> list[Event]:
    async with asyncio.timeout(120):
        return [recorded.event async for recorded in app.stream(asks())]


def ending(events: list[Event]) -> str:
    last = events[-1]
    return str(last.error["code"]) if isinstance(last, RunFailed) else last.type


def untold(events: list[Event]) -> list[str]:
    """Return what a reader would take for text of the answer and is not: neither whole, nor superseded."""
    told: dict[str, str] = {}
    for event in events:
        if isinstance(event, MessageDelta):
            told[event.message_id] = told.get(event.message_id, "") + event.text
    void = {event.message_id for event in events if isinstance(event, MessageSuperseded)}
    whole = {event.message_id: event.text for event in events if isinstance(event, MessageCompleted)}
    return [
        text
        for name, text in told.items()
        if name not in void and whole.get(name, "").strip() != text.strip()
    ]


async def test_a_whole_run_meets_a_fault(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MAX_BODY_BYTES", 2**19)
    wrong: dict[str, Any] = {}
    async with stage(settings) as (app, server):
        for name in WHOLE:
            server.calls.clear()
            server.faults = [FaultPlan.parse(f"{name};at=last{knobs(name)}")]
            events = await run(app)
            answers = [e.text for e in events if isinstance(e, MessageCompleted) and e.role == "assistant"]
            if problem := judged(name, ending(events), answers[-1:]):
                wrong[name] = problem
            elif ending(events) == "run.completed" and untold(events):
                wrong[name] = untold(events)
    assert wrong == {}


def judged(name: str, end: str, answers: list[str], *, expected: str = "") -> Any:
    """Return what is wrong with an ending; None when nothing is."""
    if end != (expected or ENDS.get(name, "run.completed")):
        return end
    if end == "run.completed" and name not in OTHER_TEXT and answers != [ANSWER]:
        return answers
    return None


async def test_a_fault_that_never_stops(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MAX_BODY_BYTES", 2**19)
    wrong: dict[str, Any] = {}
    async with agents(settings) as (agent, server):
        for name in faulty():
            server.calls.clear()
            server.faults = [FaultPlan.parse(f"{name};times=0{knobs(name)}")]
            end, text = await played(agent, streamed=True)
            if end != ALWAYS.get(name, "run.completed"):
                wrong[name] = (end, text[:80])
    assert wrong == {}


@asynccontextmanager
async def agents(settings: Settings) -> AsyncGenerator[tuple[Any, ScriptedServer]]:
    """A tool-calling agent alone, whose model is a scripted server that can be made to fail."""
    async with ScriptedServer(script) as server:
        models = Models(settings.replace(models__retry_pause_s=0.001, models__circuit_failures=0))
        model = await models.chat("fast", f"test:scripted@{server.base_url}")
        calculator = build(ToolContext(settings.tools, None))
        try:
            yield build_tool_agent(model, [calculator], "Be brief.", max_turns=8), server
        finally:
            await models.aclose()


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("at", ["1", "2", "last"])
async def test_an_agent_meets_a_fault(
    settings: Settings, at: str, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    monkeypatch.setattr(http_client, "MAX_BODY_BYTES", 2**19)
    wrong: dict[str, Any] = {}
    async with agents(settings) as (agent, server):
        for name in faulty():
            server.calls.clear()
            plan = FaultPlan.parse(f"{name};stream={'yes' if streamed else 'no'};at={at}{knobs(name)}")
            server.faults = [plan]
            end, text = await played(agent, streamed=streamed)
            # Only an answer's text tells that it does not end; else the size of what was sent does.
            endless = "model_error" if name == "endless" and not (streamed and at == "last") else ""
            if not plan.happened:
                wrong[name] = "never happened"
            elif problem := judged(name, end, [text], expected=endless):
                wrong[name] = problem
    assert wrong == {}


async def played(agent: Any, *, streamed: bool) -> tuple[str, str]:
    """Return how the agent's turn ended, and its answer; what it streamed and did not supersede is its answer."""
    asked = {"messages": [("user", "What is six times seven?")]}
    try:
        if not streamed:
            return "run.completed", (await agent.ainvoke(asked))["messages"][-1].text
        translator, events = Translator(), list[Event]()
        values: Any = None
        async for part in agent.astream(asked, stream_mode=STREAM_MODES, subgraphs=True):
            events += translator.translate(part)
            values = part[2] if part[1] == "values" else values
    except MotetError as error:
        return error.code, ""
    assert untold(events) == []
    return "run.completed", values["messages"][-1].text


@pytest.mark.parametrize("fault", ["silence", "drip;seconds=0.1", "silence;stream=no"])
async def test_a_model_that_is_too_slow(settings: Settings, fault: str) -> None:
    slow = {"models__timeout_s": 0.3, "models__total_timeout_s": 0.6, "models__max_retries": 0}
    async with stage(settings, **slow) as (app, server):
        models = app.models
        model = await models.chat("deep")  # what it can do is asked before it is slow
        server.faults = [FaultPlan.parse(f"{fault};times=0")]
        if "stream=no" in fault:
            with pytest.raises(MotetError, match="in time") as caught:
                await model.chat.ainvoke("hi")
            assert caught.value.code == "model_unavailable"
        else:
            assert ending(await run(app)) == "model_unavailable"


async def test_a_long_pause_parks_the_run(settings: Settings) -> None:
    async with stage(settings) as (app, server):
        server.faults = [FaultPlan.parse("rate_limit;retry_after=3600;times=0")]
        accepted = await app.submit(asks(max_retries=3))
        async for recorded in app.follow(accepted.run_id):
            if isinstance(recorded.event, RunRetrying):
                assert recorded.event.delay_s >= 3600
                break
        await app.cancel(accepted.run_id)
        assert len(server.calls) == 1


async def test_a_wrong_key_is_never_shown(settings: Settings) -> None:
    async with stage(settings) as (app, server):
        server.faults = [
            FaultPlan.parse("auth;times=0;message=Incorrect API key provided: sk-secret-0123456789")
        ]
        events = await run(app)
        assert ending(events) == "model_refused"
        assert "sk-secret" not in str([event.model_dump() for event in events])


@pytest.mark.parametrize("fault", ["http_503", "hang_up", "break", "reset", "auth", "html", "context"])
async def test_a_model_that_is_named_takes_over(settings: Settings, fault: str) -> None:
    async with ScriptedServer(script) as other, stage(settings) as (app, server):
        server.faults = [FaultPlan.parse(f"{fault};at=3;times=0")]  # tools first, then the answer fails
        pair = f"test:scripted@{server.base_url}, other:scripted@{other.base_url}"
        events = [r.event async for r in app.stream(asks(model=pair))]
        assert ending(events) == "run.completed"
        assert [e.text for e in events if isinstance(e, MessageCompleted)][-1] == ANSWER
        assert untold(events) == []
        assert len(other.calls) == 1
        if fault not in ("break", "reset"):
            (notice,) = [e for e in events if isinstance(e, Notice)]
            assert f"other:scripted@{other.base_url} is asked instead" in notice.text


async def test_a_model_that_is_not_there_is_passed_over(settings: Settings, unused_tcp_port: int) -> None:
    async with stage(settings) as (app, server):
        pair = f"gone:m@http://127.0.0.1:{unused_tcp_port}/v1, test:scripted@{server.base_url}"
        events = [r.event async for r in app.stream(asks(model=pair))]
        assert ending(events) == "run.completed"
