"""What the clients of the other wires do, one function an operation, each from a server's address; for the table."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import openai
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from langserve import RemoteRunnable
from server_house import events_of, run_of, says

Check = Callable[[str], Awaitable[None]]

NATIVE: dict[str, Check] = {}
OPENAI: dict[str, Check] = {}
LANGCHAIN: dict[str, Check] = {}
LANGSERVE: dict[str, Check] = {}
WEBUI: dict[str, Check] = {}


def _in(table: dict[str, Check]) -> Callable[[Check], Check]:
    def keep(check: Check) -> Check:
        table[check.__name__.removeprefix("_").replace("_", " ")] = check
        return check

    return keep


async def run(check: Check, url: str) -> None:
    """Run a check."""
    await check(url)


def _http(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)


def _openai(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


@_in(NATIVE)
async def _a_run_its_events_and_replay(url: str) -> None:
    async with _http(url) as client:
        begun = await run_of(client, says("嗨", graph="echo"))
        seen = await events_of(client, begun["run_id"])
        assert seen[-1]["output"]["messages"][-1]["content"] == "echo 嗨"
        rest = await events_of(client, begun["run_id"], **{"Last-Event-ID": "2"})
        assert rest == seen[2:]


@_in(NATIVE)
async def _a_question_and_its_answer(url: str) -> None:
    async with _http(url) as client:
        asked = await run_of(client, says("hi", graph="ask"))
        assert (await events_of(client, asked["run_id"]))[-1]["type"] == "run.interrupted"
        answered = await run_of(client, {"thread_id": asked["thread_id"], "resume": "yes"})
        assert (await events_of(client, answered["run_id"]))[-1]["type"] == "run.completed"


@_in(NATIVE)
async def _threads_documents_and_cancelling(url: str) -> None:
    async with _http(url) as client:
        begun = await run_of(client, says("hi", graph="wait"))
        assert (await client.post(f"/motet/v1/runs/{begun['run_id']}/cancel")).json() == {"asked": True}
        assert (await events_of(client, begun["run_id"]))[-1]["type"] == "run.cancelled"
        assert (await client.get(f"/motet/v1/threads/{begun['thread_id']}")).status_code == 200
        assert (await client.put("/motet/v1/knowledge/default/a.md", content=b"# Fares\n7.")).is_success
        found = await client.post("/motet/v1/knowledge/search", json={"query": "fares"})
        assert found.json()


@_in(OPENAI)
async def _models_and_chat_completions(url: str) -> None:
    asked: Any = [{"role": "user", "content": "嗨"}]
    async with _openai(url) as client:
        assert "motet/echo" in [model.id async for model in client.models.list()]
        whole = await client.chat.completions.create(model="motet/echo", messages=asked)
        assert whole.choices[0].message.content == "echo 嗨"
        chunks = [
            c async for c in await client.chat.completions.create(model="chat", messages=asked, stream=True)
        ]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello there."


@_in(OPENAI)
async def _responses_that_go_on(url: str) -> None:
    async with _openai(url) as client:
        first = await client.responses.create(model="motet/chat", input="I am Ada")
        second = await client.responses.create(
            model="motet/chat", input="What is my name?", previous_response_id=first.id
        )
        assert second.output_text == "Your name is Ada."


@_in(OPENAI)
async def _background_responses_streamed_from_a_place(url: str) -> None:
    async with _openai(url) as client:
        begun = await client.responses.create(model="motet/echo", input="hi", background=True)
        seen = [event async for event in await client.responses.retrieve(begun.id, stream=True)]
        rest = [e async for e in await client.responses.retrieve(begun.id, stream=True, starting_after=3)]
        assert rest == seen[4:]


@_in(OPENAI)
async def _errors(url: str) -> None:
    async with _openai(url) as client:
        try:
            await client.chat.completions.create(model="nope", messages=[{"role": "user", "content": "x"}])
        except openai.NotFoundError:
            return
    raise AssertionError("an unknown model answered")


@_in(OPENAI)
async def _without_async(url: str) -> None:
    def work() -> None:
        with (
            openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
            client.responses.stream(model="motet/echo", input="ho") as stream,
        ):
            assert [event.type for event in stream][-1] == "response.completed"
            assert stream.get_final_response().output_text == "echo ho"

    await asyncio.to_thread(work)


async def _chat_openai(url: str, *, responses: bool) -> None:
    key: Any = "none"
    model = ChatOpenAI(
        model="motet/echo", base_url=f"{url}/v1", api_key=key, use_responses_api=responses, max_retries=0
    )
    assert (await model.ainvoke("hi")).text == "echo hi"
    assert "".join([str(chunk.text) async for chunk in model.astream("ho")]) == "echo ho"


@_in(LANGCHAIN)
async def _invoke_and_stream_by_chat_completions(url: str) -> None:
    await _chat_openai(url, responses=False)


@_in(LANGCHAIN)
async def _invoke_and_stream_by_responses(url: str) -> None:
    await _chat_openai(url, responses=True)


FORMS: dict[str, Any] = {
    "objects": {"messages": [HumanMessage("嗨")]},
    "dicts": {"messages": [{"role": "user", "content": "嗨"}]},
    "tuples": {"messages": [("user", "嗨")]},
}


def _asks_with(form: str) -> None:
    async def check(url: str) -> None:
        graph = RemoteRunnable(f"{url}/langserve/echo")
        output: Any = await graph.ainvoke(FORMS[form])
        assert output["messages"][-1].content == "echo 嗨"
        whole: Any = await asyncio.to_thread(graph.invoke, FORMS[form])
        assert whole["messages"][-1].content == "echo 嗨"

    LANGSERVE[f"invoke with messages as {form}, with and without async"] = check


for one_form in FORMS:
    _asks_with(one_form)


@_in(LANGSERVE)
async def _batch_and_stream(url: str) -> None:
    graph = RemoteRunnable(f"{url}/langserve/echo")
    both: Any = await graph.abatch(["a", "b"])
    assert [one["messages"][-1].content for one in both] == ["echo a", "echo b"]
    chunks: list[Any] = [chunk async for chunk in graph.astream("嗨")]
    assert [list(chunk) for chunk in chunks] == [["node"]]


@_in(LANGSERVE)
async def _stream_events_and_stream_log(url: str) -> None:
    graph = RemoteRunnable(f"{url}/langserve/chat")
    kinds = {event["event"] async for event in graph.astream_events("hi", version="v2")}
    assert {"on_chain_start", "on_chat_model_stream", "on_chain_end"} <= kinds
    log: Any = None
    async for patch in graph.astream_log("hi"):
        log = patch if log is None else log + patch
    assert log.state["final_output"]["messages"][-1].content == "Hello there."


@_in(LANGSERVE)
async def _errors_of_graphs(url: str) -> None:
    try:
        await RemoteRunnable(f"{url}/langserve/fail").ainvoke("hi")
    except httpx.HTTPStatusError:
        return
    raise AssertionError("a graph that fails answered")


@_in(WEBUI)
async def _the_requests_it_makes(url: str) -> None:
    """A connection is checked by the list of models, and then each turn streams the whole conversation."""
    async with _http(url) as client:
        bearer = {"Authorization": "Bearer none"}
        models = (await client.get("/v1/models", headers=bearer)).json()["data"]
        assert "motet/chat" in [one["id"] for one in models]
        talk: list[Any] = [
            {"role": "user", "content": "I am Ada"},
            {"role": "assistant", "content": "Hello there."},
            {"role": "user", "content": [{"type": "text", "text": "What is my name?"}]},
        ]
        body = {
            "model": "motet/chat",
            "messages": talk,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        answer = await client.post("/v1/chat/completions", json=body, headers=bearer)
        lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
        assert lines[-1] == "[DONE]"
        chunks = [json.loads(line) for line in lines[:-1]]
        text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
        assert text == "Your name is Ada."
        assert chunks[-1]["usage"]["total_tokens"] >= 0
