"""Every route of the authorisation table, asked by one who does not own what is asked for.

The answer is the same, to the byte but for the id, as for what does not exist; and no list shows anything of it. What a
route is sent is made from its path; what its body needs besides stands in `BODIES`, and a route without a line there
that takes a body is found by the last test.
"""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_house import House, events_of, open_house, run_of, says, server_settings

from motet import Settings, build_app
from motet.app.tidying import delete_every_tenants
from motet.memory.fact import Source
from motet.runs.request import Caller
from motet.server.http import table
from motet.server.protocols.base import Route, known_wires

ROUTES = [route for _, route in table(known_wires([])) if route.scope not in ("public", "admin")]

CANARY = "canary-和-7f3a"

SCOPES = [f"{area}:*" for area in ("runs", "threads", "graphs", "store", "schedules", "knowledge", "memory")]

Ids = dict[str, str]

NAMES = (
    "run_id",
    "thread_id",
    "response_id",
    "assistant_id",
    "cron_id",
    "memory_id",
    "collection",
    "key",
    "passage_id",
)


def absent() -> Ids:
    """Ids of nothing, in the same form."""
    return {
        **{name: str(uuid.uuid4()) for name in NAMES},
        "response_id": f"resp_{uuid.uuid4()}",
        "collection": f"c{uuid.uuid4().hex}",
    }


def _run(ids: Ids) -> Any:
    return {"assistant_id": "echo", "input": says("x")["input"], "if_not_exists": "reject"}


def _cron(ids: Ids) -> Any:
    return {**_run(ids), "schedule": "0 0 1 1 *"}


BODIES: dict[str, Callable[[Ids], Any]] = {
    "runs.create": lambda ids: says("x", graph="echo", thread_id=ids["thread_id"]),
    "threads.fork": lambda _: {},
    "knowledge.search": lambda ids: {"query": CANARY, "collections": [ids["collection"]]},
    "knowledge.add_pages": lambda _: {"urls": ["http://127.0.0.1:9/x"]},
    "openai.chat.create": lambda ids: {
        "model": "motet/echo", "messages": [{"role": "user", "content": "x"}], "thread_id": ids["thread_id"],
    },
    "openai.responses.create": lambda ids: {
        "model": "motet/echo", "input": "x", "previous_response_id": ids["response_id"],
    },
    "agent_server.assistants.search": lambda _: {"limit": 100},
    "agent_server.assistants.count": lambda _: {"name": CANARY},
    "agent_server.assistants.update": lambda _: {"name": "mine now"},
    "agent_server.assistants.versions": lambda _: {},
    "agent_server.assistants.latest": lambda _: {"version": 1},
    "agent_server.threads.search": lambda _: {"limit": 100},
    "agent_server.threads.count": lambda _: {"metadata": {"c": CANARY}},
    "agent_server.threads.command": lambda ids: {"id": 1, "method": "run.start", "params": _run(ids)},
    "agent_server.threads.events": lambda _: {"channels": ["values"]},
    "agent_server.threads.prune": lambda ids: {"thread_ids": [ids["thread_id"]]},
    "agent_server.threads.update": lambda _: {"metadata": {"mine": "now"}},
    "agent_server.threads.update_state": lambda _: {"values": {"messages": []}},
    "agent_server.threads.state_at": lambda _: {"checkpoint": {}},
    "agent_server.threads.history": lambda _: {},
    "agent_server.crons.create_on_thread": _cron,
    "agent_server.crons.create": lambda ids: {**_cron(ids), "assistant_id": ids["assistant_id"]},
    "agent_server.crons.search": lambda _: {"limit": 100},
    "agent_server.crons.count": lambda _: {},
    "agent_server.crons.update": lambda _: {"enabled": False},
    "agent_server.runs.create": _run,
    "agent_server.runs.stream": _run,
    "agent_server.runs.wait": _run,
    "agent_server.runs.create_stateless": lambda ids: {**_run(ids), "assistant_id": ids["assistant_id"]},
    "agent_server.runs.stream_stateless": lambda ids: {**_run(ids), "assistant_id": ids["assistant_id"]},
    "agent_server.runs.wait_stateless": lambda ids: {**_run(ids), "assistant_id": ids["assistant_id"]},
    "agent_server.runs.batch": lambda ids: [{**_run(ids), "thread_id": ids["thread_id"]}],
    "agent_server.runs.cancel_many": lambda ids: {"thread_id": ids["thread_id"], "run_ids": [ids["run_id"]]},
    "agent_server.store.delete": lambda ids: {"namespace": ["ns"], "key": ids["key"]},
    "agent_server.store.search": lambda _: {"namespace_prefix": []},
    "agent_server.store.namespaces": lambda _: {},
}  # fmt: skip
"""What a route's body holds, from ids; `OWN` have none of others in them."""

