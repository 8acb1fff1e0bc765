"""Motet's own wire: runs and their events."""

import asyncio
from pathlib import Path

import httpx
from server_house import House, events_of, run_of, says

from motet import events
from motet.events import Event, Passage, Recorded
from motet.server.protocols.native.runs import AskedRun, decode, encode

GOLDEN = Path(__file__).parent.parent / "golden"
CITED = Passage(passage_id="p1", text="A ticket costs 12 euros.", source="rules.md", title="Rules", number=1)
STORY: list[Event] = [
    events.RunAccepted(graph="g", input={"messages": []}),
    events.RunStarted(attempt=1),
    events.MessageDelta(message_id="m1", text="你好，\nAda"),
    events.MessageCompleted(message_id="m1", role="assistant", text="你好，\nAda [1]", citations=[CITED]),
    events.Usage(model="m", input_tokens=7, output_tokens=3, duration_s=0.5),
    events.RunCompleted(output={}),
]


def test_the_bytes_are_those_of_the_golden_file() -> None:
    recorded = [
        Recorded(run_id="r1", thread_id="t1", seq=seq, at=1_700_000_000.5 + seq, event=event)
        for seq, event in enumerate(STORY, 1)
    ]
    made = b"".join(part for one in recorded for part in encode(one))
    assert made == (GOLDEN / "native_events.sse").read_bytes()


def test_a_body_is_decoded_to_what_it_says_and_no_more() -> None:
    asked = AskedRun.model_validate(says("hi", graph="g", multitask="reject", options={"model": "m:1"}))
    request = decode(asked, idempotency_key="k")
    told = request.model_dump(exclude_unset=True, exclude={"drive"})
    assert told == {
        **says("hi", graph="g"), "multitask": "reject", "idempotency_key": "k", "webhook": None,
        "options": {"model": "m:1"},
    }  # fmt: skip


async def test_a_run_is_started_followed_and_looked_at(client: httpx.AsyncClient) -> None:
    accepted = await run_of(client, says("hi", graph="echo"))
    events = await events_of(client, accepted["run_id"])
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [e["text"] for e in events if e["type"] == "message.completed"] == ["hi", "echo hi"]
    assert events[-1]["type"] == "run.completed"
    run = (await client.get(f"/motet/v1/runs/{accepted['run_id']}")).json()
    assert (run["status"], run["last_seq"]) == ("success", len(events))


async def test_a_run_brings_rules_and_says_whose_words_it_brings(client: httpx.AsyncClient) -> None:
    options = {"permissions": {"deny": ["@write"], "ask": ["send:to=*@acme.com"]}, "untrusted": True}
    asked = AskedRun.model_validate(says("hi", graph="echo", options=options))
    decoded = decode(asked, idempotency_key=None).options
    assert decoded.permissions is not None
    assert (decoded.permissions.deny, decoded.permissions.ask) == (["@write"], ["send:to=*@acme.com"])
    assert decoded.untrusted
    await run_of(client, says("hi", graph="echo", options=options))
    for wrong, why in (({"deny": ["no rule"]}, "is no rule"), ({"forbid": ["a"]}, "permissions.forbid")):
        refused = await client.post(
            "/motet/v1/runs", json=says("hi", graph="echo", options={"permissions": wrong})
        )
        assert (refused.status_code, why in refused.json()["detail"]) == (422, True)


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


async def test_threads_are_listed_read_forked_searched_and_deleted(client: httpx.AsyncClient) -> None:
    accepted = await run_of(client, says("你好世界", graph="echo"))
    await events_of(client, accepted["run_id"])
    thread_id = accepted["thread_id"]
    assert [t["thread_id"] for t in (await client.get("/motet/v1/threads")).json()] == [thread_id]
    said = (await client.get(f"/motet/v1/threads/{thread_id}/messages")).json()
    assert [(m["role"], m["text"]) for m in said] == [("user", "你好世界"), ("assistant", "echo 你好世界")]
    found = (await client.get("/motet/v1/messages", params={"q": "世界"})).json()
    assert {one["thread"]["thread_id"] for one in found} == {thread_id}
    fork = await client.post(f"/motet/v1/threads/{thread_id}/fork", json={"title": "other"})
    assert (fork.status_code, fork.json()["title"]) == (201, "other")
    assert fork.headers["location"] == f"/motet/v1/threads/{fork.json()['thread_id']}"
    assert (await client.delete(f"/motet/v1/threads/{thread_id}")).status_code == 204
    assert (await client.get(f"/motet/v1/threads/{thread_id}")).status_code == 404
    for method, path in (("DELETE", ""), ("GET", "/messages"), ("POST", "/fork")):
        assert (
            await client.request(method, f"/motet/v1/threads/{thread_id}{path}", json={})
        ).status_code == 404


