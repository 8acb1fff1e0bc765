"""A server's own tokenizer is asked once for each text; without one nothing is claimed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from motet.models import tokenizer
from motet.models.base import ModelSpec
from motet.models.openai import close_chat, make_chat
from motet.models.openai_chat import OpenAIChat
from motet.models.tokenizer import Tokenizer, ask_server, lends_tokenizer
from motet.models.tokens import estimate_tokens

Answer = Callable[[httpx.Request], httpx.Response]


def llama(request: httpx.Request) -> httpx.Response:
    assert request.url.path == "/tokenize"
    assert request.headers["Authorization"] == "Bearer secret"
    body: dict[str, Any] = json.loads(request.content)
    return httpx.Response(200, json={"tokens": list(range(len(body["content"])))})


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[Answer], OpenAIChat]]:
    made: list[OpenAIChat] = []

    def make(answer: Answer) -> OpenAIChat:
        transport = httpx.MockTransport(answer)
        chat = make_chat(
            spec=ModelSpec("vllm", "m", "http://127.0.0.1:1/v1"),
            api_key="secret",
            timeout_s=5,
            max_tokens=10,
            temperature=0,
            http_client=httpx.Client(transport=transport),
            http_async_client=httpx.AsyncClient(transport=transport),
        )
        made.append(chat)
        return chat

    yield make
    for chat in made:
        await close_chat(chat)


async def test_both_servers_words_are_read(connect: Callable[[Answer], OpenAIChat]) -> None:
    chat = connect(llama)
    assert await lends_tokenizer(chat)
    assert await Tokenizer(lambda text: ask_server(chat, text)).count(["abc", "你好", ""]) == [3, 2, 0]
    vllm = connect(lambda _: httpx.Response(200, json={"count": 7, "tokens": [1]}))
    assert await lends_tokenizer(vllm)
    assert await Tokenizer(lambda text: ask_server(vllm, text)).count(["abc"]) == [7]


@pytest.mark.parametrize(
    "reply", [httpx.Response(404), httpx.Response(200, json={}), httpx.Response(200, text="x")]
)
async def test_a_server_without_one_has_none(
    connect: Callable[[Answer], OpenAIChat], reply: httpx.Response
) -> None:
    assert not await lends_tokenizer(connect(lambda _: reply))


async def test_a_text_is_asked_about_once_and_a_failure_is_guessed_and_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokenizer, "KEPT", 2)
    asked: list[str] = []

    async def ask(text: str) -> int:
        asked.append(text)
        if len(asked) == 1:
            raise ValueError("down")
        return 100

    counts = Tokenizer(ask)
    assert await counts.count(["one"]) == [estimate_tokens("one")]
    assert await counts.count(["one", "one", "two"]) == [100, 100, 100]
    assert asked == ["one", "one", "two"]
    await counts.count(["three", "one"])  # two are kept: "one" is the oldest, and gone
    assert asked == ["one", "one", "two", "three", "one"]
