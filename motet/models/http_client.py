"""HTTP clients for model servers that may be broken or hostile: no redirects, nothing compressed, no endless bodies.

What does not live here: timeouts and retries (`openai`, `patience`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import openai

from motet.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Longest answer of a server; what a model writes is kept far below that by its longest length."""

_HEADERS = {"accept-encoding": "identity"}


def guarded_clients(who: str) -> tuple[openai.DefaultHttpxClient, openai.DefaultAsyncHttpxClient]:
    """Return a client for code that does not await, and one for code that does.

    An answer that is compressed or too long ends as `ModelError`. A redirect is an answer with its status: where a
    server sends somebody is not where its key, and the conversation, may go.

    Args:
        who: The model's name in errors.
    """

    def check(response: Any) -> None:
        _check_headers(response, who)
        response.stream = _Capped(response.stream, who)

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
    size = response.headers.get("content-length", "")
    if size.isdigit() and int(size) > MAX_BODY_BYTES:
        raise _too_long(who)


def _too_long(who: str) -> ModelError:
    return ModelError(f"{who} sent more than {MAX_BODY_BYTES // 2**20} MiB; the answer was given up.")


class _Capped(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A response's body, up to `MAX_BODY_BYTES`."""

    def __init__(self, inner: Any, who: str) -> None:
        self._inner = inner
        self._who = who
        self._left = MAX_BODY_BYTES

    def _take(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise _too_long(self._who)
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
