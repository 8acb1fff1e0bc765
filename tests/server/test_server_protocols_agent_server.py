"""The Agent Server wire over a real socket: the same conversation that LangGraph's own server was held in.

Its answers are in `golden/agent_server.json`, as `agent_compare` leaves them; `python tests/server/agent_script.py URL
FILE` and `agent_golden.py` make that file anew.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import agent_clients
import agent_script
import httpx
import pytest
import sqlalchemy as sa
from agent_compare import normal
from agent_house import agent_settings
from server_house import House, open_house
from starlette.datastructures import Headers

from motet.runs.request import Caller
from motet.server.auth import credential_of
from motet.settings import Settings
from motet.storage.tables import assistant_versions

GOLDEN = Path(__file__).parent / "golden" / "agent_server.json"

DIFFERENT = {
    "answer_again": "an answer that nobody waits for is refused (409), not passed over",
    "assistant_schemas": "the schema of a state is the state class's own",
    "assistant_schemas_agent": "as above",
    "assistant_subgraphs": "as above",
    "assistant_subgraphs_ns": "as above",
    "cancel_join": "a run's output is what it left, not what the thread holds by now",
    "cancel_thread_after": "the words of an error that a stop leaves are Motet's",
    "copy": "a copy notes where it is from, and shows its values",
    "copy_missing": "404, not 409",
    "history_select": "`select` selects",
    "join_missing": "404, not 200 with an error inside",
    "prune_keep": "`keep_latest` works",
    "rolled_back": "the record of a run that was rolled back stays, and says so",
    "search_values": "a search by values works",
    "slow_thread_busy": "a thread that is busy shows what it holds",
    "state_at": "the place says its namespace too",
    "stateless_create": "a stateless run is told with the thread that it has",
    "stream_events": "as above",
    "stream_fail": "as above",
    "stream_subgraphs": "as above",
    "supersteps": "a thread whose state was written is idle",
    "supersteps_no_graph": "400, and no thread is made",
}
"""What answers otherwise than LangGraph's own server, and how. `docs/protocols.md` explains each."""


