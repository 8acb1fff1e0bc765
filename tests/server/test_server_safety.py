"""Promises that are no single module's: what a request brings stays data, and the table of `docs/safety.md` is true."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agent_house import GRAPHS, agent_settings
from server_house import House, open_house

from motet import Settings

ROOT = Path(__file__).resolve().parent.parent.parent

LEAK = "leak-7f3a-of-the-environment"

ENVELOPES: list[Any] = [
    {"lc": 1, "type": "secret", "id": ["MOTET_CANARY"]},
    {"lc": 1, "type": "constructor", "id": ["os", "getenv"], "kwargs": {"key": "MOTET_CANARY"}},
    {"lc": 2, "type": "constructor", "id": ["os", "getenv"], "args": ["MOTET_CANARY"], "method": None},
    {"__type__": "os.getenv", "args": ["MOTET_CANARY"]},
    "{0.__class__} {{7*7}} {% print(1) %}",
]


@pytest.fixture
async def house(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setenv("MOTET_CANARY", LEAK)
    async with open_house(agent_settings(settings, tmp_path, graphs=(*GRAPHS, "loose"))) as made:
        yield made


async def test_what_looks_like_an_object_or_a_template_is_data_on_every_wire(house: House) -> None:
    async with house.client() as client:
        for envelope in ENVELOPES:
            given = {"notes": [envelope]}
            run = {"assistant_id": "notes", "input": given, "metadata": {"m": envelope}}
            thread = (await client.post("/threads", json={"metadata": {"m": envelope}})).json()
            on = f"/threads/{thread['thread_id']}"
            answers = [
                await client.post(f"{on}/runs/wait", json=run),
                await client.post(
                    f"{on}/runs/stream", json={**run, "stream_mode": ["values", "debug", "events"]}
                ),
                await client.get(f"{on}/state"),
                await client.post(f"{on}/history", json={}),
                await client.post("/langserve/loose/invoke", json={"input": given}),
                await client.post("/langserve/loose/stream", json={"input": given}),
                await client.post("/langserve/loose/stream_log", json={"input": given}),
                await client.post("/langserve/loose/stream_events", json={"input": given}),
                await client.put(
                    "/store/items", json={"namespace": ["a"], "key": "k", "value": {"v": envelope}}
                ),
                await client.get("/store/items?namespace=a&key=k"),
            ]
            for answer in answers:
                assert answer.is_success, (envelope, answer.request.url, answer.text[:300])
                assert LEAK not in answer.text, (envelope, answer.request.url)
            assert answers[0].json()["notes"][0] == envelope
            assert answers[4].json()["output"]["notes"][0] == envelope
            assert answers[2].json()["values"]["notes"][0] == envelope
            assert answers[-1].json()["value"]["v"] == envelope


FORBIDDEN = {
    "thread_id": "another",
    "checkpoint_ns": "x",
    "checkpoint_id": "x",
    "tenant": "x",
    "user_id": "x",
    "langgraph_auth_user": "x",
    "__pregel_resuming": True,
    "motet_tape": {},
    "motet_trace": {},
    "motet_fence": {},
}


async def test_a_config_sets_nothing_that_no_operator_named(house: House) -> None:
    async with house.client() as client:
        thread_id = (await client.post("/threads", json={})).json()["thread_id"]
        config = {"configurable": {**FORBIDDEN, "level": "high"}}
        body = {"assistant_id": "notes", "input": {"notes": []}, "config": config}
        made = (await client.post(f"/threads/{thread_id}/runs", json=body)).json()
        assert made["thread_id"] == thread_id
        assert made["kwargs"]["config"]["configurable"] == {"level": "high"}
        await client.get(f"/threads/{thread_id}/runs/{made['run_id']}/join")
        assert (await client.get(f"/threads/{thread_id}")).json()["status"] == "idle"


async def test_a_client_that_sends_nonsense_troubles_no_other(house: House) -> None:
    async with house.client() as client:
        for content in (
            b"",
            b"{",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b"null",
            b"\x00",
            b'"' * 1000,
        ):
            for path in ("/runs/wait", "/v1/chat/completions", "/langserve/notes/invoke", "/motet/v1/runs"):
                answer = await client.post(path, content=content)
                assert 400 <= answer.status_code < 500, (path, content[:20], answer.text[:200])
        good = await client.post("/runs/wait", json={"assistant_id": "notes", "input": {"notes": ["x"]}})
        assert good.json()["notes"] == ["x"] or good.is_success


async def test_a_field_that_nobody_knows_is_refused_on_motets_own_wire(house: House) -> None:
    async with house.client() as client:
        for more in ({"graph_code": "x"}, {"options": {"sandbox": "off"}}, {"caller": {}}):
            body = {"input": {"messages": [{"role": "user", "content": "x"}]}, **more}
            assert (await client.post("/motet/v1/runs", json=body)).status_code == 422


def test_each_promise_names_a_test_that_is_there() -> None:
    rows = re.findall(
        r"^\| (S-\d\d) \| .+ \| `(tests/\S+)::(\w+)` \|$",
        (ROOT / "docs" / "safety.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert len(rows) >= 25
    for number, path, name in rows:
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), number


def test_no_secret_is_compared_byte_by_byte() -> None:
    """A key's hash and a signature are compared in constant time."""
    for path in ("motet/server/keys.py", "motet/storage/seal.py"):
        assert "compare_digest" in (ROOT / path).read_text("utf-8"), path
