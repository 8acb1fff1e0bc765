"""A spent budget asks on every wire, and each of its three answers is taken there. Real sockets, the scripted model."""

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_house import House, open_house, server_settings

from motet import Settings
from motet.runs.request import Caller

ASKED = "How much are 12 times 30 batteries?"
FIRST = "The budget of this run is spent: 1 of 1 model calls."

ANSWERS: list[tuple[Any, str]] = [
    ("more", "They hold 360."),
    ({"choice": "cheaper"}, "Cheap: 360."),
    ("stop", "12*30 = 360"),
]
"""What a person says, and what is in the run's answer then."""


def script(path: Path, said: str) -> str:
    call = {"tool": "calculator", "arguments": {"expression": "12*30"}}
    path.write_text(json.dumps({"rules": [{"after": "calculator", "reply": said}], "default": call}), "utf-8")
    return f"scripted:{path}"


@pytest.fixture
async def house(settings: Settings, tmp_path: Path) -> AsyncIterator[House]:
    """A server whose runs may call a model once; they need two calls."""
    own = {
        "models.default": script(tmp_path / "dear.json", "They hold 360."),
        "budgets.cheaper_model": script(tmp_path / "cheap.json", "Cheap: 360."),
        "budgets.run": "model_calls=1",
    }
    async with open_house(server_settings(settings, tmp_path, **own)) as opened:
        yield opened


Talk = Callable[[httpx.AsyncClient, Any], Awaitable[tuple[str, str]]]
"""Asks over one wire, answers there, and returns the question and the answer as this wire has them."""


async def native(client: httpx.AsyncClient, answer: Any) -> tuple[str, str]:
    async def follow(body: dict[str, Any]) -> tuple[str, str]:
        run = (await client.post("/motet/v1/runs", json=body)).json()
        told = (await client.get(f"/motet/v1/runs/{run['run_id']}/events")).text
        return run["thread_id"], told

    thread_id, asked = await follow(
        {"graph": "chat", "input": {"messages": [{"role": "user", "content": ASKED}]}}
    )
    return asked, (await follow({"thread_id": thread_id, "resume": answer}))[1]


async def agent_server(client: httpx.AsyncClient, answer: Any) -> tuple[str, str]:
    thread_id = (await client.post("/threads", json={})).json()["thread_id"]

    async def wait(body: dict[str, Any]) -> dict[str, Any]:
        asked = {"assistant_id": "chat", **body}
        return (await client.post(f"/threads/{thread_id}/runs/wait", json=asked)).json()

    asked = await wait({"input": {"messages": [{"role": "user", "content": ASKED}]}})
    [question] = asked["__interrupt__"]
    ended = await wait({"command": {"resume": {question["id"]: answer}}})
    return json.dumps(question), str(ended["messages"][-1]["content"])


async def agent_server_stream(client: httpx.AsyncClient, answer: Any) -> tuple[str, str]:
    thread_id = (await client.post("/threads", json={})).json()["thread_id"]

    async def stream(body: dict[str, Any]) -> dict[str, str]:
        asked = {"assistant_id": "chat", "stream_mode": ["values", "updates", "messages-tuple"], **body}
        told = (await client.post(f"/threads/{thread_id}/runs/stream", json=asked)).text
        found: dict[str, str] = {}
        for event in told.replace("\r", "").split("\n\n"):
            name, _, data = event.partition("\n")
            found[name.removeprefix("event: ")] = found.get(name.removeprefix("event: "), "") + data
        return found

    asked = await stream({"input": {"messages": [{"role": "user", "content": ASKED}]}})
    ended = await stream({"command": {"resume": answer}})
    assert {"values", "updates", "messages"} <= ended.keys()
    return asked["updates"], ended["values"]


async def agent_server_protocol(client: httpx.AsyncClient, answer: Any) -> tuple[str, str]:
    """Protocol v2: commands on a thread, and a subscription to its events."""
    thread_id = str(uuid.uuid4())

    async def command(number: int, method: str, **params: Any) -> None:
        body = {"id": number, "method": method, "params": params}
        told = (await client.post(f"/threads/{thread_id}/commands", json=body)).json()
        assert told["type"] == "success", told

    async def events(until: str) -> list[dict[str, Any]]:
        body = {"channels": ["lifecycle", "input", "values"]}
        path = f"/threads/{thread_id}/stream/events"
        async with client.stream("POST", path, json=body) as stream:
            return await until_told(
                stream.aiter_lines(), lambda told: told["params"]["data"].get("event") == until
            )

    said = {"messages": [{"role": "user", "content": ASKED}]}
    await command(1, "run.start", assistant_id="chat", input=said)
    [asked] = [e["params"]["data"] for e in await events("interrupted") if e["method"] == "input.requested"]
    await command(2, "input.respond", interrupt_id=asked["interrupt_id"], response=answer)
    *_, last = [e["params"]["data"] for e in await events("completed") if e["method"] == "values"]
    return json.dumps(asked), str(last["messages"][-1]["content"])


async def agent_server_thread_stream(client: httpx.AsyncClient, answer: Any) -> tuple[str, str]:
    """One stream of all runs of a thread, open while one run asks and the next one is answered."""
    thread_id = (await client.post("/threads", json={})).json()["thread_id"]

    async def begin(body: dict[str, Any]) -> None:
        asked = {"assistant_id": "chat", "stream_mode": ["values", "updates"], **body}
        begun = await client.post(f"/threads/{thread_id}/runs", json=asked)
        assert begun.status_code == 200, begun.text

    await begin({"input": {"messages": [{"role": "user", "content": ASKED}]}})
    headers = {"last-event-id": "-1"}
    async with client.stream("GET", f"/threads/{thread_id}/stream", headers=headers) as stream:
        lines = stream.aiter_lines()
        asked = await until_told(lines, lambda told: "__interrupt__" in told)
        await begin({"command": {"resume": answer}})
        is_answer: Callable[[dict[str, Any]], bool] = lambda told: (  # noqa: E731
            "messages" in told
            and told["messages"][-1]["type"] == "ai"
            and bool(told["messages"][-1]["content"])
        )
        ended = await until_told(lines, is_answer)
    return json.dumps(asked[-1]), str(ended[-1]["messages"][-1]["content"])


