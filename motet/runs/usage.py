"""Counts what each model call of a run took, whichever node made it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage

from motet.events import Event, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult


class UsageCounter(AsyncCallbackHandler):
    """A LangChain callback that reports a `usage` event when a model call ends.

    A chat model that wraps another reports once: a call inside another model call is left to the outer one.
    """

    def __init__(self, report: Callable[[Event], Awaitable[None]]) -> None:
        self._report = report
        self._began: dict[UUID, float] = {}

    async def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Note when a call began."""
        del serialized, messages, kwargs
        if parent_run_id not in self._began:
            self._began[run_id] = time.monotonic()

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Report a call that ended."""
        del kwargs
        began = self._began.pop(run_id, None)
        if began is None:
            return
        message = getattr(response.generations[0][0], "message", None) if response.generations else None
        used = message.usage_metadata if isinstance(message, AIMessage) else None
        name = message.response_metadata.get("model_name", "") if isinstance(message, AIMessage) else ""
        await self._report(
            Usage(
                model=str(name),
                input_tokens=used["input_tokens"] if used else 0,
                output_tokens=used["output_tokens"] if used else 0,
                duration_s=round(time.monotonic() - began, 3),
            )
        )

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forget a call that failed."""
        del error, kwargs
        self._began.pop(run_id, None)
