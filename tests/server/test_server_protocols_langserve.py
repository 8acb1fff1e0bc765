"""LangServe's wire, with its own client; and golden bytes."""

import asyncio
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from agent_house import agent_settings
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from pydantic import BaseModel
from server_house import House, open_house, server_settings

from motet import Settings, events
from motet.errors import InvalidInput
from motet.events import Event, Recorded
from motet.server.protocols.langserve.decode import BadConfigHash, check_input, read_input, unpack
from motet.server.protocols.langserve.encode import Callbacks, Chunks, Filter, Log

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its import speaks of pydantic 1
    from langserve import RemoteRunnable

GOLDEN = Path(__file__).parent.parent / "golden"


def callback(what: str, name: str, run_id: str, **data: Any) -> Event:
    parents = [] if run_id == "1" else ["1"]
    shared = {"tags": [], "metadata": {}, "parent_ids": parents, "data": data}
    return events.StreamPart(mode="events", data={"event": what, "name": name, "run_id": run_id, **shared})


STORY: list[Event] = [
    events.RunAccepted(graph="g", input={"messages": []}),
    callback("on_chain_start", "g", "1", input={}),
    callback("on_chat_model_start", "m/1", "2"),
    callback("on_chat_model_stream", "m/1", "2", chunk={"type": "AIMessageChunk", "content": "嗨"}),
    callback("on_chat_model_end", "m/1", "2", output="嗨"),
    events.StreamPart(mode="updates", data={"node": {"messages": [{"type": "ai", "content": "嗨"}]}}),
    callback("on_chain_end", "g", "1", output={}),
    events.RunCompleted(output={}),
]


def told(kind: Any, story: list[Event]) -> bytes:
    recorded = [
        Recorded(run_id="r1", thread_id="t1", seq=seq, at=1_700_000_000.5, event=event)
        for seq, event in enumerate(story, 1)
    ]
    return (
        getattr(kind, "first", b"") + b"".join(p for one in recorded for p in kind.encode(one)) + kind.last()
    )


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("langserve_stream.sse", told(Chunks("r1"), STORY)),
        ("langserve_stream_events.sse", told(Callbacks(Filter()), STORY)),
        ("langserve_stream_log.sse", told(Log("r1", Filter()), STORY)),
    ],
    ids=["stream", "stream_events", "stream_log"],
)
def test_the_bytes_are_those_of_the_golden_file(name: str, made: bytes) -> None:
    assert made == (GOLDEN / name).read_bytes()


def test_a_run_that_failed_ends_its_stream_with_an_error() -> None:
    failed = [*STORY[:2], events.RunFailed(error={"code": "run_error", "message": "no luck"})]
    for kind in (Chunks("r1"), Callbacks(Filter()), Log("r1", Filter())):
        last = told(kind, failed).decode().rstrip().split("\r\n")[-2:]
        assert last == ["event: error", 'data: {"status_code": 500, "message": "no luck"}']


def test_only_the_callback_events_that_are_wanted() -> None:
    def kinds(**wanted: Any) -> list[str]:
        stream = told(Callbacks(Filter(**{k: frozenset(v) for k, v in wanted.items()})), STORY).decode()
        return re.findall(r'"event": "(on_\w+)"', stream)

    assert len(kinds()) == 6
    assert set(kinds(include_types=["chat_model"])) == {
        "on_chat_model_start",
        "on_chat_model_stream",
        "on_chat_model_end",
    }
    assert set(kinds(exclude_names=["m/1"])) == {"on_chain_start", "on_chain_stream", "on_chain_end"}


MESSAGES: list[Any] = [
    {"messages": [HumanMessage("嗨")]},
    {"messages": [{"role": "user", "content": "嗨"}]},
    {"messages": [("user", "嗨")]},
    {"messages": ("user", "嗨")},
    [HumanMessage("嗨")],
    HumanMessage("嗨"),
    "嗨",
]


async def test_its_client_asks_with_messages_of_every_form(house: House) -> None:
    graph = RemoteRunnable(f"{house.url}/langserve/echo")
    for given in MESSAGES:
        output: Any = await graph.ainvoke(given)
        assert [type(message) for message in output["messages"]] == [HumanMessage, AIMessage], given
        assert output["messages"][-1].content == "echo 嗨"
    both: Any = await graph.abatch(["a", {"messages": [("user", "b")]}])
    assert [one["messages"][-1].content for one in both] == ["echo a", "echo b"]
    chunks: list[Any] = [chunk async for chunk in graph.astream("嗨")]
    assert [chunk["node"]["messages"][0].content for chunk in chunks] == ["echo 嗨"]


