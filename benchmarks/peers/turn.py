"""Does the turns of one framework and prints what they took; run by `benchmarks.peers_table`.

    python turn.py MODULE BASE_URL TURNS

Prints `{"cpu_ms": [of each turn], "wall_ms": […]}` as JSON. CPU is this process's and its children's.
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

WARM_UP = 5
ANSWER = "It is 42."


def cpu_s() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


async def measure(name: str, base_url: str, turns: int) -> dict[str, list[float]]:
    """Do the turns and time each."""
    cpu, wall = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        async with aclosing(import_module(name).turns(base_url, Path(folder))) as made:
            turn = await anext(made)
            for number in range(WARM_UP + turns):
                before, began = cpu_s(), time.perf_counter()
                answer = await turn()
                if ANSWER not in answer:
                    raise RuntimeError(f"turn {number} gave a wrong answer: {answer[:200]}")
                cpu.append((cpu_s() - before) * 1e3)
                wall.append((time.perf_counter() - began) * 1e3)
        os.chdir("/")
    return {"cpu_ms": cpu[WARM_UP:], "wall_ms": wall[WARM_UP:]}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))), flush=True)
    os._exit(0)  # some frameworks leave threads that send their telemetry
