"""The effect server delivers once under a key, and as often as it is asked without one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from tests.chaos.effects import EffectServer
from tests.chaos.journal import Journal, read_journal


async def order(url: str, item: str, key: str = "") -> int:
    async with httpx.AsyncClient() as client:
        headers = {"Idempotency-Key": key} if key else {}
        return (await client.post(url, json={"item": item}, headers=headers)).json()["receipt"]


async def test_under_one_key_an_item_is_delivered_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "effects.jsonl")
    async with EffectServer(journal) as server:
        receipts = await asyncio.gather(*(order(server.url, "a", "k") for _ in range(5)))
        assert set(receipts) == {1}
        assert await order(server.url, "a", "other") == 2
    journal.close()
    told = [(entry["key"], entry["delivered"]) for entry in read_journal(journal.path)]
    assert told == [("k", True), *[("k", False)] * 4, ("other", True)]


async def test_without_a_key_every_order_is_a_delivery(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "effects.jsonl")
    async with EffectServer(journal, delay_s=0) as server:
        assert [await order(server.url, "a"), await order(server.url, "a")] == [1, 2]
    journal.close()
    assert [entry["delivered"] for entry in read_journal(journal.path)] == [True, True]


async def test_a_caller_that_dies_before_the_answer_has_its_delivery(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "effects.jsonl")
    async with EffectServer(journal, delay_s=0.02) as server:
        port = int(server.url.rstrip("/").rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b'POST / HTTP/1.1\r\nIdempotency-Key: k\r\nContent-Length: 13\r\n\r\n{"item": "a"}\n'[:-1]
        )
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.1)
        assert await order(server.url, "a", "k") == 1
    journal.close()
    assert [entry["delivered"] for entry in read_journal(journal.path)] == [True, False]
