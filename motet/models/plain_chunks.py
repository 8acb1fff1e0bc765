"""Streams of OpenAI's chat wire as plain data, with what arrived together told together.

The client makes an object of every piece of an answer, and LangChain plain data of every object; each piece then costs
a handful of tasks on its way through callbacks and LangGraph's stream. A server that is faster than that, or a socket
that brings several pieces at once, pays for pieces that nobody can tell apart. Nothing waits here for a second piece:
what is there is told.

What does not live here: what the pieces mean (LangChain), whether the answer is whole (`stream_watch`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

from openai import AsyncStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openai import AsyncOpenAI, RequestOptions

Piece: TypeAlias = dict[str, Any]
"""One `chat.completion.chunk`, as the server sent it."""

_TEXTS = ("content", "reasoning_content", "reasoning")
_MAY_DIFFER = ("choices", "created")


class PlainCompletions:
    """A client's `chat.completions` whose streams are `Arrived`; all else is the client's own."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client.chat.completions, name)

    async def create(self, **payload: Any) -> Any:
        """Ask for an answer, see `openai`'s method of this name; a stream gives `Piece`s.

        Raises:
            openai.APIError: As the client's own.
        """
        if not payload.get("stream"):
            return await self._client.chat.completions.create(**payload)
        options: RequestOptions = {}
        for option, ours in (("headers", "extra_headers"), ("params", "extra_query"), ("timeout", "timeout")):
            if ours in payload:
                options[option] = payload.pop(ours)
        more = payload.pop("extra_body", None) or {}
        stream = await self._client.post(
            "/chat/completions",
            cast_to=cast("type[Any]", object),  # the pieces as they are
            body={**payload, **more},
            options=options,
            stream=True,
            stream_cls=AsyncStream[object],
        )
        return Arrived(stream)


class Arrived:
    """A stream's pieces, neighbours that arrived together joined to one. Is read once."""

    def __init__(self, stream: AsyncStream[Any]) -> None:
        self._stream = stream

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stream.close()

    async def __aiter__(self) -> AsyncGenerator[Piece]:
        arrived, news = list[Piece](), asyncio.Event()

        async def read() -> None:
            try:
                async for piece in self._stream:
                    if not (arrived and join(arrived[-1], piece)):
                        arrived.append(piece)
                    news.set()
            finally:
                news.set()

        reading = asyncio.create_task(read())
        try:
            while not reading.done() or arrived:
                await news.wait()
                news.clear()
                ready = arrived.copy()
                arrived.clear()
                for piece in ready:
                    yield piece
            await reading
        finally:
            reading.cancel()
            await asyncio.wait([reading])


def join(last: Piece, piece: Piece) -> bool:
    """Add a piece to the one before, and say whether that could be done.

    It can where both say nothing but more of the same: of the text, of the thoughts, or of one call's arguments. A
    piece with anything else in it, as a finish reason, token counts or log probabilities, stays one of its own.
    """
    before, after = _delta_of(last), _delta_of(piece)
    if before is None or after is None or len(after) != 1 or before.keys() != after.keys():
        return False
    if any(last.get(key) != value for key, value in piece.items() if key not in _MAY_DIFFER):
        return False
    (name,) = after
    into = last["choices"][0]["delta"]
    if name in _TEXTS:
        into[name] += after[name]
        return True
    return _join_call(before[name], after[name])


def _delta_of(piece: Piece) -> dict[str, Any] | None:
    """Return what a piece adds to the only answer, without its role; None where it says more than that."""
    choices = piece.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        return None
    rest = {key: value for key, value in choices[0].items() if value is not None}
    delta = rest.pop("delta", None)
    if not isinstance(delta, dict) or rest.pop("index", 0) != 0 or rest:
        return None
    said = {key: value for key, value in delta.items() if value is not None and key != "role"}
    fit = all(isinstance(value, str if name in _TEXTS else list) for name, value in said.items())
    return said if fit and said.keys() <= {*_TEXTS, "tool_calls"} else None


def _join_call(before: list[Any], after: list[Any]) -> bool:
    """Add a piece of a call's arguments to the call that it belongs to."""
    if len(before) != 1 or len(after) != 1 or not all(isinstance(one, dict) for one in (*before, *after)):
        return False
    call, more = before[0], {key: value for key, value in after[0].items() if value is not None}
    into, function = call.get("function"), more.pop("function", None)
    if (
        not isinstance(into, dict)
        or not isinstance(function, dict)
        or more.pop("type", "function") != "function"
    ):
        return False
    given = {key: value for key, value in function.items() if value is not None}
    if more != {"index": call.get("index")} or given.keys() != {"arguments"}:
        return False
    known = into.get("arguments") or ""
    if not isinstance(known, str) or not isinstance(given["arguments"], str):
        return False
    into["arguments"] = known + given["arguments"]
    return True