def _sync(url: str) -> list[Any]:
    graph = RemoteRunnable(f"{url}/langserve/echo/")
    one: Any = graph.invoke({"messages": [("user", "hi")]})
    configs: Any = [{"tags": ["x"]}, {"configurable": {"thread_id": "mine"}}]
    many: Any = graph.batch(["a", "b"], config=configs)
    chunks: Iterator[Any] = graph.stream("hi")
    return [one["messages"][-1].content, [m["messages"][-1].content for m in many], [list(c) for c in chunks]]


async def test_its_client_without_async(house: House) -> None:
    assert await asyncio.to_thread(_sync, house.url) == ["echo hi", ["echo a", "echo b"], [["node"]]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
async def test_its_client_follows_callback_events_and_the_log(house: House) -> None:
    graph = RemoteRunnable(f"{house.url}/langserve/chat")
    seen: list[Any] = [event async for event in graph.astream_events("hi", version="v2")]
    kinds = {event["event"] for event in seen}
    assert {"on_chain_start", "on_chat_model_stream", "on_chain_stream", "on_chain_end"} <= kinds
    only: list[Any] = [
        e async for e in graph.astream_events("hi", version="v2", include_types=["chat_model"])
    ]
    assert {event["event"].rpartition("_")[0] for event in only} == {"on_chat_model"}
    log: Any = None
    async for patch in graph.astream_log("hi"):
        log = patch if log is None else log + patch
    assert log.state["final_output"]["messages"][-1].content == "Hello there."
    models = [entry for entry in log.state["logs"].values() if entry["type"] == "chat_model"]
    assert "".join(models[0]["streamed_output_str"]) == "Hello there."


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
async def test_its_client_follows_the_log_of_a_run_that_calls_a_tool(house: House) -> None:
    log: Any = None
    async for patch in RemoteRunnable(f"{house.url}/langserve/chat").astream_log("How much is 6 * 7?"):
        log = patch if log is None else log + patch
    assert log.state["final_output"]["messages"][-1].content == "It is 42."
    assert log.state["logs"]["calculator"]["type"] == "tool"


async def test_a_state_of_typings_own_typed_dict_has_a_schema_on_every_wire(house: House) -> None:
    async with house.client() as client:
        ran = await client.post("/langserve/steps/invoke", json={"input": {"n": 2}})
        assert (ran.status_code, ran.json()["output"]["n"]) == (200, 4)
        assert (await client.post("/langserve/steps/invoke", json={"input": {"n": "x"}})).status_code == 422
        asked = await client.post("/assistants", json={"graph_id": "steps"})
        told = await client.get(f"/assistants/{asked.json()['assistant_id']}/schemas")
        for schema in (
            (await client.get("/langserve/steps/input_schema")).json(),
            (await client.get("/motet/v1/graphs/steps")).json()["input_schema"],
            told.json()["input_schema"],
        ):
            assert set(schema["properties"]) == {"messages", "n"}


class Heard(BaseCallbackHandler):
    """Notes what it is called with."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.said.append((f"begins {kwargs.get('name')}", kwargs["parent_run_id"] is None))

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.said.append(("asks", messages[0][-1].content))

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.said.append(("hears", response.generations[0][0].message.content))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pydantic's, in the client
async def test_its_clients_handlers_are_called_where_an_operator_wants_it(
    settings: Settings, tmp_path: Path
) -> None:
    told = server_settings(settings, tmp_path, server__callback_events=True)
    async with open_house(told) as house:
        chat, one, two = RemoteRunnable(f"{house.url}/langserve/chat"), Heard(), Heard()
        await chat.ainvoke({"messages": [("user", "你好")]}, {"callbacks": [one]})
        await chat.abatch([{"messages": [("user", "hi")]}], {"callbacks": [two]})
    for heard, words in ((one, "你好"), (two, "hi")):
        assert ("asks", words) in heard.said
        assert ("hears", "Hello there.") in heard.said
        assert ("begins agent", False) in heard.said


async def test_its_client_is_told_of_what_goes_wrong(house: House) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        await RemoteRunnable(f"{house.url}/langserve/nope").ainvoke("hi")
    with pytest.raises(httpx.HTTPStatusError, match="no luck"):
        await RemoteRunnable(f"{house.url}/langserve/fail").ainvoke("hi")
    with pytest.raises(httpx.HTTPStatusError, match="no luck"):
        [chunk async for chunk in RemoteRunnable(f"{house.url}/langserve/fail").astream("hi")]


async def test_schemas_and_bad_bodies(client: httpx.AsyncClient) -> None:
    for what in ("input", "output", "config"):
        schema = (await client.get(f"/langserve/echo/{what}_schema")).json()
        assert schema["type"] == "object"
    bad: list[tuple[str, Any, int]] = [
        ("invoke", {}, 422), ("invoke", {"input": 5}, 422), ("invoke", [], 422),
        ("invoke", {"input": "x", "config": 5}, 422), ("invoke", {"input": "x", "config": {"configurable": 5}}, 422),
        ("batch", {"inputs": ["a", "b"], "config": [{}]}, 422), ("stream", {"input": {"messages": []}}, 422),
        ("stream_log", {"input": {"messages": [{"type": "robot"}]}}, 422), ("c/%21%21/invoke", {"input": "x"}, 400),
    ]  # fmt: skip
    for path, body, status in bad:
        answer = await client.post(f"/langserve/echo/{path}", json=body)
        assert (answer.status_code, "detail" in answer.json()) == (status, True), (path, answer.text)
    place = (await client.post("/langserve/echo/invoke", json={})).json()["detail"][0]
    assert (place["loc"], place["type"]) == (["input"], "missing")


GOOD = {"input": {"notes": ["x"]}}

LOW = "N4Igxg9gdgZglgcwK4CcCGAjANgUxALgAJRcA3HLAwkLCAdxAF8AaagFzQQGcqBtENiAC6jIA"
"""`{"configurable": {"level": "low"}, "tags": ["t"]}`, packed by LangServe's client."""

ITS_OWN: list[tuple[str, str, Any, int]] = [
    *(("GET", f"c/{LOW}/{what}_schema", None, 200) for what in ("input", "output", "config")),
    *(("GET", f"c/{bad}/{what}", None, 400) for bad in ("!!!", "NoRgukA") for what in ("input_schema", "output_schema",
      "config_schema", "playground/")),
    ("POST", "token_feedback", {"token_or_url": "x", "score": 1}, 400), ("POST", "token_feedback", {}, 422),
    ("POST", "token_feedback", {"token_or_url": "x", "score": "a"}, 422),
    ("POST", "feedback", {"run_id": "11111111-1111-4111-8111-111111111111", "key": "k"}, 404),
    ("HEAD", "feedback", None, 404), ("HEAD", "public_trace_link", None, 404), ("PUT", "public_trace_link", {}, 404),
    ("GET", f"c/{LOW}/playground/", None, 200), ("GET", "playground/nope.js", None, 404), ("GET", "invoke", None, 405),
    ("POST", "invoke", GOOD, 200), ("POST", "invoke", {}, 422), ("POST", "invoke", {**GOOD, "config": 3}, 422),
    ("POST", "invoke", {**GOOD, "config": {"configurable": 3}}, 422), ("POST", "invoke", {**GOOD, "kwargs": 3}, 200),
    ("POST", "invoke", {**GOOD, "config": {"tags": 3}}, 200), ("POST", "invoke", {**GOOD, "nope": 3}, 200),
    ("POST", "invoke", {"input": {"notes": 3}}, 422), ("POST", "stream", {"input": {"notes": 3}}, 422),
    ("POST", "stream_events", {"input": {"notes": 3}}, 422), ("POST", "stream_log", {"input": {"notes": 3}}, 422),
    ("POST", "invoke", {"input": 3}, 422), ("POST", "c/!!/invoke", GOOD, 400), ("POST", "c/NoRgukA/invoke", GOOD, 400),
    ("POST", "batch", {"inputs": [GOOD["input"]] * 2}, 200), ("POST", "batch", {"inputs": []}, 200),
    ("POST", "batch", {"inputs": [GOOD["input"]], "config": [{}, {}]}, 422),
    ("POST", "batch", {"inputs": [GOOD["input"], {"notes": 3}]}, 422),
]  # fmt: skip
"""What LangServe's own server (0.3.3) answered over the graph `notes`, asked on 2026-11-27."""


async def test_its_own_servers_statuses(settings: Settings, tmp_path: Path) -> None:
    async with open_house(agent_settings(settings, tmp_path)) as house, house.client() as client:
        for method, path, body, status in ITS_OWN:
            more: dict[str, Any] = {} if body is None else {"json": body}
            answer = await client.request(method, f"/langserve/notes/{path}", **more)
            assert answer.status_code == status, (method, path, body, answer.text)
            if path.startswith(("c/!", "c/N")) and "detail" in answer.text:
                assert answer.json() == {"detail": "Invalid config hash"}
        before = len(await house.app.records.threads())
        refused = await client.post(
            "/langserve/notes/batch", json={"inputs": [GOOD["input"], {"notes": ["x"], "total": "many"}]}
        )
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["total"])
        assert len(await house.app.records.threads()) == before  # of a batch that is refused nothing begins
        asked = {**GOOD, "config": {"configurable": {"who": "ann", "nobody": "knows"}}}
        said = (await client.post("/langserve/notes/invoke", json=asked)).json()["output"]["notes"]
        assert said == ["x", "first for ann at none", "second"]
        schema = (await client.get("/langserve/notes/config_schema")).json()
        assert list(schema["properties"]["configurable"]["properties"]) == ["who"]


