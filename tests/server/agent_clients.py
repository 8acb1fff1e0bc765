"""What the real clients of the Agent Server do, one function an operation: tests run them, and so does a table of it.


`ASYNC` go through `langgraph_sdk`'s asynchronous client, `SYNC` through its other one, `REMOTE` through `RemoteGraph`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError

Check = Callable[[Any], Awaitable[None]]

ASYNC: dict[str, Check] = {}
SYNC: dict[str, Callable[[Any], None]] = {}
REMOTE: dict[str, Check] = {}


def said(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def _async(check: Check) -> Check:
    ASYNC[check.__name__.removeprefix("_").replace("_", " ")] = check
    return check


def _sync(check: Callable[[Any], None]) -> Callable[[Any], None]:
    SYNC[check.__name__.removeprefix("_").removesuffix("_sync").replace("_", " ")] = check
    return check


def _remote(check: Check) -> Check:
    REMOTE[check.__name__.removeprefix("_").removesuffix("_remote").replace("_", " ")] = check
    return check


def clients(url: str) -> tuple[Any, Any]:
    """Return the two clients of a server, which look at no environment."""
    return get_client(url=url, api_key=None), get_sync_client(url=url, api_key=None)


@_async
async def _assistants_with_versions(client: Any) -> None:
    of = client.assistants
    made = await of.create("notes", config={"configurable": {"level": "high"}}, name="One", metadata={"t": 1})
    assert (await of.get(made["assistant_id"]))["graph_id"] == "notes"
    changed = await of.update(made["assistant_id"], name="Two")
    assert (changed["version"], changed["name"]) == (2, "Two")
    assert [one["version"] for one in await of.get_versions(made["assistant_id"])] == [2, 1]
    assert (await of.set_latest(made["assistant_id"], 1))["name"] == "One"
    assert [one["name"] for one in await of.search(metadata={"t": 1})] == ["One"]
    page = await of.search(limit=1, response_format="object")
    assert page["next"] == "1"
    assert await of.count(graph_id="notes") == 2
    assert {"nodes", "edges"} == (await of.get_graph("notes")).keys()
    assert (await of.get_schemas(made["assistant_id"]))["input_schema"]["title"] == "Notes"
    nested = (await of.search(graph_id="nested"))[0]["assistant_id"]
    assert list(await of.get_subgraphs(nested, recurse=True)) == ["inner"]
    await of.delete(made["assistant_id"])
    try:
        await of.get(made["assistant_id"])
    except NotFoundError:
        return
    raise AssertionError("it is still there")


@_async
async def _threads(client: Any) -> None:
    of = client.threads
    made = await of.create(metadata={"topic": "sums"})
    await of.update(made["thread_id"], metadata={"mood": "good"})
    assert (await of.get(made["thread_id"]))["metadata"] == {"topic": "sums", "mood": "good"}
    assert [one["thread_id"] for one in await of.search(metadata={"mood": "good"})] == [made["thread_id"]]
    assert await of.count(metadata={"mood": "good"}) == 1
    await client.runs.wait(made["thread_id"], "notes", input={"notes": ["x"]})
    assert [
        one["values"]["total"] for one in await of.search(values={"total": 11}, ids=[made["thread_id"]])
    ] == [11]
    copied = await of.copy(made["thread_id"])
    assert (await of.get_state(copied["thread_id"]))["values"]["total"] == 11
    assert (await of.prune([copied["thread_id"]]))["pruned_count"] == 1
    await of.delete(made["thread_id"])
    try:
        await of.create(thread_id=copied["thread_id"])
        await of.create(thread_id=copied["thread_id"])
    except ConflictError:
        return
    raise AssertionError("it was made twice")


@_async
async def _state_history_and_updates(client: Any) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "notes", input={"notes": ["x"]}, interrupt_before=["second"])
    state = await client.threads.get_state(thread)
    assert state["next"] == ["second"]
    updated = await client.threads.update_state(thread, {"notes": ["edited"]}, as_node="first")
    at = updated["checkpoint"]["checkpoint_id"]
    assert (await client.threads.get_state(thread, checkpoint_id=at))["values"]["notes"][-1] == "edited"
    assert (await client.threads.get_state(thread, checkpoint=updated["checkpoint"]))["next"] == ["second"]
    result = await client.runs.wait(thread, "notes", input=None)
    assert result["notes"][-2:] == ["edited", "second"]
    history = await client.threads.get_history(thread, limit=3)
    assert [one["metadata"]["source"] for one in history] == ["loop", "update", "loop"]
    assert len(await client.threads.get_history(thread, before=history[1]["checkpoint"])) >= 2
    forked = await client.runs.wait(thread, "notes", input=None, checkpoint_id=at)
    assert forked["notes"][-2:] == ["edited", "second"]


@_async
async def _every_stream_mode(client: Any) -> None:
    modes = ["values", "updates", "messages-tuple", "custom", "tasks", "checkpoints", "debug", "events"]
    seen: set[str] = set()
    async for part in client.runs.stream(None, "agent", input=said("add 2 3"), stream_mode=modes):
        seen.add(part.event)
    assert seen == {"metadata", "messages", *modes} - {"messages-tuple"}
    seen = {
        part.event
        async for part in client.runs.stream(None, "agent", input=said("x"), stream_mode="messages")
    }
    assert seen == {"metadata", "messages/metadata", "messages/partial"}


@_async
async def _subgraphs_in_a_stream(client: Any) -> None:
    stream = client.runs.stream(
        None,
        "nested",
        input=said("x"),
        stream_mode=["updates", "messages-tuple"],
        stream_subgraphs=True,
        version="v2",
    )
    parts = [part async for part in stream]
    assert any(part["ns"] and part["type"] == "updates" for part in parts)
    assert any(part["ns"] and part["type"] == "messages" for part in parts)


@_async
async def _runs_in_the_background(client: Any) -> None:
    thread = (await client.threads.create())["thread_id"]
    made: list[Any] = []
    run = await client.runs.create(thread, "notes", input={"notes": ["x"]}, on_run_created=made.append)
    assert made[0]["run_id"] == run["run_id"]
    assert (await client.runs.join(thread, run["run_id"]))["total"] == 11
    assert (await client.runs.get(thread, run["run_id"]))["status"] == "success"
    assert [one["run_id"] for one in await client.runs.list(thread)] == [run["run_id"]]
    replayed = [part async for part in client.runs.join_stream(thread, run["run_id"])]
    assert replayed[0].event == "metadata"
    assert replayed[-1].data["total"] == 11
    later = [
        part async for part in client.runs.join_stream(thread, run["run_id"], last_event_id=replayed[-2].id)
    ]
    assert [part.id for part in later] == [replayed[-1].id]
    await client.runs.delete(thread, run["run_id"])
    assert await client.runs.list(thread) == []


@_async
async def _a_threads_stream(client: Any) -> None:
    thread = (await client.threads.create())["thread_id"]
    runs = [(await client.runs.create(thread, "notes", input={"notes": []}))["run_id"] for _ in "ab"]
    seen: list[Any] = []
    async for part in await client.threads.join_stream(thread, last_event_id="-1"):
        seen.append(part)
        if part.data == {"status": "run_done", "run_id": runs[1]}:
            break
    begun = [part.data["run_id"] for part in seen if part.event == "metadata" and "attempt" in part.data]
    assert begun == runs
    async for part in await client.threads.join_stream(thread, last_event_id=seen[-2].id):
        assert part.id == seen[-1].id
        break


@_async
async def _protocol_v2_a_run_in_channels(client: Any) -> None:
    async with client.threads.stream(assistant_id="agent") as thread:
        assert "run_id" in await thread.run.start(input=said("add 2 3"))
        told: dict[str, list[Any]] = {}
        async for channel, one in thread.interleave_projections(["messages", "values", "updates"]):
            told.setdefault(channel, []).append(one)
        assert await told["messages"][-1].text == "The sum is 5."
        assert told["values"][-1]["messages"][-1]["content"] == "The sum is 5."
        assert {one["node"] for one in told["updates"]} >= {"model", "tools"}
        assert (await thread.output)["messages"][-1]["content"] == "The sum is 5."


@_async
async def _protocol_v2_a_question_and_its_answer(client: Any) -> None:
    async with client.threads.stream(assistant_id="ask") as thread:
        await thread.run.start(input={"notes": ["x"]})
        seen = [one async for one in thread.values]  # ends where the run waits
        await _until_true(lambda: thread.interrupted)
        # The client learns of the wait by a stream of its own, which may overtake the one that brings the values.
        assert seen
        assert (await _values_until_it_asks(client, thread.thread_id))[-1]["total"] == 10
        assert (await client.threads.get_state(thread.thread_id))["values"]["total"] == 10
        assert thread.interrupts[0]["value"] == {"question": "really?"}
        await thread.run.respond("yes")
        assert (await thread.output)["notes"][-1] == "you said yes"


async def _values_until_it_asks(client: Any, thread_id: str) -> list[dict[str, Any]]:
    """Return the values that one stream of a thread brings before it says that the run asks something."""
    values: list[dict[str, Any]] = []
    path, body = f"/threads/{thread_id}/stream/events", {"channels": ["values", "input"]}
    async with client.http.client.stream("POST", path, json=body) as stream:
        async for line in stream.aiter_lines():
            event: dict[str, Any] = json.loads(line[6:]) if line.startswith("data: {") else {}
            if event.get("method") == "input.requested":
                break
            if event.get("method") == "values":
                values.append(event["params"]["data"])
    return values


async def _until_true(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not met():  # noqa: ASYNC110  # the client tells nobody
            await asyncio.sleep(0.01)


@_async
async def _batches_and_runs_by_themselves(client: Any) -> None:
    one = {"assistant_id": "notes", "input": {"notes": []}}
    assert len(await client.runs.create_batch([one, one])) == 2
    assert (await client.runs.wait(None, "notes", input={"notes": []}))["total"] == 11
    assert (await client.runs.create(None, "notes", input={"notes": []}))["status"] == "pending"


@_async
async def _interrupts(client: Any) -> None:
    thread = (await client.threads.create())["thread_id"]
    asked = await client.runs.wait(thread, "ask", input={"notes": []})
    [question] = asked["__interrupt__"]
    shown = await client.threads.get(thread)
    assert shown["status"] == "interrupted"
    assert [one["id"] for many in shown["interrupts"].values() for one in many] == [question["id"]]
    result = await client.runs.wait(thread, "ask", command={"resume": {question["id"]: "yes"}})
    assert result["notes"][-1] == "you said yes"
    assert (await client.threads.get(thread))["status"] == "idle"


@_async
async def _cancelling(client: Any) -> None:
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread, "slow", input={"notes": ["x"]})
    await _until(client, thread, run, "running")
    await client.runs.cancel(thread, run["run_id"], wait=True)
    ended = await client.runs.get(thread, run["run_id"])
    assert (ended["status"], ended["cancel_reason"]) == ("interrupted", "interrupt")
    run = await client.runs.create(thread, "slow", input={"notes": ["y"]})
    await _until(client, thread, run, "running")
    await client.runs.cancel(thread, run["run_id"], wait=True, action="rollback")
    assert (await client.runs.get(thread, run["run_id"]))["cancel_reason"] == "rollback"
    assert "y" not in (await client.threads.get_state(thread))["values"]["notes"]
    later = await client.runs.create(thread, "notes", input={"notes": []}, after_seconds=600)
    await client.runs.cancel_many(thread_id=thread, run_ids=[later["run_id"]])
    assert (await client.runs.get(thread, later["run_id"]))["status"] == "interrupted"


@_async
async def _double_texting(client: Any) -> None:
    thread = (await client.threads.create())["thread_id"]
    slow = await client.runs.create(thread, "slow", input={"notes": ["first"]})
    await _until(client, thread, slow, "running")
    try:
        await client.runs.create(thread, "notes", input={"notes": []}, multitask_strategy="reject")
    except ConflictError:
        pass
    else:
        raise AssertionError("the second run was taken")
    queued = await client.runs.create(
        thread, "notes", input={"notes": ["queued"]}, multitask_strategy="enqueue"
    )
    assert (await client.runs.get(thread, queued["run_id"]))["status"] == "pending"
    kept = await client.runs.wait(thread, "notes", input={"notes": ["i"]}, multitask_strategy="interrupt")
    assert kept["notes"][:2] == ["first", "second"]
    slow = await client.runs.create(thread, "slow", input={"notes": ["gone"]})
    await _until(client, thread, slow, "running")
    rolled = await client.runs.wait(thread, "notes", input={"notes": ["r"]}, multitask_strategy="rollback")
    assert "gone" not in rolled["notes"]


@_async
async def _errors(client: Any) -> None:
    try:
        await client.runs.wait(None, "fail", input={"notes": []})
    except Exception as error:
        assert str(error) == "ValueError: no luck"  # noqa: PT017
    parts = [
        part async for part in client.runs.stream(None, "fail", input={"notes": []}, stream_mode="updates")
    ]
    assert (parts[-1].event, parts[-1].data) == ("error", {"error": "ValueError", "message": "no luck"})
    for wrong in (lambda: client.runs.create(None, "nope", input={}), lambda: client.threads.get("nope")):
        try:
            await wrong()
        except UnprocessableEntityError:
            continue
        raise AssertionError("it was taken")


@_async
async def _the_store(client: Any) -> None:
    await client.store.put_item(["users", "ann"], "likes", {"food": "面条 noodles"}, ttl=60)
    assert (await client.store.get_item(["users", "ann"], "likes"))["value"] == {"food": "面条 noodles"}
    found = await client.store.search_items(["users"], filter={"food": "面条 noodles"}, query="面条")
    assert [one["key"] for one in found["items"]] == ["likes"]
    assert await client.store.list_namespaces(prefix=["users"]) == {"namespaces": [["users", "ann"]]}
    await client.store.delete_item(["users", "ann"], "likes")
    assert await client.store.get_item(["users", "ann"], "likes") is None


@_async
async def _crons(client: Any) -> None:
    thread = (await client.threads.create())["thread_id"]
    made = await client.crons.create(
        "notes", schedule="0 5 * * *", input={"notes": []}, timezone="Asia/Shanghai"
    )
    assert made["next_run_date"].endswith("T21:00:00.000000+00:00")
    on_thread = await client.crons.create_for_thread(
        thread, "notes", schedule="*/5 * * * *", input={"notes": []}
    )
    assert [one["cron_id"] for one in await client.crons.search(thread_id=thread)] == [on_thread["cron_id"]]
    assert await client.crons.count(assistant_id="notes") == 2
    changed = await client.crons.update(made["cron_id"], schedule="0 6 * * *", enabled=False)
    assert (changed["schedule"], changed["enabled"]) == ("0 6 * * *", False)
    for one in (made, on_thread):
        await client.crons.delete(one["cron_id"])
    assert await client.crons.count() == 0


@_sync
def _a_conversation_sync(client: Any) -> None:
    thread = client.threads.create(metadata={"by": "sync"})["thread_id"]
    parts = list(
        client.runs.stream(thread, "agent", input=said("add 2 3"), stream_mode=["updates", "values"])
    )
    assert [message["content"] for message in parts[-1].data["messages"]][-1] == "The sum is 5."
    assert (
        client.runs.wait(thread, "agent", input=said("hello"))["messages"][-1]["content"] == "You said hello"
    )
    assert len(client.threads.get_state(thread)["values"]["messages"]) == 6
    assert [one["thread_id"] for one in client.threads.search(metadata={"by": "sync"})] == [thread]
    client.threads.delete(thread)


@_sync
def _assistants_store_and_crons_sync(client: Any) -> None:
    assert client.assistants.search(graph_id="agent")[0]["name"] == "agent"
    client.store.put_item(["a"], "k", {"v": 1})
    assert client.store.get_item(["a"], "k")["value"] == {"v": 1}
    cron = client.crons.create("notes", schedule="0 5 * * *", input={"notes": []})
    client.crons.delete(cron["cron_id"])


@_remote
async def _invoke_and_stream_remote(graph: Any) -> None:
    result = await graph.ainvoke(said("add 2 3"))
    assert result["messages"][-1]["content"] == "The sum is 5."
    seen = [part async for part in graph.astream(said("x y"), stream_mode="updates")]
    assert list(seen[-1]) == ["model"]
    tokens = [chunk[0]["content"] async for chunk in graph.astream(said("x y"), stream_mode="messages")]
    assert "".join(tokens) == "You said x y"
    assert (await asyncio.to_thread(graph.invoke, said("x")))["messages"][-1]["content"] == "You said x"


@_remote
async def _state_and_drawing_remote(graph: Any) -> None:
    config = {"configurable": {"thread_id": "22222222-2222-4222-8222-222222222222"}}
    await graph.ainvoke(said("x"), config)
    state = await graph.aget_state(config)
    assert state.values["messages"][-1]["content"] == "You said x"
    updated = await graph.aupdate_state(config, said("y"), as_node="tools")
    assert updated["configurable"]["checkpoint_id"]
    assert (await graph.aget_state(config)).next == ("model",)
    history = [one async for one in graph.aget_state_history(config)]
    assert len(history) == 4
    drawn = await graph.aget_graph()
    assert set(drawn.nodes) == {"__start__", "model", "tools", "__end__"}


async def run_async(check: Check, url: str) -> None:
    """Run a check with a client of its own, closed afterwards."""
    client, other = clients(url)
    try:
        await check(client)
    finally:
        await client.aclose()
        other.close()


async def run_sync(check: Callable[[Any], None], url: str) -> None:
    """Run a check of the other client, on a thread."""
    client, other = clients(url)
    try:
        await asyncio.to_thread(check, other)
    finally:
        await client.aclose()
        other.close()


async def run_remote(check: Check, url: str) -> None:
    """Run a check of `RemoteGraph`."""
    client, other = clients(url)
    try:
        await check(RemoteGraph("agent", client=client, sync_client=other))
    finally:
        await client.aclose()
        other.close()


async def _until(client: Any, thread: str, run: Any, status: str) -> None:
    while (await client.runs.get(thread, run["run_id"]))["status"] != status:  # noqa: ASYNC110  # a client polls
        await asyncio.sleep(0.02)


__all__ = ["ASYNC", "REMOTE", "SYNC", "httpx", "run_async", "run_remote", "run_sync"]
