"""OpenAI's wire: with OpenAI's own clients, LangChain's, and golden bytes."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from server_house import House, answered_ask, says

from motet import events
from motet.events import Event, Passage, Recorded
from motet.server.protocols.openai.chat import Chat
from motet.server.protocols.openai.responses import Response

GOLDEN = Path(__file__).parent.parent / "golden"
CITED = Passage(passage_id="p1", text="A ticket costs 12 euros.", source="rules.md", title="Rules", number=1)
STORY: list[Event] = [
    events.RunAccepted(graph="g", input={}),
    events.RunStarted(attempt=1),
    events.MessageDelta(message_id="m1", text="你好，"),
    events.MessageDelta(message_id="m1", text="Ada"),
    events.MessageCompleted(message_id="m1", role="assistant", text="你好，Ada [1]", citations=[CITED]),
    events.Usage(model="m", input_tokens=7, output_tokens=3, duration_s=0.5),
    events.RunCompleted(output={}),
]
CRASH: list[Event] = [
    events.RunAccepted(graph="g", input={}),
    events.RunStarted(attempt=1),
    events.MessageDelta(message_id="m1", text="One two"),
    events.RunStarted(attempt=2),
    events.MessageDelta(message_id="m2", text="One"),
    events.MessageDelta(message_id="m2", text=" two three"),
    events.MessageCompleted(message_id="m2", role="assistant", text="One two three"),
    events.RunCompleted(output={}),
]


def recorded(story: list[Event]) -> list[Recorded]:
    return [
        Recorded(run_id="r1", thread_id="t1", seq=seq, at=1_700_000_000.5 + seq, event=event)
        for seq, event in enumerate(story, 1)
    ]


def chat_bytes(story: list[Event]) -> bytes:
    fold = Chat("motet/g", usage_wanted=True)
    return b"".join(part for one in recorded(story) for part in fold.encode(one)) + fold.last()


def response_bytes(story: list[Event], after: int = -1) -> bytes:
    fold = Response("r1", "motet/g", {}, after=after)
    return b"".join(part for one in recorded(story) for part in fold.encode(one))


def texts(stream: bytes) -> list[str]:
    chunks = [json.loads(line[6:]) for line in stream.decode().splitlines() if line.startswith("data: {")]
    return [
        c["choices"][0]["delta"]["content"]
        for c in chunks
        if c.get("choices") and c["choices"][0]["delta"].get("content")
    ]


@pytest.mark.parametrize(
    ("name", "made"),
    [("openai_chat.sse", chat_bytes(STORY)), ("openai_responses.sse", response_bytes(STORY))],
    ids=["chat", "responses"],
)
def test_the_bytes_are_those_of_the_golden_file(name: str, made: bytes) -> None:
    assert made == (GOLDEN / name).read_bytes()


def test_an_answer_that_began_anew_after_a_crash_is_said_once() -> None:
    assert texts(chat_bytes(CRASH)) == ["One two", " three"]
    fold = Response("r1", "motet/g", {})
    for one in recorded(CRASH):
        fold.take(one)
    assert [item["content"][0]["text"] for item in fold.value["output"]] == ["One two three"]


def test_another_answer_after_a_crash_is_said_as_another() -> None:
    story = [*CRASH[:4], *STORY[2:]]
    assert texts(chat_bytes(story)) == ["One two", "\n\n你好，", "Ada", " [1]"]


def test_a_stream_of_a_response_goes_on_at_any_place() -> None:
    whole = response_bytes(STORY)
    frames = whole.split(b"\n\n")[:-1]
    for place in range(len(frames)):
        assert response_bytes(STORY, after=place) == b"".join(f + b"\n\n" for f in frames[place + 1 :])


async def test_openais_client_lists_asks_and_streams(house: House) -> None:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client:
        names = [model.id async for model in client.models.list()]
        assert "motet/echo" in names
        assert (await client.models.retrieve("motet/echo")).owned_by == "motet"
        asked: list[Any] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "嗨"}]
        whole = await client.chat.completions.create(model="motet/echo", messages=asked)
        assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("echo 嗨", "stop")
        stream = await client.chat.completions.create(
            model="chat", messages=asked, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello there."
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens > 0


async def test_openais_client_goes_on_from_a_response_and_from_an_earlier_one(house: House) -> None:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client:
        first = await client.responses.create(model="motet/chat", input="I am Ada")
        assert (first.status, first.output_text) == ("completed", "Hello there.")
        second = await client.responses.create(
            model="motet/chat", input="What is my name?", previous_response_id=first.id
        )
        assert second.output_text == "Your name is Ada."
        assert (await client.responses.retrieve(second.id)).previous_response_id == first.id
        other = await client.responses.create(
            model="motet/chat", input="Once more", previous_response_id=first.id
        )
        runs = [await house.app.records.run(one.id.removeprefix("resp_")) for one in (first, second, other)]
        assert runs[0].thread_id == runs[1].thread_id != runs[2].thread_id
        with pytest.raises(openai.ConflictError):
            await client.responses.delete(first.id)
        await client.responses.delete(other.id)


async def test_a_background_response_is_streamed_from_a_place_and_stopped(house: House) -> None:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client:
        begun = await client.responses.create(model="motet/wait", input="hi", background=True)
        assert begun.status in ("queued", "in_progress")
        stopped = await client.responses.cancel(begun.id)
        assert stopped.status == "cancelled"
        done = await client.responses.create(model="motet/echo", input="hi", background=True)
        seen = [event async for event in await client.responses.retrieve(done.id, stream=True)]
        assert [event.sequence_number for event in seen] == list(range(len(seen)))
        assert seen[-1].type == "response.completed"
        rest = [e async for e in await client.responses.retrieve(done.id, stream=True, starting_after=3)]
        assert rest == seen[4:]


async def test_a_question_is_answered_with_the_next_input(house: House) -> None:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client:
        asked = await client.responses.create(model="motet/ask", input="hi")
        assert asked.output_text == "really?"
        answered = await client.responses.create(
            model="motet/ask", input="yes", previous_response_id=asked.id
        )
        assert answered.output_text == "you said yes"
        thread: dict[str, Any] = {"thread_id": "talk-1"}
        for text, said in (("hi", "really?"), ("no", "you said no")):
            whole = await client.chat.completions.create(
                model="ask", messages=[{"role": "user", "content": text}], extra_body=thread
            )
            assert whole.choices[0].message.content == said


def _sync(url: str) -> tuple[str | None, str]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        whole = client.chat.completions.create(model="echo", messages=[{"role": "user", "content": "hi"}])
        with client.responses.stream(model="motet/echo", input="ho") as stream:
            for _ in stream:
                pass
            return whole.choices[0].message.content, stream.get_final_response().output_text


async def test_openais_client_without_async(house: House) -> None:
    assert await asyncio.to_thread(_sync, house.url) == ("echo hi", "echo ho")


@pytest.mark.parametrize("responses_api", [False, True], ids=["chat", "responses"])
async def test_langchains_model_speaks_to_a_graph(house: House, responses_api: bool) -> None:
    key: Any = "none"
    model = ChatOpenAI(
        model="motet/echo",
        base_url=f"{house.url}/v1",
        api_key=key,
        use_responses_api=responses_api,
        max_retries=0,
    )
    assert (await model.ainvoke("hi")).text == "echo hi"
    assert "".join([str(chunk.text) async for chunk in model.astream("ho")]) == "echo ho"


USER = [{"role": "user", "content": "x"}]
BAD: list[tuple[str, Any, int]] = [
    ("chat/completions", {"model": "motet/nope", "messages": USER}, 404),
    ("chat/completions", {"model": "echo", "messages": []}, 400),
    ("chat/completions", {"model": "echo"}, 400),
    ("chat/completions", {"model": "echo", "messages": [{"role": "tool", "content": "x"}]}, 400),
    ("chat/completions", {"model": "echo", "messages": [{"role": "user", "content": 7}]}, 400),
    ("chat/completions", {"model": "echo", "messages": USER, "n": 2}, 400),
    ("chat/completions", {"model": "echo", "messages": USER, "tools": [{}]}, 400),
    ("responses", {"model": "echo", "input": []}, 400),
    ("responses", {"model": "echo", "input": [{"type": "function_call_output"}]}, 400),
    ("responses", {"model": "echo", "input": "x", "previous_response_id": "resp_nope"}, 404),
    ("responses", {"model": "echo", "input": "x", "previous_response_id": "nope"}, 404),
]


async def test_what_is_not_understood_is_told_in_openais_form(client: httpx.AsyncClient) -> None:
    for path, body, status in BAD:
        answer = await client.post(f"/v1/{path}", json=body)
        code = "not_found" if status == 404 else "invalid_input"
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (body, answer.text)
    for path in ("responses/resp_nope", "responses/x", "models/nope"):
        assert (await client.get(f"/v1/{path}")).status_code == 404


async def test_a_picture_is_passed_on_and_nobody_fetches_it(house: House, client: httpx.AsyncClient) -> None:
    part = {"type": "image_url", "image_url": {"url": "http://192.0.2.1/x.png"}}
    body = {
        "model": "echo",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, part]}],
    }
    answer = await client.post("/v1/chat/completions", json=body)
    assert answer.json()["choices"][0]["message"]["content"] == "echo see"
    assert house.url not in answer.text


async def test_a_failed_run_is_an_error_whole_and_in_a_stream(client: httpx.AsyncClient) -> None:
    body = {"model": "fail", "messages": [{"role": "user", "content": "x"}]}
    whole = await client.post("/v1/chat/completions", json=body)
    assert (whole.status_code, whole.json()["error"]["type"]) == (500, "server_error")
    stream = await client.post("/v1/chat/completions", json=body | {"stream": True})
    assert "no luck" in stream.text
    assert "[DONE]" not in stream.text
    response = (await client.post("/v1/responses", json={"model": "fail", "input": "x"})).json()
    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")


async def test_a_run_of_another_door_is_a_response_here(house: House, client: httpx.AsyncClient) -> None:
    """Begun with Motet's own wire, answered with OpenAI's client, and read by either."""
    run_id = await answered_ask(client, says("hi", graph="ask"))
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as ai:
        assert (await ai.responses.retrieve(f"resp_{run_id}")).output_text == "really?"
        answered = await ai.responses.create(model="ask", input="yes", previous_response_id=f"resp_{run_id}")
    whole = await client.get(f"/motet/v1/runs/{answered.id.removeprefix('resp_')}/events")
    assert "you said yes" in whole.text