def test_an_input_is_looked_at_but_for_its_messages() -> None:
    class Fields(BaseModel):
        messages: list[int]
        n: int = 0
        more: list[AnyMessage] = []

    check_input(Fields, {"messages": [("user", "x")], "n": 1})
    check_input(
        Fields, {"messages": "x", "more": [{"role": "user", "content": "x"}]}
    )  # no form that it knows
    with pytest.raises(InvalidInput) as told_of:
        check_input(Fields, {"n": "many"})
    assert [one["loc"] for one in told_of.value.fields["errors"]] == [["n"]]


PACKED = "N4IgxgrgLgFglgGwgZwKZRALgAwF8BGcAJgIYCeAPgJgBmAThAF4D2tAUqgLLgbq0BnFA"


def test_a_config_is_unpacked_or_refused() -> None:
    assert unpack("N4XyA") == {}
    for wrong in ("", "!", "N4X", "AAAA", PACKED, "N" * 300, "Q" * 300):
        with pytest.raises(BadConfigHash):
            unpack(wrong)


def test_what_is_no_message_is_left_for_the_gate_to_refuse() -> None:
    assert read_input({"anything": 1}) == {"anything": 1}
    assert read_input({"type": "human", "content": "x"}) == {"messages": [{"role": "user", "content": "x"}]}
    assert read_input(["user", "x"]) == {"messages": [{"role": "user", "content": "x"}]}