@pytest.fixture
async def house(settings: Settings, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(agent_settings(settings, tmp_path)) as made:
        yield made


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as made:
        yield made


BY_CHANCE = frozenset({"assistants_page"})
"""The first by its id, and ids that were just made are random: which it is differs, and its fields do not."""


async def test_the_same_conversation_has_the_same_answers_but_for_those_that_are_explained(
    client: httpx.AsyncClient,
) -> None:
    theirs: dict[str, Any] = json.loads(GOLDEN.read_text("utf-8"))
    ours = {name: normal(answer) for name, answer in (await agent_script.hold(client)).items()}
    assert {name: answer["status"] for name, answer in ours.items() if answer["status"] >= 500} == {}
    for name in BY_CHANCE:
        [our_one], [their_one] = ours.pop(name)["body"], theirs.pop(name)["body"]
        assert our_one.keys() == their_one.keys()
    different = {name for name in theirs if theirs[name] != ours[name]}
    for name in sorted(different - DIFFERENT.keys()):
        assert ours[name] == theirs[name], name
    assert DIFFERENT.keys() == different


async def test_the_real_clients_do_what_they_can(house: House) -> None:
    """One server for all of them: `make conformance` gives each its own."""
    suites: list[tuple[dict[str, Any], Any]] = [
        (agent_clients.ASYNC, agent_clients.run_async),
        (agent_clients.SYNC, agent_clients.run_sync),
        (agent_clients.REMOTE, agent_clients.run_remote),
    ]
    for checks, run in suites:
        for name, check in checks.items():
            try:
                await run(check, house.url)
            except Exception as error:
                raise AssertionError(name) from error


# Bad input


NOBODY = agent_script.NOBODY
RUN = {"assistant_id": "notes", "input": {"notes": []}}

BAD: list[tuple[str, str, Any, int]] = [
    ("POST", "/runs/wait", {**RUN, "input": [1]}, 422),
    ("POST", "/runs/wait", {**RUN, "command": {"goto": "x"}, "config": {"recursion_limit": 0}}, 422),
    ("POST", "/runs/wait", {**RUN, "context": {"who": "x"}, "config": {"configurable": {"level": "x"}}}, 400),
    ("POST", "/runs/wait", {**RUN, "stream_mode": "lifecycle"}, 422),
    ("POST", "/runs/wait", {**RUN, "after_seconds": -1}, 422),
    ("POST", "/runs/wait", {**RUN, "webhook": 3}, 422),
    ("POST", "/runs/wait", {**RUN, "assistant_id": NOBODY}, 404),
    ("POST", "/runs/wait", {"assistant_id": "notes", "command": {"resume": 1}}, 409),
    ("POST", "/runs/batch", {}, 422),
    ("POST", "/runs/batch", [], 422),
    ("POST", "/runs/batch", [{**RUN, "thread_id": NOBODY}], 404),
    ("POST", f"/threads/{NOBODY}/runs", RUN, 404),
    ("POST", "/threads/..%2Fx/runs", RUN, 404),
    ("POST", "/threads/search", {"metadata": {"a\x00": "\ud800"}}, 200),
    ("POST", "/threads/search", {"sort_by": "'; drop table threads"}, 422),
    ("POST", "/threads/search", {"select": ["nope"]}, 422),
    ("POST", "/threads/search", {"extract": {"x": "values..["}}, 422),
    ("POST", "/threads/search", {"offset": 10**12}, 422),
    ("POST", "/threads", {"metadata": {"graph_id": "notes"}, "supersteps": [{"updates": []}]}, 422),
    ("GET", f"/threads/{NOBODY}/state/%00", None, 404),
    ("GET", "/assistants/notes/graph?xray=abc", None, 422),
    ("GET", "/assistants/notes/subgraphs/nope", None, 404),
    ("GET", "/store/items?namespace=a..b&key=k", None, 422),
    ("PUT", "/store/items", {"namespace": ["a", ""], "key": "k", "value": {}}, 422),
    ("PUT", "/store/items", {"namespace": ["a\x00"], "key": "k", "value": {}}, 422),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k\x00", "value": {}}, 422),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": {"t": "x"}, "index": ["t", "t"]}, 204),
    ("DELETE", "/store/items", {"namespace": ["a\x00"], "key": "k"}, 422),
    ("GET", "/store/items?namespace=a%00&key=k", None, 422),
    ("POST", "/store/items/search", {"namespace_prefix": [], "filter": {"a": {"$nope": 1}}}, 422),
    ("POST", "/runs/crons", {**RUN, "schedule": "* * * * *", "end_time": "yesterday"}, 422),
    ("PATCH", f"/runs/crons/{NOBODY}", {"enabled": True}, 404),
    ("POST", "/runs/wait", {**RUN, "config": {"recursion_limit": 1001}}, 422),
    ("POST", "/assistants", {"graph_id": "notes", "config": {"recursion_limit": 1001}}, 422),
    ("POST", "/runs/cancel?action=nope", {"status": "all"}, 422),
    ("POST", "/runs/cancel", {"status": "all", "thread_id": NOBODY, "run_ids": [NOBODY]}, 422),
]


async def test_bad_input_has_a_status_and_words_and_never_a_500(client: httpx.AsyncClient) -> None:
    wrong: list[Any] = []
    for method, path, body, status in BAD:
        content = None if body is None else json.dumps(body).encode()
        answer = await client.request(method, path, content=content)
        if answer.status_code != status or (status >= 400 and not isinstance(answer.json()["detail"], str)):
            wrong.append((method, path, body, status, answer.status_code, answer.text[:200]))
    assert wrong == []


async def test_more_steps_than_a_run_may_have_are_refused_when_an_assistant_is_made_and_by_old_ones_runs(
    house: House, client: httpx.AsyncClient
) -> None:
    made = (await client.post("/assistants", json={"graph_id": "notes"})).json()["assistant_id"]
    config = {"config": {"recursion_limit": 5000}}
    refused = await client.patch(f"/assistants/{made}", json=config)
    words = "recursion_limit is 5000: a run may have 1 to 1000 graph steps."
    assert (refused.status_code, words in refused.json()["detail"]) == (422, True)
    # As an older Motet kept it.
    kept = sa.update(assistant_versions).where(assistant_versions.c.assistant_id == made)
    await house.app._rooms.database.write(
        lambda connection: connection.execute(
            kept.values(settings=json.dumps({**config, "context": {}}, ensure_ascii=False))
        )
    )
    run = await client.post("/runs/wait", json={"assistant_id": made, "input": {"notes": []}})
    assert (run.status_code, f"assistant {made} is 5000" in run.json()["detail"]) == (422, True)
    own = {"assistant_id": made, "input": {"notes": []}, "config": {"recursion_limit": 50}}
    assert (await client.post("/runs/wait", json=own)).status_code == 200