QUERIES: dict[str, Callable[[Ids], dict[str, str]]] = {
    "runs.list": lambda ids: {"thread_id": ids["thread_id"]},
    "messages.search": lambda _: {"q": CANARY},
    "knowledge.show": lambda _: {"source": "a.md"},
    "knowledge.remove": lambda _: {"source": "a.md"},
    "memories.list": lambda _: {"q": CANARY},
    "agent_server.store.get": lambda ids: {"namespace": "ns", "key": ids["key"]},
}

OWN = {
    "knowledge.add",
    "agent_server.assistants.create",
    "agent_server.threads.create",
    "agent_server.store.put",
}
"""Routes that make something of the caller's own, and name nothing that is there."""

OF_THE_TENANT = {
    *("knowledge.list", "knowledge.search", "knowledge.documents", "knowledge.show", "knowledge.passage"),
    *("knowledge.sync", "knowledge.remove", "memories.list", "memories.forget"),
}
"""Documents and memories belong to a tenant, and all of its owners share them."""


@pytest.fixture
async def locked(settings: Settings, tmp_path: Path) -> AsyncIterator[House]:
    """A server with keys of an owner, of somebody else of the same tenant, and of another tenant."""
    made = server_settings(settings, tmp_path)
    async with build_app(made) as app:
        keys = {
            "ann": (await app.keys.create("ann", tenant_id="red", scopes=SCOPES))[0],
            "bob": (await app.keys.create("bob", tenant_id="red", scopes=SCOPES))[0],
            "eve": (await app.keys.create("eve", tenant_id="blue"))[0],
        }
    async with open_house(made) as house:
        house.keys = keys
        yield house


async def everything(house: House, client: httpx.AsyncClient) -> Ids:
    """Have something of every kind, each with the canary in it; return its ids."""
    thread = (await client.post("/threads", json={"metadata": {"c": CANARY}})).json()
    run = await run_of(client, says(CANARY, graph="echo", thread_id=thread["thread_id"]))
    await events_of(client, run["run_id"])
    named = {"graph_id": "echo", "name": CANARY, "metadata": {"c": CANARY}}
    assistant = (await client.post("/assistants", json=named)).json()
    cron = {"assistant_id": "echo", "input": says(CANARY)["input"], "schedule": "0 0 1 1 *"}
    made = (await client.post("/runs/crons", json=cron)).json()
    item = {"namespace": ["ns"], "key": CANARY, "value": {"c": CANARY}}
    assert (await client.put("/store/items", json=item)).status_code == 204
    assert (await client.put("/motet/v1/knowledge/theirs/a.md", content=CANARY.encode())).is_success
    document = await client.get("/motet/v1/knowledge/theirs/document", params={"source": "a.md"})
    memories = house.app._rooms.of("red").memories
    written: Any = await memories.write(f"Ann likes {CANARY}.", source=Source(thread["thread_id"]))
    return {
        "run_id": run["run_id"],
        "thread_id": thread["thread_id"],
        "response_id": f"resp_{run['run_id']}",
        "assistant_id": assistant["assistant_id"],
        "cron_id": made["cron_id"],
        "memory_id": written.memory.memory_id,
        "collection": "theirs",
        "passage_id": document.json()["passages"][0]["passage_id"],
        "key": CANARY,
    }


