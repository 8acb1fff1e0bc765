"""Doing something again after it failed: which faults are worth it, and how long the pauses are.

What does not live here: what is done, and retries of the whole run (`motet.runs.retry`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from langgraph.errors import GraphBubbleUp

from motet.errors import (
    BudgetExceeded,
    LeaseLost,
    ModelOutputInvalid,
    ModelUnavailable,
    MotetBug,
    MotetError,
    RunCancelled,
    RunError,
    StorageError,
    ToolFailed,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from motet.tasks.spec import Retry

logger = logging.getLogger(__name__)

ENDS_THE_RUN = (BudgetExceeded, LeaseLost, RunCancelled, StorageError, MotetBug)
"""What is no step's own fault: the whole run ends with it."""

EXPECTATION = "expectation"
"""Value of an error's field `kind` where an `expect` was not met."""
TIMEOUT = "step_timeout"


async def attempts(do: Callable[[], Awaitable[Any]], *, retry: Retry | None, timeout_s: float | None) -> Any:
    """Do something until it succeeds, or its tries are used up.

    Raises:
        MotetError: What went wrong the last time.
        GraphBubbleUp: The graph waits for a person.
    """
    tries = retry.max_attempts if retry else 1
    for number in range(1, tries + 1):
        try:
            return await _once(do, timeout_s)
        except (GraphBubbleUp, *ENDS_THE_RUN):
            raise
        except Exception as raised:
            error = as_motet_error(raised)
            if retry is None or number == tries or not worth_it(error, retry.errors):
                if error is raised:
                    raise
                raise error from raised
        await asyncio.sleep(pause_s(retry, number))
    raise MotetBug("A step with no tries.")


async def _once(do: Callable[[], Awaitable[Any]], timeout_s: float | None) -> Any:
    if timeout_s is None:
        return await do()
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            return await do()
    except TimeoutError:
        if not limit.expired():
            raise
        raise RunError(f"It took longer than its timeout of {timeout_s:g} s.", kind=TIMEOUT) from None


def worth_it(error: MotetError, names: list[str]) -> bool:
    """Say whether an error is among those that a step is tried again after."""
    status = int(error.fields.get("status") or 0)
    is_a = {
        "any": True,
        "rate_limit": status == 429,
        "timeout": error.fields.get("kind") == TIMEOUT,
        "5xx": 500 <= status < 600,
        "unavailable": isinstance(error, ModelUnavailable),
        "output": isinstance(error, ModelOutputInvalid),
        "tool": isinstance(error, ToolFailed),
        "expect": error.fields.get("kind") == EXPECTATION,
        error.code: True,
    }
    return any(is_a.get(name, False) for name in names or ("rate_limit", "timeout", "5xx", "unavailable"))


def pause_s(retry: Retry, number: int) -> float:
    """Return the pause after the try with this number, from 1, in seconds."""
    if retry.backoff == "none":
        return 0.0
    grown = retry.initial * (2 ** (number - 1) if retry.backoff == "exponential" else 1)
    return min(grown, retry.max)


def as_motet_error(error: Exception) -> MotetError:
    """Return an error of the tree for whatever was raised; what is unknown goes to the log with its trace."""
    if isinstance(error, MotetError):
        return error
    logger.error("a step failed", exc_info=error)
    first = str(error).splitlines()[0] if str(error) else ""
    return RunError(f"{type(error).__name__}: {first}"[:500], error_type=type(error).__name__)
