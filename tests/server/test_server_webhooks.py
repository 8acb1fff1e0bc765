"""Webhooks of a whole server: who may be told, what they are told, and that they are told whatever happens.

Receivers check messages with the library that Standard Webhooks gives them.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from listener import Listener, answer
from server_house import House, events_of, open_house, run_of, says, server_settings
from server_process import serve
from standardwebhooks import Webhook

from motet import Settings
from motet.app.webhooks import build_postman
from motet.runs.webhooks import rows
from motet.runs.webhooks.signature import secret_text
from motet.storage.tables import webhooks

NOTES = {"assistant_id": "echo", "input": {"messages": [{"role": "user", "content": "你好"}]}}


def open_to(settings: Settings, tmp_path: Path, port: int, **changes: Any) -> Settings:
    """Settings of a server whose runs may tell a listener on this machine."""
    told = {"egress__webhooks": "127.0.0.1", "egress__allow": f"127.0.0.1:{port}"}
    return server_settings(settings, tmp_path, **told, **changes)


def checked(house: House, seen: tuple[str, str, dict[str, str], bytes], tenant: str = "local") -> Any:
    """Return a message after its signature was found good."""
    _, _, headers, body = seen
    return Webhook(secret_text(house.app.webhook_keys(tenant)[0])).verify(body.decode(), headers)


async def until(met: Callable[[], bool], within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not met():  # noqa: ASYNC110  # another loop's socket tells nobody
            await asyncio.sleep(0.01)


async def row_of(house: House, run_id: str) -> Any:
    database = house.app._rooms.database
    query = sa.select(webhooks).where(webhooks.c.run_id == run_id)
    return await database.read(lambda c: c.execute(query).first())


async def until_noted(house: House, run_id: str, status: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            row = await row_of(house, run_id)
            if row is not None and row.status == status:
                return row
            await asyncio.sleep(0.01)


async def test_each_wire_tells_of_a_runs_end_in_its_own_form_and_signed(
    settings: Settings, tmp_path: Path
) -> None:
    async with (
        Listener() as receiver,
        open_house(open_to(settings, tmp_path, receiver.port)) as house,
        house.client() as client,
    ):
        url = f"http://127.0.0.1:{receiver.port}/hook?token=t"
        begun = await client.post("/runs/wait", json={**NOTES, "webhook": url, "metadata": {"order": 7}})
        assert begun.status_code == 200
        await until(lambda: len(receiver.seen) == 1)
        said = checked(house, receiver.seen[0])
        assert receiver.seen[0][:2] == ("POST", "/hook?token=t")
        assert (said["status"], said["metadata"]["order"], said["error"]) == ("success", 7, None)
        assert said["values"] == begun.json()
        assert {
            "run_id",
            "thread_id",
            "assistant_id",
            "kwargs",
            "run_ended_at",
            "webhook_sent_at",
        } <= said.keys()
        own = await run_of(client, says("x", graph="fail", webhook=url))
        await until(lambda: len(receiver.seen) == 2)
        said = checked(house, receiver.seen[1])
        assert (said["type"], said["data"]["run_id"]) == ("run.failed", own["run_id"])
        assert said["data"]["error"]["message"] == "RuntimeError: no luck with x"
        asked = await run_of(client, says("x", graph="ask", webhook=url))
        await until(lambda: len(receiver.seen) == 3)
        assert checked(house, receiver.seen[2])["type"] == "run.interrupted"
        assert receiver.seen[2][2]["webhook-id"] == f"run_{asked['run_id']}"
        # Changed on its way: no receiver takes it.
        _, _, headers, body = receiver.seen[2]
        with pytest.raises(Exception, match="signature"):
            checked(house, ("POST", "", headers, body + b" "))
        with pytest.raises(Exception, match="signature"):
            checked(house, receiver.seen[2], tenant="other")


async def test_a_receiver_that_fails_is_told_again_with_the_same_id_and_bytes_and_the_run_is_well(
    settings: Settings, tmp_path: Path
) -> None:
    replies = iter(
        [answer(status="500 No"), answer(status="302 Found", location="http://127.0.0.1/"), answer()]
    )
    async with (
        Listener(lambda *_: next(replies)) as receiver,
        open_house(open_to(settings, tmp_path, receiver.port), work=False) as house,
        house.client() as client,
    ):
        postman = build_postman(house.app, house.app._rooms)
        postman.pauses_s = (0.0, 0.0, 0.0)
        run = await run_of(client, says("x", graph="echo", webhook=f"http://127.0.0.1:{receiver.port}/"))
        await postman.look()
        assert receiver.hits == 0  # the run has not ended
        await house.app.start_worker(every_thread=False)
        assert (await events_of(client, run["run_id"]))[-1]["type"] == "run.completed"
        for hits in (1, 2, 3):
            await postman.look()
            await until(lambda hits=hits: len(receiver.seen) == hits and not postman._under_way)
        assert (await until_noted(house, run["run_id"], "sent")).tries == 3
        assert len({headers["webhook-id"] for _, _, headers, _ in receiver.seen}) == 1
        assert len({body for *_, body in receiver.seen}) == 1
        await postman.look()
        assert (receiver.hits, postman._under_way) == (3, set())
        assert (await client.get(f"/motet/v1/runs/{run['run_id']}")).json()["status"] == "success"


async def test_what_was_accepted_with_a_run_is_sent_after_a_crash(settings: Settings, tmp_path: Path) -> None:
    """The process ends before the run begins; the next one ends after it sent, and before it noted that."""
    async with Listener() as receiver:
        open_settings = open_to(settings, tmp_path, receiver.port)
        url = f"http://127.0.0.1:{receiver.port}/"
        async with open_house(open_settings, work=False) as house, house.client() as client:
            run = await run_of(client, says("x", graph="echo", webhook=url))
        async with open_house(open_settings) as house:
            await until(lambda: len(receiver.seen) == 1)
            row = await until_noted(house, run["run_id"], "sent")
            again = sa.update(webhooks).values(status="waiting", next_at=0)
            await house.app._rooms.database.write(lambda c: c.execute(again))
            await until(lambda: len(receiver.seen) == 2)
            row = await until_noted(house, run["run_id"], "sent")
            assert row.tries == 2
        assert len({headers["webhook-id"] for _, _, headers, _ in receiver.seen}) == 1


async def test_a_server_that_is_killed_while_it_tells_tells_again(settings: Settings, tmp_path: Path) -> None:
    """SIGKILL between the message's arrival and its answer: at least once, under one id, and the run is well."""
    held = asyncio.Event()

    async def hold(_path: str, _headers: dict[str, str], _body: bytes) -> bytes:
        await held.wait()
        return answer()

    async with Listener(hold) as receiver:
        told = open_to(settings, tmp_path, receiver.port)
        surroundings = {
            "MOTET_HOME": str(told.storage.home),
            "MOTET_MODEL": f"scripted:{tmp_path / 'script.json'}",
            "MOTET_MODEL_EMBED": "none",
            "MOTET_WEBHOOK_HOSTS": "127.0.0.1",
            "MOTET_EGRESS_ALLOW": f"127.0.0.1:{receiver.port}",
        }
        body = says("x", graph="echo", webhook=f"http://127.0.0.1:{receiver.port}/")
        with serve(tmp_path / "project", "--port", "0", **surroundings) as (process, url):
            async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
                run = await run_of(client, body)
            await until(lambda: len(receiver.seen) == 1, within_s=60)
            process.kill()
            process.wait()
        held.set()
        async with open_house(told) as house, house.client() as client:
            database, over = house.app._rooms.database, sa.update(webhooks).values(next_at=0)
            await database.write(lambda c: c.execute(over))  # what the killed one had is free after a minute
            row = await until_noted(house, run["run_id"], "sent")
            assert row.tries == 2
            assert (await client.get(f"/motet/v1/runs/{run['run_id']}")).json()["status"] == "success"
            assert checked(house, receiver.seen[0])["data"]["type"] == "run.completed"
        assert len({(headers["webhook-id"], sent) for _, _, headers, sent in receiver.seen}) == 1


