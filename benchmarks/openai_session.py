"""Measures openai-agents' SQLiteSession; run by `benchmarks.memory` with the Python of its own environment.

    python openai_session.py TEXTS.json TURNS MORE_TURNS LOADS DEPTH…

A turn does what its runner does: load the history, add the question and the answer. Prints
`{depth: [CPU ms of a turn, kB stored by a turn, CPU ms of a load]}` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from agents import SQLiteSession  # pyright: ignore[reportMissingImports]  # in an environment of its own


def size_bytes(file: Path) -> int:
    """Return the bytes of a database's used pages."""
    with closing(sqlite3.connect(file)) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


def message(role: str, text: str) -> dict[str, Any]:
    """Return an item of a session."""
    return {"role": role, "content": text}


async def measure(texts: list[str], turns: int, more_turns: int, loads: int, depth: int) -> list[float]:
    """Measure one depth on a fresh file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "session.db"
        session: Any = SQLiteSession("long", str(file))
        roles = ("user", "assistant")
        await session.add_items([message(roles[index % 2], texts[index]) for index in range(2 * depth)])
        waiting = iter(texts[2 * depth :])

        async def turn() -> None:
            await session.get_items()
            await session.add_items([message("user", next(waiting))])
            await session.add_items([message("assistant", next(waiting))])

        before, cpu, load = size_bytes(file), [], []
        for _ in range(turns):
            began = time.process_time()
            await turn()
            cpu.append((time.process_time() - began) * 1000)
        for _ in range(loads):
            began = time.process_time()
            await session.get_items()
            load.append((time.process_time() - began) * 1000)
        for _ in range(more_turns):
            await turn()
        grown = (size_bytes(file) - before) / (turns + more_turns) / 1000
        session.close()
        return [statistics.median(cpu), grown, statistics.median(load)]


def main() -> None:
    """Measure every depth."""
    texts = json.loads(Path(sys.argv[1]).read_text())
    turns, more_turns, loads, *depths = map(int, sys.argv[2:])
    print(json.dumps({d: asyncio.run(measure(texts, turns, more_turns, loads, d)) for d in depths}))


if __name__ == "__main__":
    main()
