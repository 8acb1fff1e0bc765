"""Connections of senders that take too long, over real sockets; and what is read at once."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from server_house import House, open_house, says, server_settings

from motet import Settings
from motet.server.doorman import PIECE_BYTES

BODY = json.dumps(says("hi", graph="echo")).encode()


@pytest.fixture
async def house(settings: Settings, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(server_settings(settings, tmp_path, server__sending_s=0.3)) as made:
        yield made


@asynccontextmanager
async def _open(house: House) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(house.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def _head(path: str = "/motet/v1/runs", size: int = len(BODY)) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    ).encode()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Read one whole answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return head + await reader.readexactly(int(size.split(b":")[1]))


async def _to_end(reader: asyncio.StreamReader) -> bytes:
    """Read until the server closes, with a reset or without one."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(15):
            return await reader.read()
    return b""


async def test_a_body_that_does_not_arrive_is_refused_and_its_connection_closed(house: House) -> None:
    async with _open(house) as (reader, writer):
        writer.write(_head() + BODY[:10])
        told = await _to_end(reader)
        assert told.startswith(b"HTTP/1.1 408 ")
        assert b'"code": "too_slow"' in told
        assert house.office.bodies._held_bytes == 0
        assert await house.app.records.runs() == []


@pytest.mark.parametrize(
    "sent", [b"", b"GET /live HTTP/1.1\r\nHost: 127", b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n"]
)
async def test_a_connection_without_a_whole_head_is_closed(house: House, sent: bytes) -> None:
    async with _open(house) as (reader, writer):
        writer.write(sent)
        assert await _to_end(reader) == b""


async def test_a_second_head_that_does_not_end_is_not_waited_for_either(house: House) -> None:
    async with _open(house) as (reader, writer):
        writer.write(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await _answer(reader)).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET /li")
        assert await _to_end(reader) == b""


async def test_a_body_that_nobody_reads_is_not_taken_for_ever(house: House) -> None:
    async with _open(house) as (reader, writer):
        writer.write(_head("/nowhere", 10**9))
        assert (await _answer(reader)).startswith(b"HTTP/1.1 404 ")
        ended = asyncio.ensure_future(_to_end(reader))
        while not ended.done():  # every piece of it would put the end of a connection at rest off
            writer.write(b"x")
            await asyncio.wait([ended], timeout=0.05)
        assert await ended == b""


async def test_who_is_quick_is_not_hurried(house: House) -> None:
    """A request at rest between two is uvicorn's to wait for, and so is a run that takes its time."""
    async with house.client() as client:
        for _ in range(3):
            assert (await client.post("/langserve/echo/invoke", json={"input": "hi"})).status_code == 200
        large = b"# A\n\n" + b"word " * PIECE_BYTES
        assert (await client.put("/motet/v1/knowledge/k/a.md", content=large)).is_success
