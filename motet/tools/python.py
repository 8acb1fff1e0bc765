"""Python for calculations and texts: an interpreter of its own, in a process of its own, without files or network.

What does not live here: the whole of Python, with every module (`python_full`).
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from motet.errors import InvalidInput, ToolFailed
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from motet.tools.base import ToolContext

LIMITS: dict[str, Any] = {
    "max_feed_duration_secs": 5.0,
    "max_turn_duration_secs": 5.0,
    "max_memory": 128 << 20,
    "max_recursion_depth": 200,
    "max_suspensions": 50,
    "max_total_sleep_secs": 1.0,
}
"""What one call may take."""

_PROCESSES = 2


class Arguments(BaseModel):
    """What the tool is given."""

    code: str = Field(
        description="Python without files, network or generators; print what matters, or end with an expression",
        min_length=1,
        max_length=20_000,
    )


class Pool:
    """The interpreter's processes, started with the first call, each with a thread that talks to it.

    One hand-over to a thread and back is all that a call needs of the event loop: the interpreter's own asynchronous
    interface has several. A call that is no longer wanted ends by itself, within its limits.
    """

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(_PROCESSES, "motet-python")
        self._pool: Any = None
        self._starting = threading.Lock()

    def checkout(self) -> Any:
        """Return a session's context manager: an interpreter that knows of no other call."""
        import pydantic_monty as monty  # noqa: PLC0415  # an extra

        with self._starting:
            if self._pool is None:
                self._pool = monty.Monty(max_processes=_PROCESSES).__enter__()
        limits: Any = LIMITS
        return self._pool.checkout(limits=limits)


def build(context: ToolContext) -> BaseTool | None:
    """Build the tool; None where pydantic-monty is not installed."""
    if find_spec("pydantic_monty") is None:
        return None
    limit, pool = context.settings.max_output_chars, Pool()

    async def python(code: str) -> str:
        return cut(await run(pool, code, max_bytes=max(limit * 4, 1000)), limit)

    return as_tool(
        python,
        name="python",
        description="Run a short Python program: calculations, texts, dates. No files and no network.",
        arguments=Arguments,
        access="read",
        extra={"trust": "trusted"},  # its result comes from its code alone
    )


async def run(pool: Pool, code: str, *, max_bytes: int) -> str:
    """Run a program; return what it printed and what its last expression gave.

    Raises:
        InvalidInput: It failed; the message is its traceback.
        ToolFailed: It took more than it may, or its interpreter broke.
    """
    return await asyncio.get_running_loop().run_in_executor(pool.threads, _run, pool, code, max_bytes)


def _run(pool: Pool, code: str, max_bytes: int) -> str:
    import pydantic_monty as monty  # noqa: PLC0415

    printed = monty.CollectString(max_bytes=max_bytes)
    try:
        with pool.checkout() as session:
            value = session.feed_run(code, print_callback=printed)
    except (monty.MontyCrashedError, monty.MontyDisconnectError):
        raise ToolFailed("The program took more than it may, and was ended.", tool="python") from None
    except monty.MontyError as error:
        raise InvalidInput(f"The program failed.\n{cut(str(error), 2000)}") from None
    shown = "" if value is None else repr(value)
    return (
        "\n".join(part for part in (str(printed.output).rstrip("\n"), shown) if part)
        or "(nothing was printed)"
    )