async def until_told(
    lines: AsyncIterator[str], is_last: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    """Read a stream's data up to what is looked for."""
    told: list[dict[str, Any]] = []
    async for line in lines:
        if line.startswith("data: {"):
            told.append(json.loads(line[6:]))
            if is_last(told[-1]):
                return told
    raise AssertionError(told)


async def openai_chat(client: httpx.AsyncClient, answer: Any) -> tuple[str, str]:
    async def say(text: str) -> str:
        body = {"model": "chat", "thread_id": "talk", "messages": [{"role": "user", "content": text}]}
        reply = (await client.post("/v1/chat/completions", json=body)).json()
        return str(reply["choices"][0]["message"]["content"])

    return await say(ASKED), await say(answer if isinstance(answer, str) else json.dumps(answer))


async def openai_responses(client: httpx.AsyncClient, answer: Any) -> tuple[str, str]:
    async def say(text: str, **more: str) -> tuple[str, str]:
        reply = (await client.post("/v1/responses", json={"model": "chat", "input": text, **more})).json()
        return reply["id"], reply["output"][0]["content"][0]["text"]

    asked_id, asked = await say(ASKED)
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return asked, (await say(text, previous_response_id=asked_id))[1]


async def langserve(client: httpx.AsyncClient, answer: Any) -> tuple[str, str]:
    """LangServe's wire has no answers to questions: another takes them for the run that its metadata names."""
    reply = (await client.post("/langserve/chat/invoke", json={"input": ASKED})).json()
    asker = (await client.get(f"/motet/v1/runs/{reply['metadata']['run_id']}")).json()
    body = {"thread_id": asker["thread_id"], "resume": answer}
    run = (await client.post("/motet/v1/runs", json=body)).json()
    told = (await client.get(f"/motet/v1/runs/{run['run_id']}/events")).text
    return json.dumps(reply["output"]["__interrupt__"]), told


WIRES: list[Talk] = [
    native,
    agent_server,
    agent_server_stream,
    agent_server_protocol,
    agent_server_thread_stream,
    openai_chat,
    openai_responses,
    langserve,
]


@pytest.mark.parametrize("talk", WIRES)
async def test_more_cheaper_and_stop_are_offered_and_taken(house: House, talk: Talk) -> None:
    for answer, said in ANSWERS:
        async with house.client() as client:
            asked, answered = await talk(client, answer)
        assert FIRST in asked
        assert all(word in asked for word in ("more", "cheaper", "stop"))
        assert said in answered
        assert FIRST not in answered


@pytest.mark.parametrize(
    ("scope", "limits", "said"),
    [
        ("run", "time=0.000001", "The budget of this run is spent:"),
        ("thread", "tokens=5", "of 5 tokens."),
        ("user_day", "tool_calls=0", "The budget of this user today is spent: 0 of 0 tool calls."),
        ("tenant_day", "cost=0.0001", "of 0.0001 dollars."),
    ],
)
async def test_every_kind_of_limit_asks_on_every_wire(
    settings: Settings, tmp_path: Path, scope: str, limits: str, said: str
) -> None:
    own = {
        "models.default": script(tmp_path / "dear.json", "They hold 360."),
        f"budgets.{scope}": limits,
        "budgets.prices": f"{tmp_path / 'dear.json'}=10000/10000 scripted=10000/10000",
    }
    async with open_house(server_settings(settings, tmp_path, **own)) as house, house.client() as client:
        for talk in WIRES:
            asked, answered = await talk(client, "stop")
            assert said in asked, talk
            assert "as asked" in answered, talk


async def test_a_run_names_its_own_limits_and_models_and_an_answer_keeps_them(
    settings: Settings, tmp_path: Path
) -> None:
    own = {"models.default": script(tmp_path / "dear.json", "They hold 360.")}
    other = script(tmp_path / "other.json", "Other: 360.")
    options = {"models": {"chat": other}, "budget": {"max_model_calls": 1}, "tools": ["calculator"]}
    asks = {"graph": "chat", "input": {"messages": [{"role": "user", "content": ASKED}]}}
    async with open_house(server_settings(settings, tmp_path, **own)) as house, house.client() as client:
        begun = (await client.post("/motet/v1/runs", json={**asks, "options": options})).json()
        assert FIRST in (await client.get(f"/motet/v1/runs/{begun['run_id']}/events")).text
        answer = {"thread_id": begun["thread_id"], "resume": "more"}
        went_on = (await client.post("/motet/v1/runs", json=answer)).json()["run_id"]
        assert "Other: 360." in (await client.get(f"/motet/v1/runs/{went_on}/events")).text
        found = await house.app.desk(Caller()).lookup.run(went_on)
        assert found is not None
        job = found.job
        assert (job.options.models, job.options.tools) == ({"chat": other}, ["calculator"])
        assert job.options.budget is not None
        for wrong, words in (
            ({"models": {"depe": other}}, "deep"),
            ({"budget": {"max_token": 5}}, "max_token"),
        ):
            refused = await client.post("/motet/v1/runs", json={**asks, "options": wrong})
            assert refused.status_code == 422, refused.text
            assert words in refused.text