async def test_a_thread_tells_what_it_waits_for(client: httpx.AsyncClient) -> None:
    accepted = await run_of(client, says("hi", graph="ask"))
    await events_of(client, accepted["run_id"])
    thread = (await client.get(f"/motet/v1/threads/{accepted['thread_id']}")).json()
    assert (thread["status"], [w["value"] for w in thread["waiting"]]) == (
        "interrupted",
        [{"question": "really?"}],
    )
    answers = {thread["waiting"][0]["interrupt_id"]: "no"}
    answered = await run_of(client, {"thread_id": thread["thread_id"], "answers": answers})
    assert "you said no" in str(await events_of(client, answered["run_id"]))


async def test_graphs_with_their_schemas(client: httpx.AsyncClient) -> None:
    names = [graph["name"] for graph in (await client.get("/motet/v1/graphs")).json()]
    assert {"echo", "ensemble"} <= set(names)
    one = (await client.get("/motet/v1/graphs/echo")).json()
    assert "messages" in one["input_schema"]["properties"]
    assert (await client.get("/motet/v1/graphs/nope")).status_code == 404


async def test_documents_are_taken_in_and_found(client: httpx.AsyncClient) -> None:
    text = "# 票价\n\n一张船票要十二欧元。\n".encode()
    added = await client.put("/motet/v1/knowledge/票务/rules.md", content=text)
    assert (added.status_code, added.json()["status"]) == (200, "added"), added.text
    found = await client.post("/motet/v1/knowledge/search", json={"query": "船票", "collections": ["票务"]})
    assert "十二欧元" in found.json()[0]["text"]
    assert [c["name"] for c in (await client.get("/motet/v1/knowledge")).json()] == ["票务"]
    wrong = {
        "票务/..%2fx.md": (404, "nothing at"),
        "票务/.hidden.md": (422, "is no name for a document"),
        "票务/rules.exe": (422, "the ending '.exe' is unknown"),
        "a b/x.md": (422, "'a b' is no name for a collection: use letters"),
        "../x.md": (404, "nothing at"),
        "%2e%2e/x.md": (422, "'..' is no name for a collection"),
        f"{'k' * 65}/x.md": (422, "at most 64"),
    }
    for path, (status, told) in wrong.items():
        answer = await client.put(f"/motet/v1/knowledge/{path}", content=text)
        assert (answer.status_code, told in answer.json()["detail"]) == (status, True), (path, answer.text)
    pages = await client.post("/motet/v1/knowledge/a b/pages", json={"urls": ["https://example.org/"]})
    assert (pages.status_code, "is no name for a collection" in pages.text) == (422, True)
    spaced = await client.put("/motet/v1/knowledge/票务/rules (new).md", content="# 新\n\n猫。\n".encode())
    assert spaced.json()["status"] == "added"
    removed = {"source": "rules (new).md"}
    assert (await client.delete("/motet/v1/knowledge/票务/document", params=removed)).status_code == 204
    nowhere = {"query": "x", "collections": ["nope"]}
    assert (await client.post("/motet/v1/knowledge/search", json=nowhere)).status_code == 404