async def test_an_event_id_of_another_run_or_of_none_is_refused(client: httpx.AsyncClient) -> None:
    async with client.stream("POST", "/runs/stream", json=RUN | {"stream_mode": ["values"]}) as answer:
        text = (await answer.aread()).decode()
        where = answer.headers["location"]
    ids = [line[4:] for line in text.splitlines() if line.startswith("id: ")]
    assert len(ids) == len(set(ids)) == text.count("event: ")
    tag = ids[0].partition(".")[2]
    other = "00000000" if tag != "00000000" else "00000001"
    for bad in (f"1-0.{other}", "nope", "1", f"999999-0.{tag}", "1-0", "-2"):
        refused = await client.get(where, headers={"Last-Event-ID": bad})
        assert (refused.status_code, bad in refused.json()["detail"] or "999999" in bad) == (422, True), bad
    for number, event_id in enumerate(ids):
        again = (await client.get(where, headers={"Last-Event-ID": event_id})).text
        assert [line[4:] for line in again.splitlines() if line.startswith("id: ")] == ids[number + 1 :]
    for beginning in ("-1", "0"):
        assert (await client.get(where, headers={"Last-Event-ID": beginning})).text == text


async def test_a_run_of_another_door_is_watched_joined_and_answered_here(
    house: House, client: httpx.AsyncClient
) -> None:
    begun = await client.post("/motet/v1/runs", json={"graph": "ask", "input": {"notes": ["x"]}})
    run_id, thread_id = begun.json()["run_id"], begun.json()["thread_id"]
    path = f"/threads/{thread_id}/runs/{run_id}"
    joined = (await client.get(f"{path}/join")).json()
    assert joined["notes"] == ["x", "second"]
    [question] = joined["__interrupt__"]
    events = agent_script.read(await client.get(f"{path}/stream"))["body"]
    assert [event["event"] for event in events] == ["metadata", "values", "updates", "values"]
    assert events[2]["data"]["__interrupt__"][0]["id"] == question["id"]
    answer = {"assistant_id": "ask", "command": {"resume": {question["id"]: "yes"}}}
    ended = (await client.post(f"/threads/{thread_id}/runs/wait", json=answer)).json()
    assert ended["notes"][-1] == "you said yes"
    assert [run.status for run in await house.app.records.runs(thread_id)] == ["success", "interrupted"]


async def test_no_mode_is_the_mode_values(client: httpx.AsyncClient) -> None:
    shown = agent_script.read(await client.post("/runs/stream", json=RUN | {"stream_mode": []}))["body"]
    assert [event["event"] for event in shown] == ["metadata", "values", "values", "values"]


