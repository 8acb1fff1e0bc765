"""Python of its own: what it gives, and what it may not take."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

from motet.errors import ToolFailed
from motet.settings import ToolSettings
from motet.tools.base import ToolContext
from motet.tools.python import Pool, build

monty = pytest.importorskip("pydantic_monty")


async def run(code: str) -> str:
    tool = build(ToolContext(ToolSettings()))
    assert tool is not None
    return await tool.ainvoke({"code": code})


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 + 1", "2"),
        ("print('你好')\n[x * 2 for x in range(3)]", "你好\n[0, 2, 4]"),
        ("x = 1", "(nothing was printed)"),
    ],
)
async def test_what_a_program_gives(code: str, said: str) -> None:
    assert await run(code) == said


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd').read()",
        "import os\nos.environ['HOME']",
        "import subprocess\nsubprocess.run(['ls'])",
        "import socket\nsocket.socket()",
        "__import__('os').system('ls')",
        "().__class__.__bases__[0].__subclasses__()[0]",
        "x = 'a'\nwhile True: x += x",
        "def f(): return f()\nf()",
        "1 / 0",
        "this is no python",
    ],
)
async def test_what_a_program_may_not(code: str) -> None:
    said = await run(code)
    assert said.startswith("The program")
    assert "root:" not in said


async def test_calls_at_once_know_nothing_of_each_other() -> None:
    tool = build(ToolContext(ToolSettings()))
    assert tool is not None
    said = await asyncio.gather(*(tool.ainvoke({"code": f"x = {n}\nx * 2"}) for n in range(6)))
    assert said == ["0", "2", "4", "6", "8", "10"]
    assert "name 'x' is not defined" in await tool.ainvoke({"code": "x"})


def test_the_tool_works_in_one_event_loop_after_another() -> None:
    tool = build(ToolContext(ToolSettings()))
    assert tool is not None
    assert [asyncio.run(tool.ainvoke({"code": "6 * 7"})) for _ in range(2)] == ["42", "42"]


async def test_an_interpreter_that_was_ended_while_it_waited_is_started_again() -> None:
    before, pool = interpreters(os.getpid()), Pool()
    assert await pool.run("20 + 1", max_bytes=1000) == "21"
    ended = interpreters(os.getpid()) - before
    for pid in ended:
        os.kill(pid, signal.SIGKILL)
    assert await pool.run("20 + 2", max_bytes=1000) == "22"
    assert len(ended) == 1
    assert not ended & interpreters(os.getpid())


async def test_without_the_interpreter_nothing_is_run_and_each_call_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MONTY_BIN", "/nowhere/monty")
    pool = Pool()
    for _ in range(2):
        with pytest.raises(ToolFailed, match="does not start"):
            await pool.run("1 + 1", max_bytes=1000)


async def test_a_call_that_nobody_waits_for_any_more_holds_nobody_up() -> None:
    pool = Pool()
    left = [asyncio.create_task(pool.run("import time\ntime.sleep(0.3)", max_bytes=1000)) for _ in range(3)]
    await asyncio.sleep(0)  # all of them have asked
    for task in left:
        task.cancel()
    assert await pool.run("6 * 7", max_bytes=1000) == "42"
    assert all(task.cancelled() for task in left)


async def test_a_pool_that_is_let_go_takes_its_threads_and_processes_along() -> None:
    before, were = set(threading.enumerate()), interpreters(os.getpid())
    pool = Pool()
    assert await asyncio.gather(*(pool.run("2", max_bytes=1000) for _ in range(4))) == ["2"] * 4
    threads = set(threading.enumerate()) - before
    processes, gone = interpreters(os.getpid()) - were, weakref.ref(pool)
    assert 1 <= len(threads) <= 2
    del pool
    gc.collect()
    assert gone() is None
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert not processes & interpreters(os.getpid())


def test_a_python_that_ends_waits_for_no_idle_interpreter_and_leaves_none() -> None:
    program = (
        "import asyncio\nfrom motet.tools.python import Pool\npool = Pool()\n"
        "print(asyncio.run(pool.run('6 * 7', max_bytes=1000)), flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def interpreters(parent: int) -> set[int]:
    """Return the ids of the interpreter's processes that a process has and that are no zombies."""
    found = set[int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        state, its_parent = rest.split()[:2]
        if name == "monty" and int(its_parent) == parent and state != "Z":
            found.add(int(stat.parent.name))
    return found
