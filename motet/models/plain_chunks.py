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
_MAY_DIFFER = ("choices", "created", "usage")


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

    It can where both say nothing but more of the same: of the text, of the thoughts, or of one call's arguments; where
    the one before says nothing yet; and where the piece says nothing but that the answer has ended, or what it took. A
    piece with anything else in it, as log probabilities, stays one of its own.
    """
    if any(last.get(key) != value for key, value in piece.items() if key not in _MAY_DIFFER):
        return False
    return _join_more(last, piece) or _join_end(last, piece)


def _join_more(last: Piece, piece: Piece) -> bool:
    before, after = _delta_of(last), _delta_of(piece)
    if before is None or after is None or len(after) != 1 or last.get("usage") or piece.get("usage"):
        return False
    (name,) = after
    into = last["choices"][0]["delta"]
    if before in ({}, {"content": ""}):
        into[name] = after[name]
        return True
    if before.keys() != after.keys():
        return False
    if name in _TEXTS:
        into[name] += after[name]
        return True
    return _join_call(before[name], after[name])


def _join_end(last: Piece, piece: Piece) -> bool:
    """Add how an answer ended, or what it took; there are servers that say both with the last words."""
    if last.get("usage"):
        return False
    if piece.get("choices") != []:
        into, ended = _only_choice(last), _only_choice(piece)
        if not into or into.get("finish_reason") or not _only_ends(ended):
            return False
        into["finish_reason"] = ended["finish_reason"]
    elif not piece.get("usage"):
        return False
    if piece.get("usage"):
        last["usage"] = piece["usage"]
    return True


def _only_choice(piece: Piece) -> dict[str, Any]:
    """Return the only answer's part of a piece; {} where there is none, or that of another."""
    choices = piece.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        return {}
    return choices[0] if choices[0].get("index", 0) == 0 else {}


def _only_ends(choice: dict[str, Any]) -> bool:
    """Say whether an answer's part says that it ended, and nothing else."""
    said = {key for key, value in choice.items() if value is not None and key != "index"}
    delta = choice.get("delta")
    empty = delta is None or (isinstance(delta, dict) and not any(v for k, v in delta.items() if k != "role"))
    return said - {"delta"} == {"finish_reason"} and isinstance(choice["finish_reason"], str) and empty


def _delta_of(piece: Piece) -> dict[str, Any] | None:
    """Return what a piece adds to the only answer, without its role; None where it says more than that."""
    rest = {key: value for key, value in _only_choice(piece).items() if value is not None and key != "index"}
    delta = rest.pop("delta", None)
    if not isinstance(delta, dict) or rest:
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