async def test_the_same_key_begins_one_run(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first, again = [await client.post("/runs", json=RUN, headers=key) for _ in range(2)]
    assert first.json()["run_id"] == again.json()["run_id"]
    other = await client.post("/runs", json={**RUN, "input": {"notes": ["other"]}}, headers=key)
    assert other.status_code == 409
    batch = [
        (await client.post("/runs/batch", json=[RUN, RUN], headers={"Idempotency-Key": "k2"})).json()
        for _ in "ab"
    ]
    assert [one["run_id"] for one in batch[0]] == [one["run_id"] for one in batch[1]]


async def test_a_stop_that_a_client_asks_for_by_leaving(house: House, client: httpx.AsyncClient) -> None:
    body = {
        "assistant_id": "slow",
        "input": {"notes": []},
        "on_disconnect": "cancel",
        "stream_mode": ["updates"],
    }
    async with client.stream("POST", "/runs/stream", json=body) as stream:
        where = stream.headers["content-location"]
        async for line in stream.aiter_lines():
            if line.startswith("event: updates"):
                break
    run_id = where.rpartition("/")[2]
    assert [one async for one in house.app.follow(run_id)][-1].event.type == "run.cancelled"


# What is another's


class _Named:
    """Takes any credential for its owner's name."""

    async def asks(self) -> bool:
        return True

    async def caller(self, headers: Headers) -> Caller:
        scopes = {"runs:write", "runs:read", "threads:*", "graphs:*", "store:*", "schedules:*"}
        return Caller(tenant_id="local", owner_id=credential_of(headers), scopes=frozenset(scopes))


async def test_what_is_anothers_is_not_there(house: House) -> None:
    house.office.auth = _Named()
    async with house.client(**{"x-api-key": "ann.lee"}) as ann, house.client(**{"x-api-key": "bob"}) as bob:
        thread = (await ann.post("/threads", json={"metadata": {"m": 1}})).json()["thread_id"]
        run = (await ann.post(f"/threads/{thread}/runs", json={**RUN, "after_seconds": 600})).json()["run_id"]
        assistant = (await ann.post("/assistants", json={"graph_id": "notes"})).json()["assistant_id"]
        cron = (await ann.post("/runs/crons", json={**RUN, "schedule": "0 5 * * *"})).json()["cron_id"]
        await ann.put("/store/items", json={"namespace": ["a"], "key": "k", "value": {"v": 1}})
        places: list[tuple[str, str, Any]] = [
            ("GET", f"/threads/{thread}", None),
            ("PATCH", f"/threads/{thread}", {"metadata": {"stolen": True}}),
            ("DELETE", f"/threads/{thread}", None),
            ("POST", f"/threads/{thread}/copy", None),
            ("GET", f"/threads/{thread}/state", None),
            ("POST", f"/threads/{thread}/state", {"values": {"notes": ["x"]}}),
            ("POST", f"/threads/{thread}/history", {}),
            ("POST", f"/threads/{thread}/runs", RUN),
            ("POST", f"/threads/{thread}/runs/wait", {**RUN, "if_not_exists": "create"}),
            ("GET", f"/threads/{thread}/runs", None),
            ("GET", f"/threads/{thread}/runs/{run}", None),
            ("DELETE", f"/threads/{thread}/runs/{run}", None),
            ("GET", f"/threads/{thread}/runs/{run}/stream", None),
            ("GET", f"/threads/{thread}/runs/{run}/join", None),
            ("GET", f"/runs/{run}/stream", None),
            ("POST", f"/threads/{thread}/runs/{run}/cancel", None),
            ("POST", "/runs/cancel", {"thread_id": thread, "run_ids": [run]}),
            ("POST", f"/threads/{thread}/runs/crons", {**RUN, "schedule": "0 5 * * *"}),
            ("GET", f"/assistants/{assistant}", None),
            ("PATCH", f"/assistants/{assistant}", {"name": "stolen"}),
            ("DELETE", f"/assistants/{assistant}", None),
            ("POST", f"/assistants/{assistant}/versions", {}),
            ("POST", "/runs/wait", {**RUN, "assistant_id": assistant}),
            ("GET", f"/runs/crons/{cron}", None),
            ("PATCH", f"/runs/crons/{cron}", {"enabled": False}),
            ("DELETE", f"/runs/crons/{cron}", None),
        ]
        answers = [await bob.request(method, path, json=body) for method, path, body in places]
        seen = {
            f"{m} {p}": a.status_code
            for (m, p, _), a in zip(places, answers, strict=True)
            if a.status_code != 404
        }
        assert seen == {}
        lists = ["/threads/search", "/runs/crons/search", "/store/items/search", "/store/namespaces"]
        found = [(await bob.post(path, json={})).json() for path in lists]
        assert found == [[], [], {"items": []}, {"namespaces": []}]
        assert (await bob.get("/store/items", params={"namespace": "a", "key": "k"})).json() is None
        assert (await bob.post("/threads/prune", json={"thread_ids": [thread]})).json() == {"pruned_count": 0}
        assert (await ann.get("/store/items", params={"namespace": "a", "key": "k"})).json()["value"] == {
            "v": 1
        }
        assert (await ann.get(f"/threads/{thread}")).json()["metadata"]["m"] == 1
        assert (await ann.get(f"/runs/crons/{cron}")).json()["enabled"] is True


async def test_a_search_by_values_looks_into_so_many_threads_and_says_so(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motet.server.protocols.agent_server.threads.MAX_SEARCHED", 3)
    for number in range(5):
        await client.post("/threads", json={"metadata": {"n": number}})
    narrow = {"values": {"total": 1}, "metadata": {"n": 3}}
    assert (await client.post("/threads/search", json=narrow)).json() == []
    for path in ("search", "count"):
        refused = await client.post(f"/threads/{path}", json={"values": {"total": 1}})
        assert refused.status_code == 422
        assert "narrow the search" in refused.json()["detail"]
