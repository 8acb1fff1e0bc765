"""A model's own tokenizer, where its server lends it: llama.cpp and vLLM answer `POST /tokenize`.

What does not live here: guessing (`tokens`). Counts are kept by text, so that a conversation that grows has only its
new messages counted; and they go by a run's tape, since what is cut decides what is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import openai
from langchain_core.runnables.config import ensure_config

from motet.errors import MotetError
from motet.models.cassette import TAPE_KEY
from motet.models.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from motet.models.openai_chat import OpenAIChat
    from motet.models.replay import Tape

_log = logging.getLogger(__name__)

KEPT = 4096
"""How many texts' counts are kept."""

_TIMEOUT_S = 10.0
_FAILURES = (MotetError, openai.OpenAIError, OSError, ValueError, TypeError, KeyError)


class Tokenizer:
    """Counts tokens by asking; a text is asked about once."""

    def __init__(self, ask: Callable[[str], Awaitable[int]] | None) -> None:
        """Take what asks; None for a recorded run, whose tape has the counts."""
        self._ask = ask
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    async def count(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text is. Where the server fails they are guessed, and asked about again later."""
        tape: Tape | None = (ensure_config().get("configurable") or {}).get(TAPE_KEY)
        if tape is None:
            return [await self._count(text) for text in texts]
        request = {"texts": list(texts)}
        found = tape.given("memory", "tokens", request)
        counts = [int(n) for n in found[0]] if found else [await self._count(text) for text in texts]
        tape.keep("memory", "tokens", request, counts)
        return counts

    async def _count(self, text: str) -> int:
        if not text or self._ask is None:
            return estimate_tokens(text)
        key = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        found = self._counts.get(key)
        if found is None:
            try:
                found = await self._ask(text)
            except _FAILURES as error:
                _log.debug("tokens are guessed: %r", error)
                return estimate_tokens(text)
            self._counts[key] = found
            if len(self._counts) > KEPT:
                self._counts.popitem(last=False)
        self._counts.move_to_end(key)
        return found


async def lends_tokenizer(chat: OpenAIChat) -> bool:
    """Say whether a chat's server lends its tokenizer.

    Source: llama.cpp's server takes `content` and gives `tokens`; vLLM takes `model` and `prompt` and gives `count`.
    """
    try:
        return await ask_server(chat, "Hello 你好") > 0
    except _FAILURES:
        return False


async def ask_server(chat: OpenAIChat, text: str) -> int:
    """Return how many tokens a text is by a chat's server.

    Raises:
        OpenAIError, MotetError, OSError: The server does not answer, or refuses.
        ValueError, TypeError, KeyError: It answers something else.
    """
    root = chat.spec.base_url.rstrip("/").removesuffix("/v1")
    body = {"content": text, "model": chat.model_name, "prompt": text, "add_special_tokens": False}
    async with asyncio.timeout(_TIMEOUT_S):
        told: Any = await chat.root_async_client.post(f"{root}/tokenize", cast_to=object, body=body)
    return int(told["count"]) if "count" in told else len(told["tokens"])
