"""The graph by itself, called over and over without a server: `python alone.py SECONDS`; prints a JSON object.

No server that runs this graph in one process can be quicker.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from graph import graph

QUESTION = {"messages": [{"role": "user", "content": "How much is 6 * 7?"}]}


async def main(seconds: float) -> None:
    """Call it for so long, one call after the other."""
    for _ in range(20):
        await graph.ainvoke(QUESTION)
    runs, began, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() < began + seconds:
        await graph.ainvoke(QUESTION)
        runs += 1
    took_s = time.perf_counter() - began
    print(json.dumps({"runs/s": runs / took_s, "CPU ms a run": (time.process_time() - cpu) / runs * 1e3}))


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
