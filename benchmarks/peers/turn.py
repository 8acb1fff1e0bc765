"""Does the turns of one framework and tells what each took; run by `benchmarks.peers_table`.

    python turn.py MODULE BASE_URL

Does a turn for each line that it reads, and answers with a line of JSON: `{"cpu_ms": …, "wall_ms": …}`, or
`{"error": …}` and its end. CPU is this process's and its children's, with what it does in the moment after the answer.
At first it says `{}`: it is ready.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from contextlib import aclosing
from importlib import import_module
from pathlib import Path
from typing import Any

ANSWER = "It is 42."
AFTER_S = 0.02
"""What is done so soon after an answer belongs to its turn."""


def cpu_s() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def tell(told: dict[str, Any]) -> None:
    """Print a line; what a framework prints goes elsewhere."""
    os.write(REPLY, (json.dumps(told) + "\n").encode())


async def measure(name: str, base_url: str) -> None:
    """Do a turn when asked, and time it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        async with aclosing(import_module(name).turns(base_url, Path(folder))) as made:
            turn = await anext(made)
            tell({})
            while await asyncio.to_thread(sys.stdin.readline):
                before, began = cpu_s(), time.perf_counter()
                answer = await turn()
                wall_s = time.perf_counter() - began
                if ANSWER not in answer:
                    raise RuntimeError(f"a turn gave a wrong answer: {answer[:200]}")
                await asyncio.sleep(AFTER_S)
                tell({"cpu_ms": (cpu_s() - before) * 1e3, "wall_ms": wall_s * 1e3})
        os.chdir("/")


if __name__ == "__main__":
    REPLY = os.dup(1)
    os.dup2(2, 1)
    try:
        asyncio.run(measure(sys.argv[1], sys.argv[2]))
    except Exception as error:  # noqa: BLE001  # an edge: the table says why a framework is left out
        tell({"error": f"{type(error).__name__}: {error}"[:160]})
    os._exit(0)  # some frameworks leave threads that send their telemetry
