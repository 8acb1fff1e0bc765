"""Python for calculations and texts: an interpreter of its own, in a process of its own, without files or network.

What does not live here: the whole of Python, with every module (`python_full`).
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import weakref
from contextlib import suppress
from importlib.util import find_spec
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

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
_LONGEST_CALL_S = 12.0
"""What a thread that ends may still take: twice the limits, for a call that is made again, and the grace for each."""


class Arguments(BaseModel):
    """What the tool is given."""

    code: str = Field(
        description="Python without files, network or generators; print what matters, or end with an expression",
        min_length=1,
        max_length=20_000,
    )


class _Call(NamedTuple):
    """A program to run, and who waits for what it gives."""

    code: str
    max_bytes: int
    loop: asyncio.AbstractEventLoop
    waiting: asyncio.Future[str]

    def answer(self, said: str | Exception) -> None:
        """Hand over what it gave, from another thread than the event loop's."""
        with suppress(RuntimeError):  # its event loop was closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._settle, said)

    def _settle(self, said: str | Exception) -> None:
        if self.waiting.done():  # cancelled
            return
        if isinstance(said, Exception):
            self.waiting.set_exception(said)
        else:
            self.waiting.set_result(said)


class _Crew:
    """The threads that talk to the interpreter's processes. They know nothing of their pool: it can be let go."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._counting = threading.Lock()
        self._open = 0

    def ask(self, call: _Call) -> None:
        """Have a program run; one more thread is started for it where all are busy and there may be more."""
        with self._counting:
            self._open += 1
            if len(self._threads) < min(self._open, _PROCESSES):
                self._grow()
        self._asked.put(call)

    def dismiss(self) -> None:
        """Have each thread end, with its process, after the calls that were asked for."""
        atexit.unregister(self._wait)
        for _ in self._threads:
            self._asked.put(None)

    def _grow(self) -> None:
        if not self._threads:
            atexit.register(self._wait)
        thread = threading.Thread(target=self._serve, name="motet-python", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _wait(self) -> None:  # a thread that comes back from the interpreter needs a Python that still runs
        self.dismiss()
        for thread in self._threads:
            thread.join(_LONGEST_CALL_S)

    def _serve(self) -> None:
        interpreter = _Interpreter()
        while True:
            with suppress(Exception):  # who calls next has it opened again, and is told
                interpreter.renew()
            call = self._asked.get()
            if call is None:
                break
            said: str | Exception = ""
            try:
                if not call.waiting.cancelled():
                    said = interpreter.run(call.code, call.max_bytes)
            except Exception as error:  # noqa: BLE001  # it is the caller's
                said = error
            with self._counting:
                self._open -= 1
            call.answer(said)
            del call, said
        interpreter.stop()


class Pool:
    """The interpreter's processes, started with the first calls, each with a thread that talks to it.

    A thread opens a session before a program comes, and closes it after the answer was handed over: a call waits for
    one exchange with the process, and one hand-over to the thread and back. (The interpreter's own asynchronous
    interface has several.) Each program has a session of its own. A call that is no longer wanted ends by itself,
    within its limits.
    """

    def __init__(self) -> None:
        self._crew = _Crew()
        weakref.finalize(self, self._crew.dismiss).atexit = False

    async def run(self, code: str, *, max_bytes: int) -> str:
        """Run a program; return what it printed and what its last expression gave.

        Raises:
            InvalidInput: It failed; the message is its traceback.
            ToolFailed: It took more than it may, or its interpreter broke or does not start.
        """
        loop = asyncio.get_running_loop()
        call = _Call(code, max_bytes, loop, loop.create_future())
        self._crew.ask(call)
        return await call.waiting


class _Interpreter:
    """A process of the interpreter, with a session in it that no program has used yet. It is one thread's."""

    def __init__(self) -> None:
        self._pool: Any = None
        self._session: Any = None

    def renew(self) -> None:
        """End the session, with all that its program left, and open another; only that where none is open.

        Raises:
            ToolFailed: The interpreter does not start.
        """
        import pydantic_monty as monty  # noqa: PLC0415  # an extra

        self._close()
        limits: Any = LIMITS
        try:
            if self._pool is None:
                self._pool = monty.Monty(max_processes=1).__enter__()
            self._session = self._pool.checkout(limits=limits).__enter__()
        except (RuntimeError, OSError, monty.MontyError) as error:
            raise ToolFailed(f"The interpreter does not start: {error}", tool="python") from error

    def run(self, code: str, max_bytes: int) -> str:
        """See `Pool.run`. A process that was ended while it waited is started again, once."""
        import pydantic_monty as monty  # noqa: PLC0415

        for is_last in (False, True):
            if self._session is None:
                self.renew()
            try:
                return _feed(self._session, code, max_bytes)
            except (monty.MontyCrashedError, monty.MontyDisconnectError) as error:
                self._close()
                if is_last or getattr(error, "timed_out", False):
                    break
        raise ToolFailed("The program took more than it may, and was ended.", tool="python")

    def stop(self) -> None:
        """End the session and the process."""
        self._close()
        if self._pool is not None:
            self._pool.__exit__(None, None, None)

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.__exit__(None, None, None)


def build(context: ToolContext) -> BaseTool | None:
    """Build the tool; None where pydantic-monty is not installed."""
    if find_spec("pydantic_monty") is None:
        return None
    limit, pool = context.settings.max_output_chars, Pool()

    async def python(code: str) -> str:
        return cut(await pool.run(code, max_bytes=max(limit * 4, 1000)), limit)

    return as_tool(
        python,
        name="python",
        description="Run a short Python program: calculations, texts, dates. No files and no network.",
        arguments=Arguments,
        access="read",
        extra={"trust": "trusted"},  # its result comes from its code alone
    )


def _feed(session: Any, code: str, max_bytes: int) -> str:
    import pydantic_monty as monty  # noqa: PLC0415

    printed = monty.CollectString(max_bytes=max_bytes)
    try:
        value = session.feed_run(code, print_callback=printed)
    except (monty.MontyCrashedError, monty.MontyDisconnectError):
        raise
    except monty.MontyError as error:
        raise InvalidInput(f"The program failed.\n{cut(str(error), 2000)}") from None
    shown = "" if value is None else repr(value)
    return (
        "\n".join(part for part in (str(printed.output).rstrip("\n"), shown) if part)
        or "(nothing was printed)"
    )
