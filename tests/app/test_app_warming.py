"""What is imported ahead of the first run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = """
import asyncio, sys
from motet.app import build_app
from motet.runs.request import RunRequest
from motet.settings import Settings

async def main():
    async with build_app(Settings.load()) as app:
        await app.start_worker(every_thread=True)
        before = set(sys.modules)
        said = {"messages": [{"role": "user", "content": "hello"}]}
        request = RunRequest(graph="chat", thread_id="t", create_thread=True, input=said)
        async for recorded in app.stream(request):
            pass
        print(recorded.event.type, *sorted({m.split(".")[0] for m in set(sys.modules) - before}))

asyncio.run(main())
"""


def test_a_first_run_imports_no_heavy_library(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("default: {text: hi}\n", "utf-8")
    env = {"MOTET_HOME": str(tmp_path / "home"), "MOTET_MODEL": f"scripted:{script}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", RUN], env=env, capture_output=True, text=True, check=True)
    ended, *imported = done.stdout.split()
    assert ended == "run.completed"
    assert not {"faiss", "langchain_openai", "langgraph", "openai", "numpy", "mcp"} & set(imported), imported
