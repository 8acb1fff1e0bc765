"""A stream of the Agent Server wire through the death of its server: nothing is missing, nothing comes twice."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
from agent_graphs import STEPS
from agent_house import GRAPHS
from agent_script import read

TESTS = Path(__file__).resolve().parent.parent


async def serve(folder: Path, port: int) -> tuple[asyncio.subprocess.Process, int]:
    """Start `motet serve` in a folder; return the process and its port."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]),
        "MOTET_HOME": str(folder / "home"),
        "MOTET_CONFIG": str(folder / "config.toml"),
        "MOTET_MODEL": f"scripted:{folder / 'script.json'}",
        "MOTET_EMBEDDING_MODEL": "none",
    }
    command = [sys.executable, "-m", "motet", "serve", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr is not None
    told = b""
    while not (found := re.search(rb"http://127\.0\.0\.1:(\d+)", told)):
        line = await process.stderr.readline()
        assert line, told.decode()
        told += line
    return process, int(found[1])


async def kill(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.communicate()


async def test_a_stream_goes_on_where_it_was_after_its_server_was_killed(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text('{"rules": [], "default": "x"}')
    (tmp_path / "motet.toml").write_text(
        "[graphs]\n" + "\n".join(f'{name} = "agent_graphs:build_{name}"' for name in (*GRAPHS, "steps"))
    )
    process, port = await serve(tmp_path, 0)
    body = {"assistant_id": "steps", "input": {"notes": []}, "stream_mode": ["updates"]}
    seen: list[str] = []
    where, headers = "", dict[str, str]()
    try:
        for kills in range(2):
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False
            ) as client:
                method = ("GET", where, None) if where else ("POST", "/runs/stream", body)
                async with client.stream(method[0], method[1], json=method[2], headers=headers) as stream:
                    assert stream.status_code == 200
                    where = stream.headers["location"]
                    async for line in stream.aiter_lines():
                        if line.startswith("id: "):
                            seen.append(line[4:])
                            if not kills and len(seen) == 7:
                                break
            headers = {"Last-Event-ID": seen[-1]}
            if not kills:
                await kill(process)
                process, port = await serve(tmp_path, port)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False
        ) as client:
            whole: list[Any] = read(await client.get(where))["body"]
            output = (await client.get(where.replace("/stream", "/join"))).json()
    finally:
        await kill(process)
    assert [event["id"] for event in whole] == seen
    steps = [event["data"]["step"]["notes"][0] for event in whole if event["event"] == "updates"]
    assert steps == [f"step {number}" for number in range(STEPS)]
    assert output["total"] == STEPS
    assert [event["data"]["attempt"] for event in whole if event["event"] == "metadata"] == [1, 2]
