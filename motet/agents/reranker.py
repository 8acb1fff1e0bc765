"""The reranker that asks a chat model: all passages at once, and the numbers of the best come back in order.

What does not live here: the search that it is given to (`retrieval.search`), which keeps its own order when this fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from motet.models.structured import ask_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from motet.agents.prompts import Prompts
    from motet.models.base import ConnectedModel

MAX_CHARS = 400
"""Of each passage; 20 of them fit the window of a small model."""


class Ranking(BaseModel):
    """Numbers of passages, best first."""

    model_config = ConfigDict(extra="forbid")

    best: list[Annotated[int, Field(ge=1, le=100)]] = Field(max_length=10)


class ModelReranker:
    """Listwise: the model sees every passage and names up to ten that answer the query.

    Source: W. Sun et al., "Is ChatGPT Good at Search? Investigating Large Language Models as Re-Ranking Agents",
    EMNLP 2023, without its sliding window: what is reranked here is one window.

    Args:
        connect: Gives the model, when it is first needed.
        prompts: The app's.
    """

    def __init__(self, connect: Callable[[], Awaitable[ConnectedModel]], prompts: Prompts) -> None:
        self.name = "the model's ranking"
        self._connect = connect
        self._prompts = prompts

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """See `Reranker.scores`: the best gets as much as there are texts, those not named keep their order at 0."""
        language = self._prompts.language_of(query)
        shown = "\n".join(
            f"[{number}] {' '.join(text.split())[:MAX_CHARS]}" for number, text in enumerate(texts, 1)
        )
        messages = [
            SystemMessage(self._prompts.text("rerank", language)),
            HumanMessage(self._prompts.text("rerank_material", language, passages=shown, query=query)),
        ]
        ranking = await ask_json(await self._connect(), messages, Ranking)
        named = [number for number in dict.fromkeys(ranking.best) if number <= len(texts)]
        points = {number: float(len(texts) - place) for place, number in enumerate(named)}
        return [points.get(number, 0.0) for number in range(1, len(texts) + 1)]
