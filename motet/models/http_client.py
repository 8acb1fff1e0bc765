"""HTTP clients for model servers that may be broken or hostile: no redirects, nothing compressed, no endless bodies.

What does not live here: timeouts and retries (`openai`, `patience`).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from motet.errors import ModelError, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Longest answer of a server; what a model writes is kept far below that by its longest length."""

_HEADERS = {"accept-encoding": "identity"}


def guarded_clients(
    who: str, total_s: float | None = None
) -> tuple[openai.DefaultHttpxClient, openai.DefaultAsyncHttpxClient]:
    """Return a client for code that does not await, and one for code that does.

    An answer that is compressed, a web page, or too long ends as `ModelError`, one that drips on after `total_s`
    seconds as `ModelUnavailable`. A redirect is an answer with its status: where a server sends somebody is not where
    its key, and the conversation, may go.

    Args:
        who: The model's name in errors.
        total_s: Longest time of a body; None is for ever.
    """

    def check(response: Any) -> None:
        _check_headers(response, who)
        response.stream = _Capped(response.stream, who, total_s)

    async def check_later(response: Any) -> None:
        check(response)

    return (
        openai.DefaultHttpxClient(
            follow_redirects=False, headers=_HEADERS, event_hooks={"response": [check]}
        ),
        openai.DefaultAsyncHttpxClient(
            follow_redirects=False, headers=_HEADERS, event_hooks={"response": [check_later]}
        ),
    )


def _check_headers(response: Any, who: str) -> None:
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise ModelError(
            f"{who} sent a compressed answer ({encoding[:20]}), which was not asked for; it is not unpacked.",
            malformed=True,
        )
    if response.status_code == 200 and response.headers.get("content-type", "").startswith("text/html"):
        raise ModelError(
            f"{who} sent a web page where an answer was expected. Does its URL end where OpenAI's interface begins, "
            f"as in http://host:8000/v1?",
            malformed=True,
        )
    size = response.headers.get("content-length", "")
    if size.isdigit() and int(size) > MAX_BODY_BYTES:
        raise _too_long(who)


@asynccontextmanager
async def in_all(total_s: float | None, who: str) -> AsyncGenerator[None]:
    """Give what is awaited inside so many seconds in all; None is for ever.

    Raises:
        ModelUnavailable: They are over.
    """
    limit = asyncio.timeout(total_s)
    try:
        async with limit:
            yield
    except TimeoutError:
        if total_s is not None and limit.expired():
            raise too_slow(who, total_s) from None
        raise


def too_slow(who: str, total_s: float) -> ModelUnavailable:
    """Return the error for an answer that did not end in time."""
    return ModelUnavailable(
        f"{who} was not done with its answer after {total_s:g} s. Try again, or allow more with "
        f"MOTET_MODEL_TOTAL_TIMEOUT_S.",
        model=who,
    )


def _too_long(who: str) -> ModelError:
    return ModelError(f"{who} sent more than {MAX_BODY_BYTES // 2**20} MiB; the answer was given up.")


class _Capped(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A response's body, up to `MAX_BODY_BYTES` and for so long."""

    def __init__(self, inner: Any, who: str, total_s: float | None) -> None:
        self._inner = inner
        self._who = who
        self._left = MAX_BODY_BYTES
        self._total_s = total_s
        self._began = time.monotonic()

    def _take(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise _too_long(self._who)
        if self._total_s and time.monotonic() - self._began > self._total_s:
            raise too_slow(self._who, self._total_s)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._inner:
            yield self._take(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            yield self._take(piece)

    def close(self) -> None:
        self._inner.close()

    async def aclose(self) -> None:
        await self._inner.aclose()