async def asked(client: httpx.AsyncClient, route: Route, ids: Ids) -> httpx.Response:
    path = re.sub(r"\{(\w+)(?::path)?\}", lambda m: ids.get(m[1], "echo"), route.path)
    more: dict[str, Any] = {}
    if route.operation_id in BODIES:
        more["json"] = BODIES[route.operation_id](ids)
    if route.operation_id in QUERIES:
        more["params"] = QUERIES[route.operation_id](ids)
    return await client.request(route.method, path, **more)


def told(answer: httpx.Response, ids: Ids) -> tuple[int, str]:
    """Return what an answer says, whichever ids it is about."""
    text = answer.text
    for name in sorted(ids, key=lambda name: len(ids[name]), reverse=True):
        for form in (ids[name], json.dumps(ids[name])[1:-1]):
            text = text.replace(form, f"<{name}>")
    text = re.sub(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "<some id>", text)
    text = re.sub(r'"(?:request_id|created(?:_at)?|(?:state_)?updated_at|id)": ?"?[^",}]+"?', "", text)
    return answer.status_code, text


CHOSEN = "openai.chat.create"
"""Its callers choose the names of their threads: one that is not there is made."""


def names(route: Route) -> bool:
    """Say whether a request holds an id of something that is to be there."""
    made = [absent(), absent()]
    ways = [
        way(made[0]) != way(made[1])
        for way in (BODIES.get(route.operation_id), QUERIES.get(route.operation_id))
        if way
    ]
    in_path = re.search(
        r"\{(?:(?:run|thread|response|assistant|cron|memory|passage)_id|collection)\}", route.path
    )
    return route.operation_id not in OWN | {CHOSEN} and bool(in_path or any(ways))


NAMING = [route for route in ROUTES if names(route)]

LISTS = [route for route in ROUTES if route.method == "GET" and "{" not in route.path] + [
    route for route in ROUTES if route.operation_id.endswith((".search", ".count", ".namespaces"))
]


@pytest.mark.parametrize("who", ["eve", "bob"])
async def test_what_is_anothers_is_answered_as_what_is_not_there(locked: House, who: str) -> None:
    async with (
        locked.client(**{"x-api-key": locked.keys["ann"]}) as mine,
        locked.client(**{"x-api-key": locked.keys[who]}) as theirs,
    ):
        ids = await everything(locked, mine)
        different: list[Any] = []
        for route in NAMING:
            if who == "bob" and route.operation_id in OF_THE_TENANT:
                continue
            nothing = absent()
            async with asyncio.timeout(30):
                pair = [told(await asked(theirs, route, which), which) for which in (ids, nothing)]
            if pair[0] != pair[1] or CANARY in pair[0][1] or pair[0][0] >= 500:
                different.append((route.operation_id, pair))
        assert different == []
        for route in LISTS:
            if who == "bob" and route.operation_id in OF_THE_TENANT:
                continue
            shown = (await asked(theirs, route, absent())).text
            assert CANARY not in shown, route.operation_id
            assert not [name for name, one in ids.items() if one in shown and name != "key"], (
                route.operation_id,
                shown,
            )
        [chosen] = [route for route in ROUTES if route.operation_id == CHOSEN]
        answer = await asked(theirs, chosen, ids)
        assert answer.status_code == (
            404 if who == "bob" else 200
        )  # another tenant's thread may have the same name
        assert CANARY not in answer.text
        # All of it is still there, as it was, for whom it belongs to.
        for operation, name in (("runs.get", "run_id"), ("agent_server.threads.get", "thread_id")):
            route = next(one for one in ROUTES if one.operation_id == operation)
            assert ids[name] in (await asked(mine, route, ids)).text
        assert (await mine.get(f"/runs/crons/{ids['cron_id']}")).json()["enabled"] is True
        assert (await mine.get(f"/assistants/{ids['assistant_id']}")).json()["name"] == CANARY
        assert CANARY in (await mine.get("/motet/v1/memories")).text


Way = tuple[str, str, dict[str, Any], dict[str, str]]