async def test_a_thread_that_a_config_names_is_not_used(house: House) -> None:
    graph = RemoteRunnable(f"{house.url}/langserve/echo")
    for _ in range(2):
        output: Any = await graph.ainvoke("hi", config={"configurable": {"thread_id": "mine", "tenant": "x"}})
        assert len(output["messages"]) == 2
    assert await house.app.records.threads() != []
    assert all(thread.thread_id != "mine" for thread in await house.app.records.threads())


async def test_what_looks_like_a_constructor_stays_what_it_is(house: House) -> None:
    secret = {"lc": 1, "type": "secret", "id": ["MOTET_API_KEY"]}
    body = {"input": {"messages": [{"role": "user", "content": json.dumps(secret)}]}}
    async with house.client() as client:
        for path in ("invoke", "stream", "stream_events", "stream_log"):
            answer = await client.post(f"/langserve/echo/{path}", json=body)
            assert "MOTET_API_KEY" in answer.text, path


async def test_the_playground_is_one_page_that_takes_nothing_from_elsewhere(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/langserve/echo/playground/")
    assert answer.status_code == 200
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", answer.headers["content-security-policy"])
    assert nonce is not None
    assert f'<script nonce="{nonce[1]}">' in answer.text
    assert re.findall(r"https?://", answer.text) == []