async def test_two_processes_do_not_take_one_message_at_once(settings: Settings, tmp_path: Path) -> None:
    async with open_house(open_to(settings, tmp_path, 9), work=False) as house, house.client() as client:
        await run_of(client, says("x", graph="echo", webhook="http://127.0.0.1:9/"))
        database = house.app._rooms.database
        await database.write(lambda c: c.execute(sa.text("UPDATE runs SET status = 'success'")))
        taken = [await database.write(lambda c: rows.take(c, lease_s=60)) for _ in range(2)]
        assert [one is not None for one in taken] == [True, False]
        dead = await database.write(lambda c: rows.take(c, lease_s=0))
        assert dead is None
        await database.write(lambda c: c.execute(sa.update(webhooks).values(next_at=0)))
        assert (await database.write(lambda c: rows.take(c, lease_s=60))) is not None


REFUSED: dict[str, list[tuple[str, str]]] = {
    "": [("https://hooks.example/x", "calls nobody back")],
    "hooks.example": [
        ("https://other.example/x", "not among the hosts"),
        ("https://hooks.example.evil.test/x", "not among the hosts"),
        ("https://hooks.example@evil.test/x", "user name"),
        ("ftp://hooks.example/x", "neither http nor https"),
        ("http://2130706433/x", "no plain IPv4"),
        ("nonsense", "neither http nor https"),
    ],
}


