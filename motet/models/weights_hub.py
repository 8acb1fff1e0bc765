"""Fetches weights from the model hub by HTTP, going on where an earlier fetch was cut.

What does not live here: the check of what arrived (`weights`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from motet.models.weights_partial import CHUNK_BYTES, Partial, SourceError, check_space

if TYPE_CHECKING:
    from pathlib import Path

    from motet.models.manifest import ModelFile
    from motet.models.weights_partial import Progress

PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
ATTEMPTS = 4
"""How often a cut download is taken up again in one fetch, as long as each attempt brings bytes."""


async def from_hub(file: ModelFile, folder: Path, hub_url: str, progress: Progress) -> Partial:
    """Fetch `{hub_url}/{repo}/resolve/main/{file}` into a partial file in `folder` and return it, closed.

    Bytes of an earlier fetch are kept and only the rest is asked for (HTTP Range).

    Raises:
        SourceError: The hub does not answer, does not have the file, or stopped in the middle.
        WeightsError: The disk is full.
    """
    if not file.repo:
        raise SourceError(f"the hub has no copy of {file.name}")
    path = folder / f"{file.file}.hub.part"
    held = path.stat().st_size if path.exists() else 0
    check_space(folder, file.size_bytes - held)
    with await asyncio.to_thread(Partial, path, keep=held, limit=file.size_bytes) as partial:
        url = f"{hub_url.rstrip('/')}/{file.repo}/resolve/main/{file.file}"
        timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        async with httpx.AsyncClient(follow_redirects=True, timeout=timeout) as client:
            await _fill(client, url, partial, progress)
        await asyncio.to_thread(partial.flush)
    return partial


async def _fill(client: httpx.AsyncClient, url: str, partial: Partial, progress: Progress) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        if not partial.missing:
            return
        before, why = partial.size, ""
        try:
            await _receive(client, url, partial, progress)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = f" ({_words(error)})"
        if partial.missing and (partial.size <= before or attempt == ATTEMPTS):
            stopped = f"stopped after {partial.size:,} of {partial.limit:,} bytes"
            raise SourceError(
                f"{url.split('/resolve/', maxsplit=1)[0]} {stopped if partial.size else 'does not answer'}{why}"
            )


async def _receive(client: httpx.AsyncClient, url: str, partial: Partial, progress: Progress) -> None:
    headers = {"Accept-Encoding": "identity"}
    if partial.size:
        headers["Range"] = f"bytes={partial.size}-"
    async with client.stream("GET", url, headers=headers) as response:
        if response.status_code == RANGE_NOT_SATISFIABLE:
            await asyncio.to_thread(partial.reset)
            raise SourceError("its file is shorter than the part that was fetched before")
        if response.status_code >= 300:
            raise SourceError(f"it answers {response.status_code} to {url}")
        if partial.size and not _continues(response, partial.size):
            await asyncio.to_thread(partial.reset)
        await _append_all(response, partial, progress)


async def _append_all(response: httpx.Response, partial: Partial, progress: Progress) -> None:
    """Append the answer in large pieces; when it breaks off, what has come so far is appended too."""
    waiting = bytearray()
    try:
        async for chunk in response.aiter_raw():
            waiting += chunk
            if len(waiting) >= CHUNK_BYTES:
                full, waiting = waiting, bytearray()
                await asyncio.to_thread(partial.append, full)
                progress.update("model hub", partial.size, partial.limit)
    finally:
        partial.append(waiting)
    progress.update("model hub", partial.size, partial.limit)


def _continues(response: httpx.Response, start: int) -> bool:
    """Say whether the answer begins at byte `start`; a server without Range sends the whole file again."""
    content_range = response.headers.get("content-range", "")
    return response.status_code == PARTIAL_CONTENT and content_range.startswith(f"bytes {start}-")


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:120] if text else type(error).__name__
