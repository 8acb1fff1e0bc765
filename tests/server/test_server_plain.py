"""JSON as it crosses the door: what no other client can read never leaves, and half a character never comes in."""

import json
from typing import Any

import httpx
import pytest
from server_house import House

from motet.errors import InvalidInput
from motet.server.call import read_json
from motet.server.plain import PlainAnswer, json_text

HALF = "a\ud83d"
"""What a program leaves that cuts a text by UTF-16's units."""


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": "\\ud83d"}', {"a": "\ufffd"}),
        (b'["x\\uDE00y", {"\\ud800": 1}]', ["x\ufffdy", {"\ufffd": 1}]),
        (b'"\\ud83d\\ud83d\\ude00"', "\ufffd😀"),
        (b'"\\ud83d\\ude00 \\\\ud83d"', "😀 \\ud83d"),
        ('"中"'.encode(), "中"),
    ],
)
def test_half_a_character_comes_in_as_the_replacement_character(body: bytes, value: Any) -> None:
    assert read_json(body) == value


@pytest.mark.parametrize("body", [b"[" * 100_000, b'["\\ud800",' + b"[" * 980 + b"]" * 980 + b"]"])
def test_a_body_that_is_nested_too_deeply_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="nested too deeply"):
        read_json(body)


def test_what_json_has_no_word_for_leaves_as_null() -> None:
    value = {"n": [float("nan"), 1.5], "i": (float("inf"), {"j": -float("inf")}), "s": HALF}
    assert json.loads(json_text(value)) == {"n": [None, 1.5], "i": [None, {"j": None}], "s": HALF}
    assert json.loads(bytes(PlainAnswer(value).body)) == {
        "n": [None, 1.5],
        "i": [None, {"j": None}],
        "s": "a\ufffd",
    }
    assert json_text({"a": [1, "中"]}) == '{"a": [1, "中"]}'
    assert json_text({"a": [1, "中"]}, compact=True) == '{"a":[1,"中"]}'


def _refuse(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def _read(answer: httpx.Response) -> None:
    """Read an answer as strictly as a browser does."""
    assert answer.status_code == 200, (str(answer.request.url), answer.text[:300])
    if answer.headers["content-type"].startswith("application/json"):
        json.loads(answer.text, parse_constant=_refuse)
        return
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    for line in lines:
        if line != "[DONE]":
            json.loads(line, parse_constant=_refuse)
    assert lines


@pytest.mark.parametrize("kind", ["nan", "inf", "half"])
async def test_a_graph_that_leaves_odd_values_is_read_on_every_wire(
    client: httpx.AsyncClient, kind: str
) -> None:
    given = {"messages": [{"role": "user", "content": kind}]}
    run = {"assistant_id": "odd", "input": given}
    thread_id = (await client.post("/threads", json={})).json()["thread_id"]
    on = f"/threads/{thread_id}"
    modes = ["values", "updates", "custom", "debug", "tasks", "checkpoints", "events", "messages-tuple"]
    for path, body in (
        (f"{on}/runs/wait", run),
        (f"{on}/runs/stream", {**run, "stream_mode": modes}),
        (f"{on}/history", {}),
        ("/threads/search", {"ids": [thread_id], "extract": {"x": "values.odd"}}),
        (f"{on}/copy", None),
        ("/langserve/odd/invoke", {"input": given}),
        ("/langserve/odd/batch", {"inputs": [given]}),
        ("/langserve/odd/stream", {"input": given}),
        ("/langserve/odd/stream_log", {"input": given}),
        ("/langserve/odd/stream_events", {"input": given}),
        ("/v1/chat/completions", {"model": "odd", "messages": given["messages"]}),
        ("/v1/chat/completions", {"model": "odd", "messages": given["messages"], "stream": True}),
        ("/v1/responses", {"model": "odd", "input": kind}),
        ("/v1/responses", {"model": "odd", "input": kind, "stream": True}),
    ):
        _read(await client.post(path, json=body))
    own = (await client.post("/motet/v1/runs", json={"graph": "odd", "input": given})).json()
    runs = (await client.get(f"{on}/runs")).json()
    for path in (
        on,
        f"{on}/state",
        f"{on}/runs/{runs[0]['run_id']}/join",
        f"/motet/v1/runs/{own['run_id']}/events",
        f"/motet/v1/threads/{own['thread_id']}/messages",
    ):
        _read(await client.get(path))


SAYS: dict[str, Any] = {"model": "echo", "messages": [{"role": "user", "content": "x"}]}

CONFIGS: list[tuple[str, Any]] = [
    ("tags", "x"), ("tags", 5), ("tags", [1]), ("configurable", "x"), ("configurable", [[]]), ("recursion_limit", "x"),
]  # fmt: skip

WRONG: list[tuple[str, dict[str, Any]]] = [
    *(("/assistants", {"graph_id": "echo", "config": {name: value}}) for name, value in CONFIGS),
    *((f"/assistants/{what}", {"name": "x" * 70_000}) for what in ("search", "count")),
    *(("/v1/chat/completions", SAYS | {"response_format": value}) for value in ("x", 5, [1])),
    *(
        ("/v1/responses", {"model": "echo", "input": "x", "text": value})
        for value in ("x", 5, [1], {"format": "x"})
    ),
    ("/v1/chat/completions", {"model": "\ud800", "messages": []}),
    ("/runs/wait", {"assistant_id": "\ud800"}),
    ("/assistants/search", {"select": ["\ud800"]}),
]


async def test_a_value_of_a_wrong_type_is_the_callers_fault(house: House) -> None:
    async with house.client() as client:
        for path, body in WRONG:
            answer = await client.post(path, content=json.dumps(body))
            assert 400 <= answer.status_code < 500, (path, str(body)[:80], answer.text[:200])
        for path, body in (
            ("/assistants", {"graph_id": "echo", "metadata": {"a": HALF}, "config": {"mine": 1}}),
            ("/threads/search", {"metadata": {"a": HALF}}),
            ("/threads/count", {"metadata": {"a": [HALF]}}),
        ):
            answer = await client.post(path, content=json.dumps(body))
            assert answer.status_code == 200, (path, answer.text)
            assert not isinstance(answer.json(), dict) or answer.json()["config"] == {"mine": 1}