@pytest.mark.parametrize("hosts", REFUSED)
async def test_addresses_that_an_operator_did_not_list_are_refused_with_the_run(
    settings: Settings, tmp_path: Path, hosts: str
) -> None:
    chosen = server_settings(settings, tmp_path, egress__webhooks=hosts)
    async with open_house(chosen, work=False) as house, house.client() as client:
        for url, why in REFUSED[hosts]:
            for path, body in (("/motet/v1/runs", says("x", graph="echo")), ("/runs", NOTES)):
                refused = await client.post(path, json={**body, "webhook": url})
                assert refused.status_code == 422, refused.text
                assert why in refused.json()["detail"]
        assert (await client.get("/motet/v1/runs")).json() == []


async def test_a_listed_name_that_leads_inside_is_not_called(settings: Settings, tmp_path: Path) -> None:
    """The check is made where the call is made: `*` names any host, and this machine is none."""
    async with (
        Listener() as receiver,
        open_house(server_settings(settings, tmp_path, egress__webhooks="*")) as house,
        house.client() as client,
    ):
        url = f"http://localhost:{receiver.port}/"
        run = await run_of(client, says("x", graph="echo", webhook=url))
        row = await until_noted(house, run["run_id"], "failed")
        assert receiver.hits == 0
        assert "not called" in row.answer
        assert (await client.get(f"/motet/v1/runs/{run['run_id']}")).json()["status"] == "success"


async def test_what_is_deleted_is_not_told_and_what_is_repeated_is_told_once(
    settings: Settings, tmp_path: Path
) -> None:
    async with open_house(open_to(settings, tmp_path, 9), work=False) as house, house.client() as client:
        run = await run_of(client, says("x", graph="wait", webhook="http://127.0.0.1:9/"))
        await client.post(f"/motet/v1/runs/{run['run_id']}/cancel")
        gone = await client.delete(f"/motet/v1/threads/{run['thread_id']}")
        assert gone.status_code == 204, gone.text
        assert await row_of(house, run["run_id"]) is None
        body = says("x", graph="echo", webhook="http://127.0.0.1:9/")
        first = await run_of(client, body, **{"idempotency-key": "k"})
        assert (await run_of(client, body, **{"idempotency-key": "k"}))["run_id"] == first["run_id"]
        other = {**body, "webhook": "http://127.0.0.1:9/other"}
        refused = await client.post("/motet/v1/runs", json=other, headers={"idempotency-key": "k"})
        assert refused.status_code == 409
        stored = await row_of(house, first["run_id"])
        assert stored.url == "http://127.0.0.1:9/"