async def test_documents_are_listed_shown_looked_at_again_and_taken_out(
    house: House, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    base = "/motet/v1/knowledge/票务"
    (tmp_path / "docs").mkdir()
    file = tmp_path / "docs" / "boats.md"
    file.write_text("# Boats\n\n## Fares\n\nA ferry costs 12 euro.\n", "utf-8")
    await house.app.knowledge.add([file.parent], collection="票务", labels={"team": "sea"})
    await client.put(f"{base}/规则.md", content="# 规则\n\n行李不超过二十公斤。\n".encode())
    listed = (await client.get(f"{base}/documents")).json()
    assert [(d["title"], d["passage_count"]) for d in listed] == [("规则", 1), ("Boats", 1)] or [
        d["title"] for d in listed
    ] == ["Boats", "规则"]
    shown = (await client.get(f"{base}/document", params={"source": "规则.md"})).json()
    [passage] = shown["passages"]
    assert (passage["text"], passage["heading"]) == ("行李不超过二十公斤。", "规则")
    assert (await client.get(f"/motet/v1/passages/{passage['passage_id']}")).json() == passage
    [found] = (
        await client.post(
            "/motet/v1/knowledge/search",
            json={"query": "ferry", "collections": ["票务"], "where": ["label.team=sea"], "explain": True},
        )
    ).json()
    assert (found["heading"], found["words_rank"]) == ("Boats › Fares", 1)
    wrong = {"query": "ferry", "collections": ["票务"], "where": ["sauce=x"]}
    assert (await client.post("/motet/v1/knowledge/search", json=wrong)).status_code == 422
    file.write_text("# Boats\n\n## Fares\n\nA ferry costs 14 euro.\n", "utf-8")
    again = (await client.post(f"{base}/sync")).json()
    assert {one["status"] for one in again["files"]} == {"replaced", "unchanged"}
    assert (await client.get(f"/motet/v1/passages/{found['passage_id']}")).status_code == 404
    for source in ("规则.md", str(file)):
        assert (await client.delete(f"{base}/document", params={"source": source})).status_code == 204
        assert (await client.get(f"{base}/document", params={"source": source})).status_code == 404
    assert file.exists()
    assert not list((house.app.settings.storage.home / "documents").rglob("*.md"))
    assert (await client.delete(f"{base}/document")).status_code == 422
    for path in ("documents", "document?source=x"):
        assert (await client.get(f"/motet/v1/knowledge/nope/{path}")).status_code == 404
    assert (await client.post("/motet/v1/knowledge/nope/sync")).status_code == 404


async def test_an_upload_that_cannot_be_read_leaves_nothing(house: House, client: httpx.AsyncClient) -> None:
    uploads = house.app.settings.storage.home / "documents"
    assert (await client.put("/motet/v1/knowledge/k/a.pdf", content=b"none")).status_code == 422
    assert not list(uploads.rglob("*.pdf"))
    assert (await client.put("/motet/v1/knowledge/k/a.md", content=b"# A\n\nCod.\n")).is_success
    assert (await client.put("/motet/v1/knowledge/k/a.md", content=b" ")).status_code == 422
    [kept] = uploads.rglob("a*")  # its document is still there, and so is its file
    assert kept.read_bytes() == b"# A\n\nCod.\n"
    for content in (b"%PDF-1.7 none", b"PK\x03\x04"):
        assert (await client.put("/motet/v1/knowledge/k/a.md", content=content)).status_code == 422
        assert kept.read_bytes() == b"# A\n\nCod.\n"
    [listed] = (await client.get("/motet/v1/knowledge/k/documents")).json()
    assert (listed["passage_count"], listed["error"]) == (1, "")
    again = (await client.post("/motet/v1/knowledge/k/sync")).json()
    assert [one["status"] for one in again["files"]] == ["unchanged"]
    assert (await client.put("/motet/v1/knowledge/k/a.md", content=b"# A\n\nHake.\n")).json()[
        "status"
    ] == "replaced"
    assert [path.read_bytes() for path in uploads.rglob("*") if path.is_file()] == [b"# A\n\nHake.\n"]


async def test_what_could_not_be_read_is_listed_and_taken_out(
    house: House, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    base = "/motet/v1/knowledge/k"
    bad = tmp_path / "bad.pdf"
    bad.write_bytes(b"none")
    await house.app.knowledge.add([bad], collection="k")
    await client.put(f"{base}/a.md", content=b"# A\n\nCod.\n")
    listed = (await client.get(f"{base}/documents")).json()
    assert {one["source"]: one["error"] != "" for one in listed}[str(bad)] is True
    [collection] = (await client.get("/motet/v1/knowledge")).json()
    assert (collection["documents"], collection["failed"]) == (1, 1)
    shown = await client.get(f"{base}/document", params={"source": str(bad)})
    assert (shown.status_code, "could not be read" in shown.text) == (404, True)
    assert (await client.delete(f"{base}/document", params={"source": str(bad)})).status_code == 204
    assert len((await client.get(f"{base}/documents")).json()) == 1


async def test_pages_are_taken_in_by_the_one_way_out(client: httpx.AsyncClient) -> None:
    base = "/motet/v1/knowledge/web"
    answer = await client.post(f"{base}/pages", json={"urls": ["http://127.0.0.1:9/x"]})
    [page] = answer.json()["files"]
    assert page["status"] == "failed"
    assert "127.0.0.1" in page["error"]["message"]
    assert (await client.post(f"{base}/pages", json={"urls": ["/etc/passwd"]})).status_code == 422
    assert (await client.post(f"{base}/pages", json={"urls": []})).status_code == 422


async def test_memories_are_listed_and_forgotten(house: House, client: httpx.AsyncClient) -> None:
    written = await house.app.memories.write("Ada likes tea.")
    assert written is not None
    [memory] = (await client.get("/motet/v1/memories")).json()
    assert memory["text"] == "Ada likes tea."
    assert len((await client.get("/motet/v1/memories", params={"q": "tea"})).json()) == 1
    assert (await client.delete(f"/motet/v1/memories/{written.memory.memory_id}")).status_code == 204
    assert (await client.delete(f"/motet/v1/memories/{written.memory.memory_id}")).status_code == 404
