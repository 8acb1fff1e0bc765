"""Stands before every model and tool call of a run, whoever wrote the graph, and lets it through or stops the run.

What does not live here: counting (`meters`) and the words (`question`). It hears of calls through LangChain's
callbacks, which every chat model and every tool calls before it begins. A run without limits has no guard.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt
from typing_extensions import override

from motet.errors import BudgetExceeded
from motet.models.halt import Halt
from motet.models.tokens import most_prompt_tokens, most_tokens
from motet.runs.budgets import meters
from motet.runs.budgets.meters import MICRO, Amount, Call
from motet.runs.budgets.question import ANSWER_SCHEMA, question, question_id, told
from motet.runs.model_calls import CalledModel, message_of, tokens_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from uuid import UUID

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult

    from motet.models.prices import Prices
    from motet.runs.budgets.limits import Limit
    from motet.runs.queue.base import Claim
    from motet.storage.engine import Database

PAUSE_S = 0.02
"""How soon a call that waits for others to end asks again; the pause doubles."""

LONGEST_PAUSE_S = 0.3

STALE_S = 5.0
"""How long it waits before it looks for calls whose worker is gone."""

OUTPUT_NAMES = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")
"""What models call the longest answer of a call."""


class Guard:
    """Watches over one attempt of one run. Make it on the event loop that the run is on."""

    def __init__(
        self,
        database: Database,
        claim: Claim,
        limits: Sequence[Limit],
        prices: Prices,
        *,
        max_output_tokens: int,
        cheaper_model: str,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._database = database
        self._claim = claim
        self._limits = limits
        self._prices = prices
        self._max_output_tokens = max_output_tokens
        self._cheaper_model = cheaper_model
        self._told_at = time.monotonic()
        self._calls: dict[UUID, tuple[str, CalledModel, Amount]] = {}
        self._inner: set[UUID] = set()

    @property
    def callbacks(self) -> list[BaseCallbackHandler]:
        """What the engine adds to a run's config."""
        return [BudgetOnLoop(self), BudgetOnThreads(self)]

    async def begin(self) -> None:
        """Settle what a crashed attempt of this run left."""
        job = self._claim.job
        await self._database.write(
            lambda c: meters.settle_left(c, job.tenant_id, run_id=job.run_id, fence=self._claim.fence)
        )

    async def close(self) -> None:
        """Settle the calls that were cancelled: they may have cost what they reserved."""
        left, self._calls = list(self._calls.values()), {}
        for hold_id, _, expected in left:
            await self._settle(hold_id, expected)

    async def before_model(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        messages: Sequence[BaseMessage] | str,
        metadata: dict[str, Any] | None,
        options: dict[str, Any],
    ) -> None:
        """Let a model call through, or stop the run; a model that another one wraps is no call of its own.

        Raises:
            GraphInterrupt: A person is asked.
            Halt: Nobody is to be asked.
        """
        if parent_run_id in self._calls or parent_run_id in self._inner:
            self._inner.add(run_id)
            return
        called = CalledModel.of(metadata)
        most = (
            most_tokens(messages)
            if isinstance(messages, str)
            else most_prompt_tokens(messages, options.get("tools"))
        )
        written = next((int(options[n]) for n in OUTPUT_NAMES if options.get(n)), self._max_output_tokens)
        cost = await called.cost_usd(self._prices, most, written)
        expected = Amount(most + written, int((cost or 0) * MICRO + 0.999))
        hold_id = str(uuid.uuid4())
        self._calls[run_id] = (hold_id, called, expected)
        try:
            await self._take("model", hold_id, expected)
        except BaseException:
            self._calls.pop(run_id, None)
            raise

    async def after_model(self, run_id: UUID, response: LLMResult | None) -> None:
        """Settle a call that ended; one without a response failed, and took what it read at most."""
        self._inner.discard(run_id)
        known = self._calls.pop(run_id, None)
        if known is None:
            return
        hold_id, called, expected = known
        spent = Amount()
        if response is not None:
            tokens = tokens_of(message_of(response))
            cost = await called.cost_usd(self._prices, *tokens) if tokens else None
            spent = Amount(sum(tokens), int((cost or 0) * MICRO + 0.5)) if tokens else expected
        await self._settle(hold_id, spent)

    async def before_tool(self) -> None:
        """Let a tool call through, or stop the run; see `before_model`."""
        await self._take("tool", "", Amount())

    async def _take(self, kind: meters.Kind, hold_id: str, expected: Amount) -> None:
        claim, job = self._claim, self._claim.job
        call = Call(
            hold_id, kind, expected, job.tenant_id, job.run_id, claim.fence, job.thread_id, self._limits
        )
        began, pause_s = time.monotonic(), PAUSE_S
        while True:
            worked_s = self._worked()
            verdict = await self._database.write(lambda c, worked_s=worked_s: meters.take(c, call, worked_s))
            if verdict is None:
                return
            if isinstance(verdict, meters.Crossed):
                raise self._stop(verdict)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            if time.monotonic() - began > STALE_S:
                began = time.monotonic()
                await self._database.write(lambda c: meters.settle_left(c, job.tenant_id))

    async def _settle(self, hold_id: str, spent: Amount) -> None:
        tenant_id, worked_s = self._claim.job.tenant_id, self._worked()
        await self._database.write(lambda c: meters.settle(c, tenant_id, hold_id, spent, worked_s))

    def _worked(self) -> float:
        """Return the seconds since this was asked last; parallel calls of a run do not count twice."""
        now = time.monotonic()
        worked_s, self._told_at = now - self._told_at, now
        return worked_s

    def _stop(self, crossed: meters.Crossed) -> Exception:
        if crossed.at_limit == "fail":
            error = BudgetExceeded(
                f"{told(crossed)} Allow more, or ask for less.",
                scope=crossed.scope,
                limit=crossed.name,
                allowed=crossed.limit,
                spent=crossed.spent,
            )
            return Halt(error)
        asked = Interrupt(
            question(crossed, self._cheaper_model),
            question_id(self._claim.job.run_id, crossed),
            response_schema=ANSWER_SCHEMA,
        )
        return GraphInterrupt((asked,))


