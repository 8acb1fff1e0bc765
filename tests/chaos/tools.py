"""The tools of the rig: they order an item at the effect server. Found by Motet through the entry-point group."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from langchain_core.tools import BaseTool
from pydantic import BaseModel

from motet.tools.base import ToolContext, idempotency_key
from motet.tools.wrap import as_tool


class Order(BaseModel):
    """What is ordered."""

    item: str


async def book(item: str) -> str:
    """Order an item under the call's own key."""
    return await deliver(item, idempotency_key())


async def pay(item: str) -> str:
    """Order an item at somebody who knows no keys."""
    return await deliver(item, "")


def build_book(_context: ToolContext) -> BaseTool:
    """Build the tool whose effect has a key."""
    return as_tool(
        book,
        name="book",
        description="Orders an item.",
        arguments=Order,
        access="egress",
        effect="idempotent",
    )


def build_pay(_context: ToolContext) -> BaseTool:
    """Build the tool whose effect must not be repeated without asking."""
    return as_tool(
        pay, name="pay", description="Orders an item.", arguments=Order, access="egress", effect="once"
    )


async def deliver(item: str, key: str) -> str:
    """Order an item, under a key where there is one; return the receipt as text."""
    url, body = urlsplit(os.environ["CHAOS_EFFECTS"]), json.dumps({"item": item}).encode()
    head = f"POST / HTTP/1.1\r\ncontent-length: {len(body)}\r\n" + (
        f"idempotency-key: {key}\r\n" if key else ""
    )
    # By hand: a client of httpx takes longer to make than the whole exchange.
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        try:
            writer.write(head.encode() + b"\r\n" + body)
            answered = await reader.readuntil(b"\r\n\r\n")
            size = int(answered.rpartition(b"content-length:")[2])
            receipt = json.loads(await reader.readexactly(size))["receipt"]
        finally:
            writer.close()
    return f"{item} receipt {receipt}"


def install(folder: Path) -> None:
    """Make a folder that, on Python's path, offers the tools as an installed package would."""
    info = folder / "chaos_tools-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chaos-tools\nVersion: 1\n")
    offered = "book = tests.chaos.tools:build_book\npay = tests.chaos.tools:build_pay\n"
    graphs = "steps = tests.chaos.steps:build_steps\n"
    (info / "entry_points.txt").write_text(f"[motet.tools]\n{offered}\n[motet.graphs]\n{graphs}")
