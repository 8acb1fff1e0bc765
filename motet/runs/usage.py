"""Counts what each model call of a run took, whichever node made it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackHandler

from motet.events import Event, Usage
from motet.models.prices import Prices
from motet.runs.model_calls import CalledModel, HearsOfModels, message_of, tokens_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult


class UsageCounter(HearsOfModels, AsyncCallbackHandler):
    """A LangChain callback that reports a `usage` event when a model call ends.

    A chat model that wraps another reports once: a call whose parent is a model call is left to that one.
    Make it on the event loop that `report` belongs to. Plain functions call their models on other threads; what
    those took is reported on that loop too, a moment later.
    """

    def __init__(self, report: Callable[[Event], Awaitable[None]], prices: Prices | None = None) -> None:
        self._report = report
        self._prices = prices or Prices()
        self._loop = asyncio.get_running_loop()
        self._began: dict[UUID, tuple[float, CalledModel]] = {}
        self._inner: set[UUID] = set()
        self._reporting: set[asyncio.Future[None]] = set()

    async def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note when a call began."""
        del serialized, messages, kwargs
        if parent_run_id in self._began or parent_run_id in self._inner:
            self._inner.add(run_id)
        else:
            self._began[run_id] = time.monotonic(), CalledModel.of(metadata)

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Report a call that ended."""
        del kwargs
        self._inner.discard(run_id)
        began = self._began.pop(run_id, None)
        if began is None:
            return
        began_at, called = began
        duration_s = time.monotonic() - began_at
        message = message_of(response)
        name = message.response_metadata.get("model_name", "") if message is not None else ""
        read, written = tokens_of(message) or (0, 0)
        usage = Usage(
            model=str(name),
            input_tokens=read,
            output_tokens=written,
            duration_s=round(duration_s, 3),
            cost_usd=await called.cost_usd(self._prices, read, written) if read or written else None,
        )
        if asyncio.get_running_loop() is self._loop:
            await self._report(usage)
        else:  # not waited for: the loop may be the one that waits for this call
            self._loop.call_soon_threadsafe(self._report_later, usage)

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forget a call that failed."""
        del error, kwargs
        self._inner.discard(run_id)
        self._began.pop(run_id, None)

    def _report_later(self, usage: Usage) -> None:
        task = asyncio.ensure_future(self._report(usage))
        self._reporting.add(task)
        task.add_done_callback(self._reported)

    def _reported(self, task: asyncio.Future[None]) -> None:
        self._reporting.discard(task)
        if not task.cancelled():
            task.exception()  # a lost lease: whoever writes next meets it again
