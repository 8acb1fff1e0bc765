"""Programs: an argument list, no shell, no secrets, and no end without its children."""

import asyncio
import os
from pathlib import Path

import pytest

from motet.errors import ToolFailed
from motet.tasks.program import run_program


async def run(folder: Path, *words: str, **env: str) -> str:
    return await run_program(["python", "-c", *words], folder=folder, env=env)


async def test_what_it_wrote_is_returned_and_nothing_is_read_by_a_shell(tmp_path: Path) -> None:
    code = "import os, sys; print(sys.argv[1:], os.getcwd())"
    assert await run(tmp_path, code, "$(touch x)", "a b") == f"['$(touch x)', 'a b'] {tmp_path}"
    assert os.listdir(tmp_path) == []  # noqa: PTH208  # the path's own way blocks


async def test_secrets_are_kept_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    code = "import os; print(os.environ.get('OPENAI_API_KEY'), os.environ['MINE'])"
    assert await run(tmp_path, code, MINE="x") == "None x"


async def test_a_status_that_is_not_0_is_a_failure_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="ended with status 3: it broke"):
        await run(tmp_path, "import sys; sys.stderr.write('it broke'); sys.exit(3)")
    with pytest.raises(ToolFailed, match="'no-such-program' cannot be started: No such file"):
        await run_program(["no-such-program"], folder=tmp_path, env={})


async def test_a_program_that_is_stopped_ends_with_its_children(tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    # The child holds the pipe open; its end is seen when the last writer is gone.
    code = "import subprocess; subprocess.run(['sh', '-c', 'exec 3>alive; echo up >&3; sleep 600'])"
    running = asyncio.ensure_future(run(tmp_path, code))
    with await asyncio.to_thread(fifo.open) as reader:
        assert await asyncio.to_thread(reader.readline) == "up\n"
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await asyncio.to_thread(reader.readline) == ""