class BudgetOnLoop(AsyncCallbackHandler):
    """Hears of calls on the run's own event loop; `BudgetOnThreads` of those of plain functions, on other threads."""

    raise_error = True

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def _mine(self) -> bool:
        return asyncio.get_running_loop() is self._guard.loop

    @override
    async def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        if self._mine():
            await self._guard.before_model(*_call(messages[0], kwargs))

    @override
    async def on_llm_start(self, serialized: Any, prompts: Any, **kwargs: Any) -> None:
        if self._mine():
            await self._guard.before_model(*_call(prompts[0], kwargs))

    @override
    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        if self._mine():
            await self._guard.after_model(run_id, response)

    @override
    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        if self._mine():
            await self._guard.after_model(run_id, None)

    @override
    async def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
        if self._mine():
            await self._guard.before_tool()


class BudgetOnThreads(BaseCallbackHandler):
    """Hears of the calls that plain functions make on other threads, and waits for the guard there."""

    raise_error = True
    run_inline = True

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run_coroutine_threadsafe(work, self._guard.loop).result()
        else:
            work.close()

    @override
    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self._wait(self._guard.before_model(*_call(messages[0], kwargs)))

    @override
    def on_llm_start(self, serialized: Any, prompts: Any, **kwargs: Any) -> None:
        self._wait(self._guard.before_model(*_call(prompts[0], kwargs)))

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        self._wait(self._guard.after_model(run_id, response))

    @override
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._wait(self._guard.after_model(run_id, None))

    @override
    def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
        self._wait(self._guard.before_tool())


def _call(
    messages: Any, kwargs: dict[str, Any]
) -> tuple[UUID, UUID | None, Any, dict[str, Any] | None, dict[str, Any]]:
    options = kwargs.get("invocation_params") or {}
    return kwargs["run_id"], kwargs.get("parent_run_id"), messages, kwargs.get("metadata"), options
