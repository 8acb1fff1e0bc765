"""What LangChain's callbacks say of a model call: which model it was, what it read and wrote, what that cost.

What does not live here: what is done with it (`usage`, `budgets`, `recordings`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.outputs import LLMResult

    from motet.models.prices import Prices

BASE_URL_KEY = "motet_base_url"
"""Key in a call's metadata: where Motet's own chat models send it."""


@dataclass(frozen=True, slots=True)
class CalledModel:
    """Which model was called."""

    provider: str = ""
    name: str = ""
    base_url: str = ""

    @classmethod
    def of(cls, metadata: Mapping[str, Any] | None) -> CalledModel:
        """Read the metadata that a chat model gives its callbacks."""
        found = metadata or {}
        provider, name = str(found.get("ls_provider") or ""), str(found.get("ls_model_name") or "")
        return cls(provider, name, str(found.get(BASE_URL_KEY) or ""))

    async def cost_usd(self, prices: Prices, input_tokens: int, output_tokens: int) -> float | None:
        """Return what a call cost; the price lists are read on a thread, which takes a second the first time."""
        arguments = (self.provider, self.name, input_tokens, output_tokens)
        if not self.name:
            return None
        if not prices.is_listed(self.provider, self.name, self.base_url):
            return prices.cost_usd(*arguments, base_url=self.base_url)
        return await asyncio.to_thread(prices.cost_usd, *arguments, base_url=self.base_url)


class HearsOfModels(BaseCallbackHandler):
    """A handler that is told of model calls, and of nothing else.

    LangChain makes a task of every event for a handler that is not inline, and for one whose methods are asynchronous a
    new event loop of every event of a plain function's tool; also where the handler has no use for it.
    """

    run_inline = True

    @property
    @override
    def ignore_chain(self) -> bool:
        return True

    @property
    @override
    def ignore_agent(self) -> bool:  # tools, in LangChain's words
        return True

    @property
    @override
    def ignore_retriever(self) -> bool:
        return True

    @property
    @override
    def ignore_custom_event(self) -> bool:
        return True


def message_of(response: LLMResult) -> AIMessage | None:
    """Return the message that a call gave; None for a model that gives plain text."""
    message = getattr(response.generations[0][0], "message", None) if response.generations else None
    return message if isinstance(message, AIMessage) else None


def tokens_of(message: AIMessage | None) -> tuple[int, int] | None:
    """Return the tokens that a call read and wrote; None when its server does not say."""
    used = message.usage_metadata if message is not None else None
    return (used["input_tokens"], used["output_tokens"]) if used else None
