"""Rerankers behind a `/rerank` address, as vLLM, Cohere, Jina and llama.cpp speak it.

What does not live here: the reranker that asks a chat model (`motet.agents.reranker`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from motet.errors import ModelError, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 30.0


class HttpReranker:
    """Asks a server for each text's relevance.

    Args:
        url: The whole address, which ends in `/rerank`.
        model: What the server calls its model; not sent when empty.
        api_key: Sent as a bearer token; none when empty.
    """

    def __init__(self, url: str, *, model: str = "", api_key: str = "") -> None:
        self.name = f"{model or 'the reranker'} at {url}"
        self._url = url
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """See `Reranker.scores`."""
        asked: dict[str, Any] = {"query": query, "documents": list(texts), "top_n": len(texts)}
        if self._model:
            asked["model"] = self._model
        try:
            # The environment's proxies play no part: the address is the operator's own.
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
                answer = await client.post(self._url, json=asked, headers=self._headers)
                answer.raise_for_status()
                found: dict[str, Any] = answer.json()
        except httpx.HTTPError as error:
            raise ModelUnavailable(f"{self.name} does not answer: {_shown(error)}.") from None
        except ValueError:
            raise ModelError(f"{self.name} answered no JSON. Is it a /rerank address?") from None
        try:
            scored = {int(one["index"]): float(one["relevance_score"]) for one in found["results"]}
            return [scored[at] for at in range(len(texts))]
        except (KeyError, TypeError, ValueError):
            raise ModelError(f"{self.name} did not score every text. Is it a /rerank address?") from None


def _shown(error: httpx.HTTPError) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
