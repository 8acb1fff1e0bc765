"""Motet's own wire: runs and their events."""

import asyncio

import httpx
from server_house import House, events_of, run_of, says


async def test_a_run_is_started_followed_and_looked_at(client: httpx.AsyncClient) -> None:
    accepted = await run_of(client, says("hi", graph="echo"))
    events = await events_of(client, accepted["run_id"])
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [e["text"] for e in events if e["type"] == "message.completed"] == ["hi", "echo hi"]
    assert events[-1]["type"] == "run.completed"
    run = (await client.get(f"/motet/v1/runs/{accepted['run_id']}")).json()
    assert (run["status"], run["last_seq"]) == ("success", len(events))


async def test_a_stream_goes_on_after_the_event_that_a_client_saw_last(client: httpx.AsyncClient) -> None:
    accepted = await run_of(client, says("hi", graph="echo"))
    whole = await events_of(client, accepted["run_id"])
    for seen in range(len(whole) + 1):
        assert await events_of(client, accepted["run_id"], **{"Last-Event-ID": str(seen)}) == whole[seen:]
    for wrong in (str(len(whole) + 1), "x", "1.5", "9" * 30):
        answer = await client.get(
            f"/motet/v1/runs/{accepted['run_id']}/events", headers={"Last-Event-ID": wrong}
        )
        assert answer.status_code == 422, wrong


async def test_the_same_key_and_body_are_one_run(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}
    bodies = await asyncio.gather(*(run_of(client, says("hi", graph="echo"), **key) for _ in range(20)))
    assert len({body["run_id"] for body in bodies}) == 1
    assert sum(body["created"] for body in bodies) == 1
    other = await client.post("/motet/v1/runs", json=says("ho", graph="echo"), headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_a_question_is_answered_by_a_run_of_its_own(client: httpx.AsyncClient) -> None:
    accepted = await run_of(client, says("hi", graph="ask"))
    assert (await events_of(client, accepted["run_id"]))[-1]["type"] == "run.interrupted"
    answered = await run_of(client, {"thread_id": accepted["thread_id"], "resume": "yes"})
    events = await events_of(client, answered["run_id"])
    assert [e["text"] for e in events if e["type"] == "message.completed"] == ["you said yes"]


async def test_a_run_is_stopped(client: httpx.AsyncClient) -> None:
    accepted = await run_of(client, says("hi", graph="wait"))
    path = f"/motet/v1/runs/{accepted['run_id']}"
    assert (await client.post(f"{path}/cancel")).json() == {"asked": True}
    assert (await events_of(client, accepted["run_id"]))[-1]["type"] == "run.cancelled"
    assert (await client.post(f"{path}/cancel")).json() == {"asked": False}


async def test_a_client_that_leaves_stops_its_run_when_it_said_so(
    house: House, client: httpx.AsyncClient
) -> None:
    accepted = await run_of(client, says("hi", graph="wait"))
    path = f"/motet/v1/runs/{accepted['run_id']}/events"
    async with client.stream("GET", f"{path}?on_disconnect=cancel") as stream:
        await anext(stream.aiter_lines())
    last = [recorded async for recorded in house.app.follow(accepted["run_id"])][-1]
    assert last.event.type == "run.cancelled"


async def test_parts_of_the_graphs_own_stream_are_kept_when_asked_for(client: httpx.AsyncClient) -> None:
    modes = ["values", "updates", "events", "checkpoints", "tasks", "debug"]
    accepted = await run_of(client, says("hi", graph="echo", options={"record": modes}))
    parts = [e for e in await events_of(client, accepted["run_id"]) if e["type"] == "stream.part"]
    assert {part["mode"] for part in parts} == set(modes)
    values = [part["data"]["messages"][-1] for part in parts if part["mode"] == "values"]
    assert [(m["type"], m["content"]) for m in values] == [("human", "hi"), ("ai", "echo hi")]
    [update] = [part["data"] for part in parts if part["mode"] == "updates"]
    assert update["node"]["messages"][0]["content"] == "echo hi"
    assert "__motet_" not in str(parts)
