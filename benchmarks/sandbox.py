"""How long a program in the sandbox takes to start and end, and one of the small interpreter, against `python -c pass`.

Run it with `make bench-sandbox`. The rounds of all take turns, so that a busy machine slows all of them alike: read the
ratios. The bars are 60 ms for Python in the sandbox and 1 ms for the small interpreter.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import time
from typing import TYPE_CHECKING

from motet.sandbox.box import SYSTEM_PYTHON, Sandbox
from motet.settings import SandboxSettings
from motet.tools.python import Pool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BARS_MS = {"sandbox, python": 60.0, "monty, 1 + 1": 1.0}
PLAIN = "python -c pass"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    asyncio.run(measure(parser.parse_args().rounds))


async def measure(rounds: int) -> None:
    """Run every kind in turn, and print the medians with their ratios to a plain start of Python."""
    box, pool = Sandbox(SandboxSettings()), Pool()
    problem = await box.problem()
    kinds: dict[str, Callable[[], Awaitable[object]]] = {
        PLAIN: plain,
        "monty, 1 + 1": lambda: pool.run("1 + 1", max_bytes=1000),
    }
    if problem:
        print(f"There is no sandbox here: {problem}")
    else:
        kinds["sandbox, true"] = lambda: box.run(["/bin/true"])
        kinds["sandbox, python"] = lambda: box.run([SYSTEM_PYTHON, "-I", "-"], stdin=b"pass")
    took: dict[str, list[float]] = {name: [] for name in kinds}
    worked: dict[str, list[float]] = {name: [] for name in kinds}
    for start in kinds.values():
        await start()
    for _ in range(rounds):
        for name, start in kinds.items():
            began, cpu = time.perf_counter(), children_ms()
            await start()
            took[name].append((time.perf_counter() - began) * 1000)
            worked[name].append(children_ms() - cpu)
    print(f"{rounds} rounds, in turn; ms. CPU is that of the ended processes.")
    print(f"{'':<18}{'best':>8}{'median':>9}{'p95':>9}{'CPU':>8}{'ratio':>8}")
    base = statistics.median(took[PLAIN])
    for name, times in took.items():
        middle, late = statistics.median(times), sorted(times)[int(len(times) * 0.95)]
        cpu = statistics.median(worked[name])
        bar = (
            f"   {'yes' if middle < BARS_MS[name] else 'NO'} below {BARS_MS[name]:g} ms"
            if name in BARS_MS
            else ""
        )
        print(f"{name:<18}{min(times):>8.2f}{middle:>9.2f}{late:>9.2f}{cpu:>8.2f}{middle / base:>8.2f}{bar}")


def children_ms() -> float:
    """Return the processor time of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


async def plain() -> None:
    """Start the same Python without a box."""
    process = await asyncio.create_subprocess_exec(SYSTEM_PYTHON, "-I", "-c", "pass")
    await process.wait()


if __name__ == "__main__":
    main()