CHOOSING: list[Callable[[Ids], Way]] = [
    lambda ids: ("POST", "/threads", {"thread_id": ids["thread_id"]}, {}),
    lambda ids: ("POST", "/threads", {"thread_id": ids["thread_id"], "if_exists": "do_nothing"}, {}),
    lambda ids: ("POST", f"/threads/{ids['thread_id']}/runs/wait", {**_run(ids), "if_not_exists": "create"}, {}),
    lambda ids: ("POST", "/runs/batch", {**_run(ids), "thread_id": ids["thread_id"], "if_not_exists": "create"}, {}),
    lambda ids: ("POST", "/v1/chat/completions", BODIES[CHOSEN](ids), {}),
    lambda ids: ("POST", "/assistants", {"assistant_id": ids["assistant_id"], "graph_id": "echo"}, {}),
    lambda ids: ("POST", "/motet/v1/runs", says("x", graph="echo"), {"idempotency-key": ids["key"]}),
]  # fmt: skip
"""Every way to say which id something new shall have."""


async def _chosen(client: httpx.AsyncClient, way: Way) -> httpx.Response:
    method, path, body, headers = way
    return await client.request(
        method, path, json=[body] if path.endswith("batch") else body, headers=headers
    )


async def _some(client: httpx.AsyncClient) -> Ids:
    """Have a thread, an assistant and a run under a key, each with the canary in it; return their ids."""
    noted, ids = {"metadata": {"c": CANARY}}, absent()
    thread = (await client.post("/threads", json=noted)).json()
    assistant = (await client.post("/assistants", json={"graph_id": "echo", **noted})).json()
    run = await run_of(client, says(CANARY, graph="echo"), **{"idempotency-key": ids["key"]})
    made = {
        "thread_id": thread["thread_id"],
        "assistant_id": assistant["assistant_id"],
        "run_id": run["run_id"],
    }
    return {**ids, **made}


async def test_an_id_that_another_tenant_has_is_as_free_as_any(locked: House) -> None:
    async with (
        locked.client(**{"x-api-key": locked.keys["ann"]}) as mine,
        locked.client(**{"x-api-key": locked.keys["eve"]}) as theirs,
    ):
        for way in CHOOSING:
            pair = [told(await _chosen(theirs, way(ids)), ids) for ids in (await _some(mine), absent())]
            assert pair[0] == pair[1]
            assert pair[0][0] in (200, 202)
            assert CANARY not in pair[0][1]


async def test_an_id_that_another_owner_has_is_refused_and_that_is_all_it_tells(locked: House) -> None:
    """Ids are a tenant's: that one is taken cannot be hidden from who wants it. Whose, and what is there, is."""
    async with (
        locked.client(**{"x-api-key": locked.keys["ann"]}) as mine,
        locked.client(**{"x-api-key": locked.keys["bob"]}) as theirs,
    ):
        for way in CHOOSING:
            ids = await _some(mine)
            answer = await _chosen(theirs, way(ids))
            is_of_key = "idempotency-key" in way(ids)[3]  # each owner's own: not even that it is taken
            assert answer.status_code in ((202,) if is_of_key else (404, 409)), way(ids)
            assert not [name for name in ("ann", CANARY, ids["run_id"]) if name in answer.text]


def test_no_route_is_left_out() -> None:
    """A new route with a body has a line here, or it is known to name nothing of others."""
    takes = {route.operation_id for route in ROUTES if route.body is not None}
    ours = {name for name in takes if name.startswith("langserve.")}  # each call is a thread of its own
    assert takes - ours - BODIES.keys() == OWN
    assert BODIES.keys() - takes == set()


async def test_threads_of_every_tenant_are_deleted_when_their_time_is_over(settings: Settings) -> None:
    async with build_app(settings) as app:
        for tenant in ("local", "blue"):
            desk = app.desk(Caller(tenant_id=tenant))
            await desk.maker.make(ttl_s=1e-9)
            await desk.maker.make(ttl_s=1e9)
            assert await desk.lookup.count_threads() == 2
        assert await delete_every_tenants(app._rooms, 0) == 2
        assert await app.desk(Caller(tenant_id="blue")).lookup.count_threads() == 1
